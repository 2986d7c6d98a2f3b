"""Search spaces of architectures: decisions with their choices, and the graph of each architecture."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch
from torch import Generator, Tensor, nn

from dlcli.core.errors import UsageError

Architecture = tuple[int, ...]
"""Index of the selected choice, decision by decision."""


@dataclass(frozen=True)
class Decision:
    """Categorical decision: "node 3 reads", with choices ("node 1", "node 2")."""

    name: str
    choices: tuple[str, ...]


@dataclass(frozen=True)
class Node:
    """Node of a drawn graph: its name and its label."""

    name: str
    label: str


@dataclass(frozen=True)
class Graph:
    """Graph of an architecture: nodes in the order of computation, and labeled edges between their names."""

    nodes: tuple[Node, ...]
    edges: tuple[tuple[str, str, str], ...]


@runtime_checkable
class Space(Protocol):
    """Search space, shared by the supernet, the standalone network and the graph layout."""

    @property
    def decisions(self) -> Sequence[Decision]:
        """Decisions in the order of an architecture's entries; numbers of choices do not depend on other decisions."""

    def graph(self, architecture: Architecture) -> Graph:
        """Return the computation graph of an architecture, without nodes that its output does not depend on."""


@runtime_checkable
class Searchable(Protocol):
    """Model of an architecture in `space`, or with the shared weights of all its architectures."""

    space: Space


@runtime_checkable
class OneShotModel(Searchable, Protocol):
    """One-shot model: trained once for all architectures of a space, of which one is selected at the end."""

    def standalone_overrides(self, architecture: Architecture) -> tuple[str, ...]:
        """Return the overrides that build the standalone network of an architecture."""


@runtime_checkable
class SharesWeights(Searchable, Protocol):
    """Supernet with weight sharing: `shared` holds the weights, `controller` samples architectures."""

    if TYPE_CHECKING:  # isinstance does not see parts of a module (Python 3.12)
        controller: Any

    def child(self, architecture: Architecture) -> nn.Module:
        """Return the child network of an architecture on the shared weights, without copying them."""

    def standalone_overrides(self, architecture: Architecture) -> tuple[str, ...]:
        """Return the overrides that build the standalone network: "model=macro_cnn", its architecture and sizes."""


def size(space: Space) -> int:
    """Return the number of architectures."""
    return math.prod(len(decision.choices) for decision in space.decisions)


def check_architecture(space: Space, architecture: Sequence[int]) -> Architecture:
    """Return the architecture as a tuple if it is a member of the space.

    Raises:
        UsageError: wrong number of entries, or an index out of range; names the first such decision.
    """
    decisions = space.decisions
    if len(architecture) != len(decisions):
        must = f"a list of {len(decisions)} integers"
        raise UsageError("invalid_value", key="model.architecture", must=must, got=list(architecture))
    for choice, decision in zip(architecture, decisions, strict=True):
        if not 0 <= choice < len(decision.choices):
            must = f"from 0 to {len(decision.choices) - 1} ({decision.name})"
            raise UsageError("invalid_value", key="model.architecture", must=must, got=choice)
    return tuple(architecture)


def sample(space: Space, count: int, generator: Generator) -> list[Architecture]:
    """Sample architectures uniformly, with replacement."""
    columns = [torch.randint(len(decision.choices), (count,), generator=generator) for decision in space.decisions]
    return [tuple(row) for row in torch.stack(columns, 1).tolist()]


def mutate(space: Space, architecture: Architecture, generator: Generator) -> Architecture:
    """Mutate one random decision that has at least two choices (Real et al. 2019, arXiv:1802.01548)."""
    free = [index for index, decision in enumerate(space.decisions) if len(decision.choices) > 1]
    index = free[int(torch.randint(len(free), (), generator=generator))]
    offset = int(torch.randint(len(space.decisions[index].choices) - 1, (), generator=generator))
    choice = offset + (offset >= architecture[index])
    return (*architecture[:index], choice, *architecture[index + 1 :])


def all_architectures(space: Space) -> Iterator[Architecture]:
    """Iterate over all architectures, the last decision changing fastest."""
    return itertools.product(*(range(len(decision.choices)) for decision in space.decisions))


def architecture_override(architecture: Sequence[int]) -> str:
    """Return the override that selects an architecture of the model."""
    return f"model.architecture=[{','.join(map(str, architecture))}]"


def as_tensor(architectures: Sequence[Architecture]) -> Tensor:
    """Stack architectures as int64 [architecture, decision]."""
    return torch.tensor(architectures, dtype=torch.int64)
