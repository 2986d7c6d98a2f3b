"""Populations: stacked parameters of one model, their batched forward pass, and their fitness."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from dlcli.core.learner import Image
from dlcli.core.task import Batch, Carry, Recurrent, Task, map_carry

Stacked = Mapping[str, Tensor]
"""Parameters by name, each [individual, *shape]."""


@dataclass(frozen=True)
class Rating:
    """Fitness of a population.

    Args:
        fitness: float64 [individual], to be maximized; NaN marks a failed individual.
        behaviour: float32 [individual, k], behavior characterization for novelty search.
        cost: int64 [individual], cost of the evaluation in units of the task's `counter`.
    """

    fitness: Tensor
    behaviour: Tensor
    cost: Tensor

    def __len__(self) -> int:
        return len(self.fitness)

    @staticmethod
    def join(parts: Sequence["Rating"]) -> "Rating":
        """Concatenate ratings along the axis of individuals."""
        columns = zip(*((part.fitness, part.behaviour, part.cost) for part in parts), strict=True)
        return Rating(*(torch.cat(column) for column in columns))


@dataclass(frozen=True)
class Genome:
    """Compact encoding of parameters by seeds (Such et al. 2017, arXiv:1712.06567): tens of bytes for any model.

    Args:
        seeds: seeds of noise vectors. Without a center, the first seed gives the initial parameters; each further seed
            is a mutation.
        sigmas: factor of the noise of each mutation; negative for mirrored noise.
        centre: index of the vector to which mutations are added; None for initial parameters.
        scale: index of a vector by which the noise is also multiplied elementwise; None: no scaling.
    """

    seeds: tuple[int, ...]
    sigmas: tuple[float, ...]
    centre: int | None = None
    scale: int | None = None

    def __post_init__(self) -> None:
        mutations = len(self.seeds) - (self.centre is None)
        if len(self.sigmas) != mutations:
            raise ValueError(f"{mutations} mutations require {mutations} sigmas, got {len(self.sigmas)}")

    def child(self, seed: int, sigma: float) -> "Genome":
        """Return this genome with one more mutation."""
        return Genome((*self.seeds, seed), (*self.sigmas, sigma), self.centre, self.scale)


@runtime_checkable
class GenomeEvaluator(Protocol):
    """Evaluator of genomes, in this process or in workers; results do not depend on the processes or the chunks."""

    def rate(self, genomes: Sequence[Genome], centres: Mapping[int, Tensor], batches: Sequence[int]) -> Rating:
        """Rate genomes, in their order.

        Args:
            genomes: the individuals.
            centres: vectors that genomes refer to, by index.
            batches: indices of training batches.
        """


@runtime_checkable
class PopulationBased(Protocol):
    """Learner that rates populations by a replaceable evaluator."""

    rater: GenomeEvaluator


@runtime_checkable
class FitnessTask(Protocol):
    """Fitness task: rates a population. `counter` is the unit of the cost: "env_steps", "samples"."""

    counter: str

    def rate(self, model: nn.Module, parameters: Stacked, batches: Sequence[Batch]) -> Rating:
        """Rate every individual on all batches.

        The rating of an individual is a function of its parameters and the batches, not of the other individuals.

        Args:
            model: module whose parameters are replaced by those of each individual.
            parameters: by name, each [individual, *shape].
            batches: batches of the task.
        """


@runtime_checkable
class PlotsBehavior(Protocol):
    """Task that plots the behavior of individuals."""

    def picture(self, behaviour: Tensor, generation: Tensor) -> Image:
        """Plot behaviors [n, k], each with its generation [n]."""


@runtime_checkable
class Renderable(Task, Protocol):
    """Task that renders an episode."""

    def frames(self, model: nn.Module, seed: int) -> tuple[Tensor, float]:
        """Return the frames of an episode, uint8 [frame, height, width, 3], and the number of frames per second."""


@runtime_checkable
class BatchedForward(Protocol):
    """Model with its own batched forward pass for a population, faster than `vmap`."""

    def batched_forward(self, parameters: Stacked, x: Tensor) -> Tensor:
        """Forward pass of a population: [individual, row, *input] to [individual, row, unit]."""


_MAX_COPIED = 1 << 24
"""Maximum number of parameters of all rows of a single policy that is evaluated as a population."""


class PolicyPopulation:
    """Population of policies with their recurrent states: one batched function of observations.

    A population of one is computed as two, because PyTorch's kernels for a batch of one differ in the last bits. A
    single model that is a `BatchedForward` evaluates each of its rows as an individual of a population if the copies of
    its parameters are small: a deterministic episode is then bit-identical in training and in evaluation.

    Args:
        model: provides the forward pass; its own parameters are used if `parameters` is None.
        parameters: by name, each [individual, *shape]; None: the model itself, as a population of one.
        rows: number of observations per individual and step.
    """

    def __init__(self, model: nn.Module, parameters: Stacked | None, rows: int) -> None:
        self._model = model
        self._parameters = None if parameters is None else _at_least_two(parameters)
        self._carry = self._initial_carry(rows)
        self._forward = model.batched_forward if isinstance(model, BatchedForward) and self._carry is None else None
        self._own = _repeated(model, rows) if parameters is None and self._forward is not None else None
        self._batched = vmap(self._individual, in_dims=(0, 0, None if self._carry is None else 0), randomness="error")

    def _initial_carry(self, rows: int) -> Carry:
        if not isinstance(self._model, Recurrent):
            return None
        count = len(next(iter(self._parameters.values()))) if self._parameters is not None else 1
        return map_carry(self._model.start(rows), lambda part: part.expand(count, *part.shape))

    def _individual(self, parameters: Stacked, x: Tensor, carry: Carry) -> Any:
        keywords = {} if carry is None else {"carry": carry}
        return functional_call(self._model, dict(parameters), (x,), keywords)

    def __call__(self, x: Tensor) -> Tensor:
        """Forward pass of a population: [individual, row, *input] to [individual, row, unit]."""
        if self._parameters is None:
            return self._single(x)
        return self._population(x.expand(2, *x.shape[1:]))[:1] if len(x) == 1 else self._population(x)

    def _population(self, x: Tensor) -> Tensor:
        assert self._parameters is not None
        if self._forward is not None:
            return self._forward(self._parameters, x)
        if self._carry is None:
            return self._batched(self._parameters, x, None)
        output, self._carry = self._batched(self._parameters, x, self._carry)
        return output

    def _single(self, x: Tensor) -> Tensor:
        if self._own is not None and self._forward is not None:
            rows = x.transpose(0, 1)
            rows = rows.expand(2, *rows.shape[1:]) if len(rows) == 1 else rows
            return self._forward(self._own, rows)[: x.shape[1]].transpose(0, 1)
        if self._carry is None:
            return self._model(x[0])[None]
        output, carry = self._model(x[0], carry=map_carry(self._carry, lambda part: part[0]))
        self._carry = map_carry(carry, lambda part: part[None])
        return output[None]

    def keep(self, individuals: Tensor) -> None:
        """Drop all individuals except those given, int64 [n]."""
        if self._parameters is not None:
            individuals = individuals.expand(2) if len(individuals) == 1 else individuals
            self._parameters = {name: value[individuals] for name, value in self._parameters.items()}
        self._carry = map_carry(self._carry, lambda part: part[individuals])


def _repeated(model: nn.Module, rows: int) -> Stacked | None:
    """A copy of the model's parameters for every row, at least two; None if the copies are too large."""
    parameters = dict(model.named_parameters())
    count = max(2, rows)
    if count * sum(value.numel() for value in parameters.values()) > _MAX_COPIED:
        return None
    return {name: value.detach().expand(count, *value.shape).contiguous() for name, value in parameters.items()}


