"""Which rule predicts for which scikit-learn estimator."""

from typing import Any

from dlcli.core.errors import UsageError
from dlcli.nn.estimators.clusters import NearestCenter
from dlcli.nn.estimators.linear import LinearClassifier, LinearRegressor
from dlcli.nn.estimators.rule import Rule
from dlcli.nn.estimators.trees import Trees

_IDENTITY = ("squared_error", "absolute_error", "quantile")  # losses of histogram boosting whose link is the identity


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
    rule = _clusters(estimator, classes) or _linear(estimator) or _trees(estimator)
    if rule is None:
        raise UsageError(
            "unsupported",
            subject="learner=estimator",
            feature=name,
            hint="Supported: linear models, KMeans, decision trees, random forests and gradient boosting.",
        )
    return rule


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
        constant = estimator.init is None or estimator.init == "zero"
        return Trees("logits" if classifier else "values", single=True) if constant else None
    if isinstance(estimator, ensemble.HistGradientBoostingClassifier):
        return Trees("logits", single=False)
    if isinstance(estimator, ensemble.HistGradientBoostingRegressor) and estimator.loss in _IDENTITY:
        return Trees("values", single=False)
    return None
