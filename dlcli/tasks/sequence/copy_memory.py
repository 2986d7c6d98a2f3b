"""Copy memory problem: recall ten digits after a long delay."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dlcli.core.metric import Metric
from dlcli.core.option_checks import check_at_least
from dlcli.core.rng import generator
from dlcli.core.spec import Classes, Real, Spec
from dlcli.core.task import Score
from dlcli.tasks.arrays import InMemoryTask, TensorSamples
from dlcli.tasks.targets import classification
from dlcli.tasks.targets.adapter import of_output

_DIGITS = 10  # number of digits to recall
_DELIMITER = 9.0


class CopyMemory(InMemoryTask):
    """Output the first ten digits of a sequence at its last ten steps, and 0 at all earlier steps.

    One real channel of length + 20 steps: ten digits from 1 to 8, length - 1 zeros, eleven times the delimiter 9. The
    best memoryless model has an `nll` of 10 ln 8 / (length + 20) and a `recall` of 1/8.

    Paper: Bai, Kolter & Koltun 2018, arXiv:1803.01271, section 4, after Arjovsky, Shah & Bengio 2016,
    arXiv:1511.06464. Differs: there is a validation split.

    Args:
        length: delay in time steps, at least 1.
        train, valid, test: number of sequences of each split.
        batch: training batch size.
        data_seed: seed of the digits.
        order: seed of shuffling.
        metrics: names of the reported metrics; None: the defaults of the target type.

    Raises:
        UsageError: a number is too small.
    """

    def __init__(
        self,
        *,
        length: int,
        train: int,
        valid: int,
        test: int,
        batch: int,
        data_seed: int,
        order: int,
        metrics: Sequence[str] | None = None,
    ) -> None:
        check_at_least(1, length=length, train=train, valid=valid, test=test)
        splits = {
            name: _draw(count, length, generator(data_seed, number))
            for number, (name, count) in enumerate({"train": train, "valid": valid, "test": test}.items())
        }
        steps = length + 2 * _DIGITS
        spec = Spec((Real((1, steps)),), Classes(10, (steps,)))
        super().__init__(splits, spec, Recall(), batch=batch, order=order, metrics=metrics)


def _draw(count: int, length: int, random: torch.Generator) -> TensorSamples:
    digits = torch.randint(1, 9, (count, _DIGITS), generator=random)
    x = torch.zeros(count, 1, length + 2 * _DIGITS)
    x[:, 0, :_DIGITS] = digits.float()
    x[:, 0, -_DIGITS - 1 :] = _DELIMITER
    target = torch.zeros(count, length + 2 * _DIGITS, dtype=torch.int64)
    target[:, -_DIGITS:] = digits
    return TensorSamples((x,), target)


def recall(output: Float[Tensor, "batch unit time"], target: Int[Tensor, "batch time"]) -> Score:
    """Accuracy at the last ten steps."""
    return classification.accuracy(output[..., -_DIGITS:], target[:, -_DIGITS:])


class Recall:
    """Cross-entropy over all steps in nats, and accuracy at the last ten steps."""

    main = "nll"
    default: Sequence[str] = ("nll", "recall")
    available: Sequence[Metric] = (
        Metric("nll", "min", "nats", of_output(classification.nll)),
        Metric("recall", "max", "", of_output(recall)),
    )
    baseline_name = "class frequencies"

    def __init__(self) -> None:
        self.steps = classification.Classification([str(digit) for digit in range(10)])

    def loss(
        self, output: Float[Tensor, "batch unit time"], target: Int[Tensor, "batch time"]
    ) -> tuple[Tensor, float | Tensor]:
        return self.steps.loss(output, target)

    def collected(self, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        return self.steps.collected(output, target)

    def constant(self, targets: Iterable[Tensor]) -> list[float]:
        return self.steps.constant(targets)

    def columns(self, output: Tensor, target: Tensor) -> dict[str, list[Any]]:
        return self.steps.columns(output[..., -_DIGITS:], target[:, -_DIGITS:])
