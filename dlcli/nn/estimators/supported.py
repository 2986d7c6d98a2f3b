"""Which rule predicts for which scikit-learn estimator."""

from collections.abc import Mapping
from typing import Any

from dlcli.core.errors import UsageError
from dlcli.nn.estimators.clusters import NearestCenter
from dlcli.nn.estimators.linear import LinearClassifier, LinearRegressor
from dlcli.nn.estimators.neighbors import NearestNeighbors
from dlcli.nn.estimators.rule import Rule
from dlcli.nn.estimators.trees import Trees
from dlcli.nn.estimators.vectors import KERNELS, VectorClassifier, VectorRegressor

_IDENTITY = ("squared_error", "absolute_error", "quantile")  # losses of histogram boosting whose link is the identity
_NEIGHBORS = {"metric": ("minkowski", "euclidean"), "p": (2,), "weights": ("uniform", "distance")}
_CLASSIFIER = {"kernel": KERNELS, "probability": (False, "deprecated"), "break_ties": (False,)}
_SETTINGS: Mapping[str, Mapping[str, tuple[Any, ...]]] = {
    "KNeighborsClassifier": _NEIGHBORS,
    "KNeighborsRegressor": _NEIGHBORS,
    "SVC": _CLASSIFIER,
    "NuSVC": _CLASSIFIER,
    "SVR": {"kernel": KERNELS},
    "NuSVR": {"kernel": KERNELS},
    "GradientBoostingClassifier": {"init": (None, "zero")},
    "GradientBoostingRegressor": {"init": (None, "zero")},
    "HistGradientBoostingRegressor": {"loss": _IDENTITY},
}
"""Settings by class for which there is a rule."""
_SUPPORTED = (
    "linear models", "KMeans", "k nearest neighbors", "support vector machines with a linear or rbf kernel",
    "decision trees", "random forests", "gradient boosting",
)  # fmt: skip


def rule_for(estimator: Any, classes: int) -> Rule:
    """The untrained rule of an estimator.

    Args:
        estimator: of scikit-learn.
        classes: number of classes of the target, 0 for values.

    Raises:
        UsageError: the estimator cannot predict, or there is no rule for it.
    """
    name = type(estimator).__name__
    if not callable(getattr(estimator, "predict", None)):
        must = "a scikit-learn estimator with a predict method"
        raise UsageError("invalid_value", key="model.estimator._target_", must=must, got=name)
    rule = _clusters(estimator, classes)
    for find in (_neighbors, _vectors, _linear, _trees):
        rule = rule or find(estimator)
    if rule is not None:
        return rule
    raise UsageError(
        "unsupported",
        subject="learner=estimator",
        feature=f"{name}{_setting(estimator)}: no rule computes its predictions from its fitted tensors",
        hint=f"Supported: {', '.join(_SUPPORTED)}.",
    )


def _setting(estimator: Any) -> str:
    """The setting for which a supported class has no rule, as " with kernel='poly'"; empty if there is none."""
    parameters = estimator.get_params(deep=False)
    for name, allowed in _SETTINGS.get(type(estimator).__name__, {}).items():
        if parameters.get(name) not in allowed:
            return f" with {name}={parameters[name]!r}"
    return ""


def _neighbors(estimator: Any) -> Rule | None:
    from sklearn.base import is_classifier
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    if not isinstance(estimator, KNeighborsClassifier | KNeighborsRegressor) or _setting(estimator):
        return None
    by_distance = estimator.weights == "distance"
    return NearestNeighbors(estimator.n_neighbors, by_distance=by_distance, classifier=is_classifier(estimator))


def _vectors(estimator: Any) -> Rule | None:
    from sklearn import svm
    from sklearn.base import is_classifier

    if not isinstance(estimator, svm.SVC | svm.NuSVC | svm.SVR | svm.NuSVR) or _setting(estimator):
        return None
    return VectorClassifier(estimator.kernel) if is_classifier(estimator) else VectorRegressor(estimator.kernel)


def _clusters(estimator: Any, classes: int) -> Rule | None:
    from sklearn.cluster import KMeans, MiniBatchKMeans

    return NearestCenter(classes) if isinstance(estimator, KMeans | MiniBatchKMeans) else None


def _linear(estimator: Any) -> Rule | None:
    from sklearn.base import is_classifier, is_regressor
    from sklearn.linear_model._base import LinearClassifierMixin, LinearModel

    if is_classifier(estimator) and isinstance(estimator, LinearClassifierMixin):
        return LinearClassifier()
    return LinearRegressor() if is_regressor(estimator) and isinstance(estimator, LinearModel) else None


def _trees(estimator: Any) -> Rule | None:
    from sklearn import ensemble, tree
    from sklearn.base import is_classifier

    classifier = is_classifier(estimator)
    forests = ensemble.RandomForestClassifier | ensemble.RandomForestRegressor
    extra = ensemble.ExtraTreesClassifier | ensemble.ExtraTreesRegressor
    averaged = tree.DecisionTreeClassifier | tree.DecisionTreeRegressor | forests | extra
    if isinstance(estimator, averaged):
        return Trees("probabilities" if classifier else "values", single=True)
    if isinstance(estimator, ensemble.GradientBoostingClassifier | ensemble.GradientBoostingRegressor):
        return None if _setting(estimator) else Trees("logits" if classifier else "values", single=True)
    if isinstance(estimator, ensemble.HistGradientBoostingClassifier):
        return Trees("logits", single=False)
    if isinstance(estimator, ensemble.HistGradientBoostingRegressor) and not _setting(estimator):
        return Trees("values", single=False)
    return None
