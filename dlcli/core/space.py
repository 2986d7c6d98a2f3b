"""A space of architectures as data: decisions with their choices, and what each architecture looks like."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch
from torch import Generator, Tensor, nn

from dlcli.core.errors import UsageError

Architecture = tuple[int, ...]
"""The place of the choice that is taken, decision by decision."""


@dataclass(frozen=True)
class Decision:
    """One thing to choose: "node 3 reads", of ("node 1", "node 2")."""

    name: str
    choices: tuple[str, ...]


@dataclass(frozen=True)
class Node:
    """A box of a drawing: its name, and what is written in it."""

    name: str
    label: str


@dataclass(frozen=True)
class Graph:
    """An architecture as boxes in the order of computation, and arrows between their names, each with its words."""

    nodes: tuple[Node, ...]
    edges: tuple[tuple[str, str, str], ...]


@runtime_checkable
class Space(Protocol):
    """What may be chosen. The shared network, the network that stands alone and the drawing all read it."""

    @property
    def decisions(self) -> Sequence[Decision]:
        """In the order of an architecture's numbers; the number of choices never depends on other decisions."""

    def graph(self, architecture: Architecture) -> Graph:
        """What an architecture computes; what its output does not depend on is left out."""


@runtime_checkable
class Searchable(Protocol):
    """A model that is a member of a space, `space`, or shares the weights of all of them."""

    space: Space


@runtime_checkable
class OneShotModel(Searchable, Protocol):
    """A network trained in place of all members of the space, from which one is taken in the end."""

    def standalone_overrides(self, architecture: Architecture) -> tuple[str, ...]:
        """Overrides of the network that has weights of its own."""


@runtime_checkable
class SharesWeights(Searchable, Protocol):
    """A network of which every member of the space is a part, and a controller that says which members are good.

    Its parts are `shared`, with all the weights, and `controller`.
    """

    if TYPE_CHECKING:  # isinstance does not see parts of a module (Python 3.12)
        controller: Any

    def child(self, architecture: Architecture) -> nn.Module:
        """The member, computed with the shared weights; cheap to make, nothing is copied."""

    def standalone_overrides(self, architecture: Architecture) -> tuple[str, ...]:
        """Overrides of the network that has weights of its own: "model=macro_cnn", its architecture and sizes."""


def size(space: Space) -> int:
    """How many architectures there are."""
    return math.prod(len(decision.choices) for decision in space.decisions)


def check(space: Space, architecture: Sequence[int]) -> Architecture:
    """The architecture, when it is a member.

    Raises:
        UsageError: it is not, with the first decision that is wrong.
    """
    wanted = space.decisions
    if len(architecture) != len(wanted):
        raise UsageError(f"an architecture of this space has {len(wanted)} numbers, not {len(architecture)}")
    for number, decision in zip(architecture, wanted, strict=True):
        if not 0 <= number < len(decision.choices):
            raise UsageError(f"{decision.name}: 0 to {len(decision.choices) - 1} are the choices, not {number}")
    return tuple(architecture)


def draw(space: Space, count: int, generator: Generator) -> list[Architecture]:
    """Members drawn uniformly, with replacement."""
    columns = [torch.randint(len(one.choices), (count,), generator=generator) for one in space.decisions]
    return [tuple(row) for row in torch.stack(columns, 1).tolist()]


def neighbour(space: Space, architecture: Architecture, generator: Generator) -> Architecture:
    """One decision, drawn among those that leave a choice, taken otherwise (Real et al. 2019, arXiv:1802.01548)."""
    free = [place for place, one in enumerate(space.decisions) if len(one.choices) > 1]
    place = free[int(torch.randint(len(free), (), generator=generator))]
    other = int(torch.randint(len(space.decisions[place].choices) - 1, (), generator=generator))
    changed = other + (other >= architecture[place])
    return (*architecture[:place], changed, *architecture[place + 1 :])


def members(space: Space) -> Iterator[Architecture]:
    """All of them, the last decision changing fastest."""
    return itertools.product(*(range(len(one.choices)) for one in space.decisions))


def word(architecture: Sequence[int]) -> str:
    """The override that builds a member of the model's space."""
    return f"model.architecture=[{','.join(map(str, architecture))}]"


def as_tensor(architectures: Sequence[Architecture]) -> Tensor:
    """int64 [architecture, decision]."""
    return torch.tensor(architectures, dtype=torch.int64)
