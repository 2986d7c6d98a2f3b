"""The yardstick of several labels at once."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from dlcli.core.task import Goal, Score


class MultiLabel:
    """Any number of `names` at once: binary cross-entropy in nats, the mean over the classes.

    `accuracy` asks for the order alone, with the number of labels given: the k highest scores are exactly the k labels
    of the row. `confident` asks for the number too: those above probability 1/2 are exactly the labels. Equal scores
    of a label and another class are no order.

    Args:
        names: the classes in the order of their numbers.
    """

    goal = Goal("accuracy", "max")

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)

    def loss(
        self, output: Float[Tensor, "batch unit"], target: Float[Tensor, "batch unit"]
    ) -> tuple[Tensor, float | Tensor]:
        return F.binary_cross_entropy_with_logits(output, target), float(len(target))

    def scores(self, output: Float[Tensor, "batch unit"], target: Float[Tensor, "batch unit"]) -> dict[str, Score]:
        nats = F.binary_cross_entropy_with_logits(output, target, reduction="none").mean(1)
        right, confident = _first(output, target > 0.5), ((output > 0) == (target > 0.5)).all(1)
        by_row = {"nll": nats, "accuracy": right.to(nats.dtype), "confident": confident.to(nats.dtype)}
        return {name: Score(value, nats.new_ones(len(nats))) for name, value in by_row.items()}

    def summary(self, means: Mapping[str, float]) -> dict[str, float]:
        return {}

    def columns(self, output: Tensor, target: Tensor) -> dict[str, list[Any]]:
        return {
            "prediction": self._named(output > 0),
            "target": self._named(target > 0.5),
        } | {
            f"probability_{name}": column.tolist() for name, column in zip(self.names, output.sigmoid().T, strict=True)
        }

    def _named(self, there: Tensor) -> list[str]:
        """The names of those that are there, a row."""
        return [
            " ".join(name for name, is_there in zip(self.names, row, strict=True) if is_there) for row in there.tolist()
        ]


def _first(output: Float[Tensor, "batch unit"], there: Bool[Tensor, "batch unit"]) -> Bool[Tensor, " batch"]:
    """Whether every label has a higher score than every other class."""
    infinity = float("inf")
    lowest, highest = output.masked_fill(~there, infinity).amin(1), output.masked_fill(there, -infinity).amax(1)
    return lowest > highest
