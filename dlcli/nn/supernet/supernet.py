"""Networks put together from named parts, which are their own or lent by a network that shares them."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dlcli.core.space import Architecture, Space, check, word

ModuleName = tuple[str | int, ...]
"""What a part is for: ("operation", layer, choice)."""

ModuleFactory = Callable[[ModuleName], nn.Module]
"""Makes a part, or lends it."""


def module_key(name: ModuleName) -> str:
    """As it is written in a state: `operation_2_0`."""
    return "_".join(map(str, name))


class ChildNetwork(nn.Module):
    """A network whose parts come from a `ModuleFactory`, held under their names.

    Args:
        part: makes or lends them.
        names: what the network needs.
    """

    def __init__(self, part: ModuleFactory, names: Iterable[ModuleName]) -> None:
        super().__init__()
        self.parts = nn.ModuleDict({module_key(name): part(name) for name in names})


class Supernet(nn.Module):
    """All parts of a space in one network, `shared`, from which each member is put together without a copy.

    What a member does not use has no gradient. Nothing depends on which member was asked for last.

    Args:
        space: what is shared.
        controller: makes the part that draws architectures, and knows the best, from the space.
        part: makes a part.
        names: all parts that there are.
        member: puts a member together from its architecture and what lends parts.
        alone: overrides that choose the network that stands alone; see `model_overrides`.
    """

    space: Space
    controller: Any

    def __init__(
        self,
        space: Space,
        controller: Callable[[Space], nn.Module],
        *,
        part: ModuleFactory,
        names: Iterable[ModuleName],
        member: Callable[[Architecture, ModuleFactory], nn.Module],
        alone: Sequence[str],
    ) -> None:
        super().__init__()
        self.space = space
        self.shared = nn.ModuleDict({module_key(name): part(name) for name in names})
        self.controller = controller(space)
        self._member, self._alone = member, tuple(alone)

    def child(self, architecture: Sequence[int]) -> nn.Module:
        """The member, its weights those of this network."""
        return self._member(check(self.space, architecture), lambda name: self.shared[module_key(name)])

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.child(self.controller.best())(*inputs)

    def standalone_overrides(self, architecture: Sequence[int]) -> tuple[str, ...]:
        """Overrides of the network that stands alone."""
        return (*self._alone, word(check(self.space, architecture)))

    def copy_weights(self, architecture: Sequence[int], network: nn.Module) -> None:
        """Copy the member's weights to a network that stands alone."""
        lent = dict(self.child(architecture).named_parameters())
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                parameter.copy_(lent[name])


def model_overrides(model: str, **sizes: int | float) -> tuple[str, ...]:
    """Words that choose a model of these sizes."""
    return (f"model={model}", *(f"model.{name}={value}" for name, value in sizes.items()))
