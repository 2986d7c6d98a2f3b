"""Many versions of one model at once: parameters with an axis of individuals, how they answer, how they are rated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from dlcli.core.learner import Image
from dlcli.core.task import Batch, Carry, Recurrent, Task, over

Stacked = Mapping[str, Tensor]
"""Parameters by name, each [individual, *shape]."""


@dataclass(frozen=True)
class Rating:
    """What a population is worth.

    Args:
        fitness: float64 [individual], the more the better; NaN marks one that failed.
        behaviour: float32 [individual, k], what it did, for novelty.
        cost: int64 [individual], what rating it took, in units of the task's `counter`.
    """

    fitness: Tensor
    behaviour: Tensor
    cost: Tensor

    def __len__(self) -> int:
        return len(self.fitness)

    @staticmethod
    def join(parts: Sequence["Rating"]) -> "Rating":
        """The individuals of all parts, in their order."""
        columns = zip(*((part.fitness, part.behaviour, part.cost) for part in parts), strict=True)
        return Rating(*(torch.cat(column) for column in columns))


@dataclass(frozen=True)
class Genome:
    """Parameters as the numbers they are made from: tens of bytes, whatever the size of the model.

    Args:
        seeds: of noise. Without a centre the first makes the initial parameters; each further one is a mutation.
        sigmas: what the noise of each mutation is multiplied with; negative for the mirrored one.
        centre: number of a vector that the mutations start from; None for initial parameters.
        scale: number of a vector that the noise is also multiplied with, value by value; None for none.
    """

    seeds: tuple[int, ...]
    sigmas: tuple[float, ...]
    centre: int | None = None
    scale: int | None = None

    def __post_init__(self) -> None:
        mutations = len(self.seeds) - (self.centre is None)
        if len(self.sigmas) != mutations:
            raise ValueError(f"{mutations} mutations have as many sigmas, not {len(self.sigmas)}")

    def child(self, seed: int, sigma: float) -> "Genome":
        """With one more mutation."""
        return Genome((*self.seeds, seed), (*self.sigmas, sigma), self.centre, self.scale)


@runtime_checkable
class Rater(Protocol):
    """Rates genomes, here or on other processors; the answer depends on neither that nor on how they are grouped."""

    def rate(self, genomes: Sequence[Genome], centres: Mapping[int, Tensor], batches: Sequence[int]) -> Rating:
        """Every genome on these training batches, in their order.

        Args:
            centres: the vectors that genomes start from, by number.
            batches: indices of training batches.
        """


@runtime_checkable
class Populous(Protocol):
    """A learner that rates populations, and lets others do it."""

    rater: Rater


@runtime_checkable
class Rated(Protocol):
    """A task that rates a population. `counter` is what its cost counts: "env_steps", "samples"."""

    counter: str

    def rate(self, model: nn.Module, parameters: Stacked, batches: Sequence[Batch]) -> Rating:
        """Every individual on all batches; a function of parameters and batches alone, whoever else is rated."""


@runtime_checkable
class Pictures(Protocol):
    """A task that can draw what individuals did."""

    def picture(self, behaviour: Tensor, generation: Tensor) -> Image:
        """Behaviours [n, k], each with the generation [n] it is of."""


@runtime_checkable
class Renders(Task, Protocol):
    """A task that can show an episode."""

    def frames(self, model: nn.Module, seed: int) -> tuple[Tensor, float]:
        """uint8 [frame, height, width, 3], and frames a second."""


@runtime_checkable
class BatchedForward(Protocol):
    """Model with its own batched forward pass for a population, faster than `vmap`."""

    def batched_forward(self, parameters: Stacked, x: Tensor) -> Tensor:
        """Forward pass of a population: [individual, row, *input] to [individual, row, unit]."""


_COPIES = 1 << 24
"""Parameters of all rows together, up to which a lone policy answers as a population."""


class Policies:
    """A population as one function of observations, with what its members remember.

    A population of one is computed as two, because PyTorch's kernels for a batch of one differ in the last bits. A lone
    model that is a `BatchedForward` evaluates each of its rows as an individual of a population, while the copies of
    its parameters stay small: a deterministic episode is then bit-identical in training and in evaluation.

    Args:
        model: whose forward pass it is; its own parameters are used where none are given.
        parameters: of the individuals; None is the model itself, as a population of one.
        rows: observations of an individual at a time.
    """

    def __init__(self, model: nn.Module, parameters: Stacked | None, rows: int) -> None:
        self._model = model
        self._parameters = None if parameters is None else _at_least_two(parameters)
        self._carry = self._begin(rows)
        self._answers = model.batched_forward if isinstance(model, BatchedForward) and self._carry is None else None
        self._own = _repeated(model, rows) if parameters is None and self._answers is not None else None
        self._batched = vmap(self._one, in_dims=(0, 0, None if self._carry is None else 0), randomness="error")

    def _begin(self, rows: int) -> Carry:
        if not isinstance(self._model, Recurrent):
            return None
        count = len(next(iter(self._parameters.values()))) if self._parameters is not None else 1
        return over(self._model.start(rows), lambda part: part.expand(count, *part.shape))

    def _one(self, parameters: Stacked, x: Tensor, carry: Carry) -> Any:
        more = {} if carry is None else {"carry": carry}
        return functional_call(self._model, dict(parameters), (x,), more)

    def __call__(self, x: Tensor) -> Tensor:
        """Forward pass of a population: [individual, row, *input] to [individual, row, unit]."""
        if self._parameters is None:
            return self._alone(x)
        return self._together(x.expand(2, *x.shape[1:]))[:1] if len(x) == 1 else self._together(x)

    def _together(self, x: Tensor) -> Tensor:
        assert self._parameters is not None
        if self._answers is not None:
            return self._answers(self._parameters, x)
        if self._carry is None:
            return self._batched(self._parameters, x, None)
        output, self._carry = self._batched(self._parameters, x, self._carry)
        return output

    def _alone(self, x: Tensor) -> Tensor:
        if self._own is not None and self._answers is not None:
            each = x.transpose(0, 1)
            each = each.expand(2, *each.shape[1:]) if len(each) == 1 else each
            return self._answers(self._own, each)[: x.shape[1]].transpose(0, 1)
        if self._carry is None:
            return self._model(x[0])[None]
        output, carry = self._model(x[0], carry=over(self._carry, lambda part: part[0]))
        self._carry = over(carry, lambda part: part[None])
        return output[None]

    def keep(self, individuals: Tensor) -> None:
        """Only these go on."""
        if self._parameters is not None:
            individuals = individuals.expand(2) if len(individuals) == 1 else individuals
            self._parameters = {name: value[individuals] for name, value in self._parameters.items()}
        self._carry = over(self._carry, lambda part: part[individuals])


def _repeated(model: nn.Module, rows: int) -> Stacked | None:
    """The model's parameters once for every row, at least twice; None where that is too much."""
    own = dict(model.named_parameters())
    count = max(2, rows)
    if count * sum(value.numel() for value in own.values()) > _COPIES:
        return None
    return {name: value.detach().expand(count, *value.shape).contiguous() for name, value in own.items()}


