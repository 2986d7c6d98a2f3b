"""Adding problem: sum of two marked values at a long distance."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from dlcli.core.option_checks import check_at_least
from dlcli.core.rng import generator
from dlcli.core.spec import Real, Spec
from dlcli.tasks.arrays import InMemoryTask, TensorSamples
from dlcli.tasks.targets.regression import Regression


class Adding(InMemoryTask):
    """Predict the sum of the two marked values of a sequence.

    Channel 0 is uniform in [0, 1], channel 1 is 1 at two steps and 0 elsewhere. The constant prediction 1 has a mean
    squared error of 1/6, the variance of a sum of two uniform values.

    Paper: Bai, Kolter & Koltun 2018, arXiv:1803.01271, section 4, after Hochreiter & Schmidhuber 1997,
    section 5.4. Differs: there is a validation split. As in the data of Bai et al. both marks are drawn from
    the whole sequence, without replacement; in 1997 the first is among the first ten steps, the second in the
    first half, the values are in [-1, 1] and lengths vary.

    Args:
        length: time steps of a sequence, at least 2.
        train, valid, test: number of sequences of each split.
        batch: training batch size.
        data_seed: seed of the sequences.
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
        check_at_least(2, length=length)
        check_at_least(1, train=train, valid=valid, test=test)
        splits = {
            name: _draw(count, length, generator(data_seed, number))
            for number, (name, count) in enumerate({"train": train, "valid": valid, "test": test}.items())
        }
        spec = Spec((Real((2, length)),), Real((1,)))
        super().__init__(splits, spec, Regression(), batch=batch, order=order, metrics=metrics)


def _draw(count: int, length: int, random: torch.Generator) -> TensorSamples:
    x = torch.zeros(count, 2, length)
    x[:, 0] = torch.rand(count, length, generator=random)
    first = torch.randint(length, (count, 1), generator=random)
    other = torch.randint(length - 1, (count, 1), generator=random)
    x[:, 1].scatter_(1, torch.cat((first, other + (other >= first)), 1), 1.0)
    return TensorSamples((x,), _sum_of_marked(x))


def _sum_of_marked(x: Float[Tensor, "batch 2 time"]) -> Float[Tensor, "batch 1"]:
    return torch.einsum("bt,bt->b", x[:, 0], x[:, 1])[:, None]
