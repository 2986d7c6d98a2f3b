"""Yardsticks: what an output is worth against a target. One a kind of target, shared by the tasks."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from dlcli.core.task import Goal, Score

IGNORED = -100
"""The class of a position that does not count (padding)."""


@runtime_checkable
class Yardstick(Protocol):
    """Loss and scores of outputs."""

    goal: Goal

    def loss(self, output: Tensor, target: Tensor) -> tuple[Tensor, float | Tensor]:
        """The mean loss over the units of a batch, and how many units those are."""

    def scores(self, output: Tensor, target: Tensor) -> dict[str, Score]:
        """Metrics by name, as sums a row."""

    def summary(self, means: Mapping[str, float]) -> dict[str, float]:
        """What follows from the means."""

    def columns(self, output: Tensor, target: Tensor) -> dict[str, list[Any]]:
        """One entry a row, for a table of predictions."""


class Classification:
    """One of `names` a sample, or a step: cross-entropy in nats, accuracy.

    Args:
        names: the classes in the order of their numbers.
    """

    goal = Goal("accuracy", "max")

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)

    def loss(
        self, output: Float[Tensor, "batch unit *time"], target: Int[Tensor, "batch *time"]
    ) -> tuple[Tensor, float | Tensor]:
        return F.cross_entropy(output, target, ignore_index=IGNORED), (target != IGNORED).sum()

    def scores(self, output: Float[Tensor, "batch unit *time"], target: Int[Tensor, "batch *time"]) -> dict[str, Score]:
        counted = (target != IGNORED).flatten(1) if target.dim() > 1 else (target != IGNORED)[:, None]
        weight = counted.sum(1).to(output.dtype)
        nats = F.cross_entropy(output, target, ignore_index=IGNORED, reduction="none")
        right = (output.argmax(1) == target).to(output.dtype)
        by_row = {"nll": nats, "accuracy": right}
        return {name: Score(value.reshape(counted.shape).sum(1), weight) for name, value in by_row.items()}

    def summary(self, means: Mapping[str, float]) -> dict[str, float]:
        return {}

    def columns(self, output: Tensor, target: Tensor) -> dict[str, list[Any]]:
        probability, guess = output.softmax(1).max(1)
        if target.dim() > 1:
            guess = guess.masked_fill(target == IGNORED, IGNORED)
            return {"prediction": _named(guess, self.names), "target": _named(target, self.names)}
        return {
            "prediction": _named(guess, self.names),
            "target": _named(target, self.names),
            "probability": probability.tolist(),
        }


def _named(classes: Tensor, names: Sequence[str]) -> list[Any]:
    """Class names a row; a row of steps becomes one string, positions that do not count are left out."""
    if classes.dim() == 1:
        return ["" if number == IGNORED else names[number] for number in classes.tolist()]
    return [" ".join(names[number] for number in row if number != IGNORED) for row in classes.tolist()]


class Regression:
    """Real values a sample, or a step: mean squared error, and mean absolute error beside it.

    The loss is taken in the units the model works in; scores and predictions are in the data's own units.

    Args:
        scale: what one unit of the model is in the data's units, by target channel.
        shift: the data's value at the model's zero, by target channel.
    """

    goal = Goal("mse", "min")

    def __init__(self, scale: Sequence[float] = (1.0,), shift: Sequence[float] = (0.0,)) -> None:
        self.scale = torch.tensor(list(scale))
        self.shift = torch.tensor(list(shift))

    def loss(
        self, output: Float[Tensor, "batch unit *time"], target: Float[Tensor, "batch unit *time"]
    ) -> tuple[Tensor, float | Tensor]:
        return F.mse_loss(output, target), float(target.numel())

    def scores(
        self, output: Float[Tensor, "batch unit *time"], target: Float[Tensor, "batch unit *time"]
    ) -> dict[str, Score]:
        error = ((output - target) * self._by_channel(self.scale, output)).flatten(1)
        weight = torch.full_like(error[:, 0], error.shape[1])
        return {"mse": Score(error.square().sum(1), weight), "mae": Score(error.abs().sum(1), weight)}

    def _restore(self, values: Tensor) -> Tensor:
        return values * self._by_channel(self.scale, values) + self._by_channel(self.shift, values)

    @staticmethod
    def _by_channel(numbers: Tensor, values: Tensor) -> Tensor:
        return numbers.to(values).view(-1, *[1] * (values.dim() - 2))

    def summary(self, means: Mapping[str, float]) -> dict[str, float]:
        return {"rmse": math.sqrt(means["mse"])}

    def columns(self, output: Tensor, target: Tensor) -> dict[str, list[Any]]:
        guess, wanted = self._restore(output).flatten(1), self._restore(target).flatten(1)
        if guess.shape[1] == 1:
            return {"prediction": guess[:, 0].tolist(), "target": wanted[:, 0].tolist()}
        return {f"prediction_{i}": guess[:, i].tolist() for i in range(guess.shape[1])} | {
            f"target_{i}": wanted[:, i].tolist() for i in range(wanted.shape[1])
        }