def _at_least_two(parameters: Stacked) -> Stacked:
    return {name: v.expand(2, *v.shape[1:]) if len(v) == 1 else v for name, v in parameters.items()}


class Layout:
    """Where each trainable parameter of a model lies in a vector of all of them.

    Args:
        model: whose; shared parameters count once.
    """

    def __init__(self, model: nn.Module) -> None:
        self.shapes = {name: value.shape for name, value in model.named_parameters() if value.requires_grad}
        self._sizes = [shape.numel() for shape in self.shapes.values()]
        self.size = sum(self._sizes)

    def stack(self, vectors: Tensor) -> dict[str, Tensor]:
        """[individual, size] as parameters by name, views of it."""
        parts = vectors.split(self._sizes, dim=1)
        return {
            name: part.view(len(vectors), *shape)
            for (name, shape), part in zip(self.shapes.items(), parts, strict=True)
        }

    def vector(self, model: nn.Module) -> Tensor:
        """A copy of the model's parameters, float32 [size], on the CPU."""
        own = dict(model.named_parameters())
        return torch.cat([own[name].detach().cpu().float().flatten() for name in self.shapes])

    def load(self, model: nn.Module, vector: Tensor) -> None:
        """Put a vector into the model's parameters."""
        own = dict(model.named_parameters())
        with torch.no_grad():
            for name, value in self.stack(vector[None]).items():
                own[name].copy_(value[0])
