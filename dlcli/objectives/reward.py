"""Rewards of a controller from the metrics of a validation batch; higher is better."""

from collections.abc import Callable, Mapping

from torch import Tensor

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.metric import Goal

Reward = Callable[[Goal, Mapping[str, Tensor]], Tensor]
"""Function from the goal of the task and the metrics of a batch, 0-d by name, to a 0-d reward."""


class Main:
    """Main metric of the task, negated if lower is better.

    Raises:
        Mismatch: the metric is not available per batch.
    """

    def __call__(self, goal: Goal, means: Mapping[str, Tensor]) -> Tensor:
        value = _mean(goal.metric, means)
        return value if goal.direction == "max" else -value


class Inverse:
    """Inverse perplexity scale / exp(nll) of the batch (Pham et al. 2018, section 3.1, with scale 80).

    Args:
        scale: numerator, above 0.

    Raises:
        UsageError: the scale is not above 0.
        Mismatch: the task reports no nll.
    """

    def __init__(self, *, scale: float) -> None:
        if not scale > 0:
            raise UsageError("invalid_value", key="objective.reward.scale", must="above 0", got=scale)
        self.scale = scale

    def __call__(self, goal: Goal, means: Mapping[str, Tensor]) -> Tensor:
        return self.scale * (-_mean("nll", means)).exp()


def _mean(name: str, means: Mapping[str, Tensor]) -> Tensor:
    if name not in means:
        raise Mismatch("not_found", kind="batch metric for the reward", name=name, known=means)
    return means[name]
