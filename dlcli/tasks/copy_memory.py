"""The copy memory problem: ten digits, a long silence, and then the ten digits again."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dlcli.core.random import generator
from dlcli.core.spec import Classes, Real, Spec
from dlcli.core.task import Goal, Score
from dlcli.tasks.arrays import Arrays, ArrayTask
from dlcli.tasks.options import at_least
from dlcli.tasks.yardstick import Classification

_DIGITS = 10  # how many are to be remembered
_DELIMITER = 9.0


class CopyMemory(ArrayTask):
    """Repeat the first ten digits of a sequence at its last ten steps, and answer 0 before.

    One real channel of length + 20 steps: ten digits from 1 to 8, length - 1 zeros, eleven times the
    delimiter 9. The best model without memory has an `nll` of 10 ln 8 / (length + 20) and a `recall` of 1/8.

    Paper: Bai, Kolter & Koltun 2018, arXiv:1803.01271, section 4, after Arjovsky, Shah & Bengio 2016,
    arXiv:1511.06464. Differs: there is a validation split.

    Args:
        length: steps between the digits and where they are wanted, at least 1.
        train, valid, test: sequences of each split.
        batch: rows of a training batch.
        data_seed: what the digits are drawn from.
        order: seed of the shuffling.

    Raises:
        UsageError: a number is too small.
    """

    def __init__(
        self, *, length: int, train: int, valid: int, test: int, batch: int, data_seed: int, order: int
    ) -> None:
        at_least(1, length=length, train=train, valid=valid, test=test)
        splits = {
            name: _draw(count, length, generator(data_seed, number))
            for number, (name, count) in enumerate({"train": train, "valid": valid, "test": test}.items())
        }
        steps = length + 2 * _DIGITS
        spec = Spec((Real((1, steps)),), Classes(10, (steps,)))
        super().__init__(splits, spec, Recall(), batch=batch, order=order)


def _draw(count: int, length: int, random: torch.Generator) -> Arrays:
    digits = torch.randint(1, 9, (count, _DIGITS), generator=random)
    x = torch.zeros(count, 1, length + 2 * _DIGITS)
    x[:, 0, :_DIGITS] = digits.float()
    x[:, 0, -_DIGITS - 1 :] = _DELIMITER
    target = torch.zeros(count, length + 2 * _DIGITS, dtype=torch.int64)
    target[:, -_DIGITS:] = digits
    return Arrays((x,), target)


class Recall:
    """Cross-entropy over all steps in nats, and how many of the last ten digits are right."""

    goal = Goal("nll", "min")

    def __init__(self) -> None:
        self.steps = Classification([str(digit) for digit in range(10)])

    def loss(
        self, output: Float[Tensor, "batch unit time"], target: Int[Tensor, "batch time"]
    ) -> tuple[Tensor, float | Tensor]:
        return self.steps.loss(output, target)

    def scores(self, output: Float[Tensor, "batch unit time"], target: Int[Tensor, "batch time"]) -> dict[str, Score]:
        asked = self.steps.scores(output[..., -_DIGITS:], target[:, -_DIGITS:])
        return {"nll": self.steps.scores(output, target)["nll"], "recall": asked["accuracy"]}

    def summary(self, means: Mapping[str, float]) -> dict[str, float]:
        return {}

    def columns(self, output: Tensor, target: Tensor) -> dict[str, list[Any]]:
        return self.steps.columns(output[..., -_DIGITS:], target[:, -_DIGITS:])
