"""Networks put together from named parts, which are their own or lent by a network that shares them."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dlcli.core.space import Architecture, Space, check, word

Name = tuple[str | int, ...]
"""What a part is for: ("operation", layer, choice)."""

Part = Callable[[Name], nn.Module]
"""Makes a part, or lends it."""


def key(name: Name) -> str:
    """As it is written in a state: `operation_2_0`."""
    return "_".join(map(str, name))


class Assembled(nn.Module):
    """A network whose parts come from a `Part`, held under their names.

    Args:
        part: makes or lends them.
        names: what the network needs.
    """

    def __init__(self, part: Part, names: Iterable[Name]) -> None:
        super().__init__()
        self.parts = nn.ModuleDict({key(name): part(name) for name in names})


class Lending(nn.Module):
    """All parts of a space in one network, `shared`, from which each member is put together without a copy.

    What a member does not use has no gradient. Nothing depends on which member was asked for last.

    Args:
        space: what is shared.
        controller: makes the part that draws architectures, and knows the best, from the space.
        part: makes a part.
        names: all parts that there are.
        member: puts a member together from its architecture and what lends parts.
        alone: overrides that choose the network that stands alone; see `overrides`.
    """

    space: Space
    controller: Any

    def __init__(
        self,
        space: Space,
        controller: Callable[[Space], nn.Module],
        *,
        part: Part,
        names: Iterable[Name],
        member: Callable[[Architecture, Part], nn.Module],
        alone: Sequence[str],
    ) -> None:
        super().__init__()
        self.space = space
        self.shared = nn.ModuleDict({key(name): part(name) for name in names})
        self.controller = controller(space)
        self._member, self._alone = member, tuple(alone)

    def at(self, architecture: Sequence[int]) -> nn.Module:
        """The member, its weights those of this network."""
        return self._member(check(self.space, architecture), lambda name: self.shared[key(name)])

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.at(self.controller.best())(*inputs)

    def stand_alone(self, architecture: Sequence[int]) -> tuple[str, ...]:
        """Overrides of the network that stands alone."""
        return (*self._alone, word(check(self.space, architecture)))

    def give(self, architecture: Sequence[int], network: nn.Module) -> None:
        """Copy the member's weights to a network that stands alone."""
        lent = dict(self.at(architecture).named_parameters())
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                parameter.copy_(lent[name])


def overrides(model: str, **sizes: int | float) -> tuple[str, ...]:
    """Words that choose a model of these sizes."""
    return (f"model={model}", *(f"model.{name}={value}" for name, value in sizes.items()))