def _at_least_two(parameters: Stacked) -> Stacked:
    return {name: part.expand(2, *part.shape[1:]) if len(part) == 1 else part for name, part in parameters.items()}


class ParameterLayout:
    """Flat parameter vector: positions of the trainable parameters of a model.

    Args:
        model: provides names and shapes; shared parameters are included once.
    """

    def __init__(self, model: nn.Module) -> None:
        self.shapes = {name: value.shape for name, value in model.named_parameters() if value.requires_grad}
        self._sizes = [shape.numel() for shape in self.shapes.values()]
        self.size = sum(self._sizes)

    def stack(self, vectors: Tensor) -> dict[str, Tensor]:
        """Return views of vectors [individual, size] as parameters by name, each [individual, *shape]."""
        parts = vectors.split(self._sizes, dim=1)
        return {
            name: part.view(len(vectors), *shape)
            for (name, shape), part in zip(self.shapes.items(), parts, strict=True)
        }

    def vector(self, model: nn.Module) -> Tensor:
        """Return a copy of the model's parameters, float32 [size], on the CPU."""
        parameters = dict(model.named_parameters())
        return torch.cat([parameters[name].detach().cpu().float().flatten() for name in self.shapes])

    def load(self, model: nn.Module, vector: Tensor) -> None:
        """Copy a vector [size] into the model's parameters."""
        parameters = dict(model.named_parameters())
        with torch.no_grad():
            for name, value in self.stack(vector[None]).items():
                parameters[name].copy_(value[0])
