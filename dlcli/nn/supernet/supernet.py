"""Networks assembled from named modules, which are their own or shared with a supernet."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dlcli.core.space import Architecture, Space, architecture_override, check_architecture

ModuleName = tuple[str | int, ...]
"""Role of a module: ("operation", layer, choice)."""

ModuleFactory = Callable[[ModuleName], nn.Module]
"""Returns the module of a name: a new one, or the shared one of a supernet."""


def module_key(name: ModuleName) -> str:
    """Name as it appears in a state_dict: `operation_2_0`."""
    return "_".join(map(str, name))


class ChildNetwork(nn.Module):
    """Network of one architecture, whose modules come from a `ModuleFactory`.

    Args:
        part: factory of the modules.
        names: names of the required modules.
    """

    def __init__(self, part: ModuleFactory, names: Iterable[ModuleName]) -> None:
        super().__init__()
        self.parts = nn.ModuleDict({module_key(name): part(name) for name in names})


class Supernet(nn.Module):
    """One-shot network with the modules of all architectures of a space, `shared`; child networks are its parts.

    Child networks use the shared modules without copying them. Modules that a child does not use receive no gradient.
    No state depends on the child that was evaluated last.

    Paper: Pham et al. 2018, arXiv:1802.03268, section 2.2.

    Args:
        space: space of architectures.
        controller: factory of the controller, called with the space.
        part: factory of the modules.
        names: names of all modules.
        member: builds a child network from its architecture and a module factory.
        alone: overrides that select the standalone network; see `model_overrides`.
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
        """Child network of an architecture, on the shared weights."""
        return self._member(check_architecture(self.space, architecture), lambda name: self.shared[module_key(name)])

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.child(self.controller.best())(*inputs)

    def standalone_overrides(self, architecture: Sequence[int]) -> tuple[str, ...]:
        """Overrides that build the standalone network of an architecture."""
        return (*self._alone, architecture_override(check_architecture(self.space, architecture)))

    def copy_weights(self, architecture: Sequence[int], network: nn.Module) -> None:
        """Copy the shared weights that an architecture uses into its standalone network."""
        shared = dict(self.child(architecture).named_parameters())
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                parameter.copy_(shared[name])


def model_overrides(model: str, **sizes: int | float) -> tuple[str, ...]:
    """Overrides that select a model with these hyper-parameters."""
    return (f"model={model}", *(f"model.{name}={value}" for name, value in sizes.items()))
