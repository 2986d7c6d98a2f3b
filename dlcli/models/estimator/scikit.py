"""A scikit-learn estimator as a module."""

from typing import Any

import torch
from torch import Tensor, nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.spec import Classes, Real, Spec
from dlcli.nn.estimators.clusters import NearestCenter
from dlcli.nn.estimators.rule import LOWEST
from dlcli.nn.estimators.supported import rule_for

_CHECKED = 256  # training rows on which the rule is compared with the estimator
_TOLERANCE = 1e-6


class ScikitEstimator(nn.Module):
    """Predictions of a scikit-learn estimator, computed from its fitted tensors.

    The inputs are flattened and concatenated. A classifier outputs log probabilities, so that losses and metrics take
    them as logits; classes without training samples get the smallest log probability. A regressor outputs values in
    the unit of the task's targets. Before the fit the output is zero. After the fit the rule is compared with the
    estimator's own predictions.

    Differs from a trained model: the buffers are the fitted tensors (float64), and count as parameters.

    Args:
        spec: Real inputs of fixed shapes; target one class or real values per sample.
        estimator: linear model, KMeans, decision tree, random forest or (histogram) gradient boosting. A
            `random_state` of None is replaced by the seed of the run.

    Raises:
        UsageError: the estimator cannot predict, or is not supported.
        Mismatch: the inputs or the target are of another kind.
    """

    def __init__(self, spec: Spec, *, estimator: Any) -> None:
        super().__init__()
        target = spec.target
        self._classes = target.count if isinstance(target, Classes) else 0
        self._width = target.width
        self.rule = rule_for(estimator, self._classes)
        self._estimator = estimator
        _check(spec, estimator, clusters=isinstance(self.rule, NearestCenter))

    def forward(self, *inputs: Tensor) -> Tensor:
        x = _flat(inputs)
        if not self.rule.fitted:
            return x.new_zeros(len(x), self._width or x.shape[1])
        return self._answer(self.rule(x.double())).to(x.dtype)

    def _answer(self, output: Tensor) -> Tensor:
        """Log probabilities of all classes of the target, where the rule knows those of its training data."""
        known = getattr(self.rule, "classes", None)
        if not self._classes or known is None:
            return output
        full = output.new_full((len(output), self._classes), LOWEST)
        full[:, known] = output
        return full

    def fit(self, inputs: tuple[Tensor, ...], target: Tensor, seed: int) -> None:
        """Fit the estimator to all samples; those without a target are left out.

        Raises:
            UsageError: no sample has a target, or the rule does not reproduce the estimator's predictions.
            ValueError: the estimator refuses the data.
        """
        x, target = _flat(inputs).double().cpu(), target.cpu()
        known = target >= 0 if self._classes else ~target.isnan().any(1) if target.numel() else torch.ones(len(x)) > 0
        x, target = x[known], target[known]
        if not len(x):
            raise UsageError("invalid_data", path="the training split", problem="no sample has a target")
        parameters = self._estimator.get_params(deep=False)
        if "random_state" in parameters and parameters["random_state"] is None:
            self._estimator.set_params(random_state=seed % 2**32)
        y = target if self._classes else target.double()
        clusters = isinstance(self.rule, NearestCenter)
        wanted = () if clusters else (y.squeeze(1).numpy() if y.dim() > 1 and y.shape[1] == 1 else y.numpy(),)
        self._estimator.fit(x.numpy(), *wanted)
        self.rule.take(self.rule.extract(self._estimator, x, y))
        self._compare(x[:_CHECKED])

    @torch.no_grad()
    def _compare(self, x: Tensor) -> None:
        """Compare the rule with the estimator.

        Raises:
            UsageError: they differ.
        """
        device = next(self.rule.buffers()).device
        output, estimator = self.rule(x.to(device)).cpu(), self._estimator
        if isinstance(self.rule, NearestCenter):
            equal = torch.equal(
                self.rule.assign(x.to(device)).cpu(), torch.as_tensor(estimator.predict(x.numpy())).long()
            )
        elif not self._classes:
            wanted = torch.as_tensor(estimator.predict(x.numpy())).reshape(output.shape)
            equal = torch.allclose(output, wanted.double(), rtol=_TOLERANCE, atol=_TOLERANCE)
        elif hasattr(estimator, "predict_proba"):
            wanted = torch.as_tensor(estimator.predict_proba(x.numpy()))
            equal = torch.allclose(output.exp(), wanted.double(), atol=_TOLERANCE)
        else:
            classes = torch.as_tensor(estimator.classes_)
            equal = torch.equal(classes[output.argmax(1)], torch.as_tensor(estimator.predict(x.numpy())))
        if not equal:
            name = type(estimator).__name__
            raise UsageError("unsupported", subject="learner=estimator", feature=f"the predictions of {name}")


def _flat(inputs: tuple[Tensor, ...]) -> Tensor:
    return torch.cat([part.flatten(1) for part in inputs], 1)


def _check(spec: Spec, estimator: Any, *, clusters: bool) -> None:
    """Check that the estimator suits inputs and target.

    Raises:
        Mismatch: it does not.
    """
    from sklearn.base import is_classifier, is_regressor

    name = type(estimator).__name__
    if not all(isinstance(part, Real) and None not in part.shape for part in spec.inputs):
        raise Mismatch("mismatch", subject=name, requirement="Real inputs of fixed shapes", got=spec.describe())
    target = spec.target
    one = not target.positions and (isinstance(target, Real | Classes) or (clusters and not target.width))
    if not one:
        raise Mismatch("mismatch", subject=name, requirement="one class or value per sample", got=spec.describe())
    if not clusters and not (is_classifier(estimator) if isinstance(target, Classes) else is_regressor(estimator)):
        kind = "a classifier" if isinstance(target, Classes) else "a regressor"
        raise Mismatch("mismatch", subject=spec.describe(), requirement=kind, got=name)
