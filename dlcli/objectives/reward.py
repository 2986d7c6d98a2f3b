"""What a controller is paid for, from the scores of a validation batch: more is better."""

from collections.abc import Callable, Mapping

from torch import Tensor

from dlcli.core.errors import Mismatch, UsageError, nearest
from dlcli.core.metric import Goal

Reward = Callable[[Goal, Mapping[str, Tensor]], Tensor]
"""From the task's goal and the means of a batch, 0-d by name, to a 0-d reward."""


class Main:
    """The task's main metric, or its negative where it should fall.

    Raises:
        Mismatch: it is not a mean that a batch has.
    """

    def __call__(self, goal: Goal, means: Mapping[str, Tensor]) -> Tensor:
        value = _mean(goal.metric, means)
        return value if goal.direction == "max" else -value


class Inverse:
    """scale / exp(nll): a constant by the perplexity of the batch (Pham et al. 2018, section 3.1, with 80).

    Args:
        scale: what is divided.

    Raises:
        UsageError: the scale is not above 0.
        Mismatch: the task reports no nll.
    """

    def __init__(self, *, scale: float) -> None:
        if not scale > 0:
            raise UsageError(f"scale of a reward is above 0, not {scale}")
        self.scale = scale

    def __call__(self, goal: Goal, means: Mapping[str, Tensor]) -> Tensor:
        return self.scale * (-_mean("nll", means)).exp()


def _mean(name: str, means: Mapping[str, Tensor]) -> Tensor:
    if name not in means:
        raise Mismatch(f"a batch has no {name} to reward (it has: {', '.join(means)}){nearest(name, means)}")
    return means[name]
