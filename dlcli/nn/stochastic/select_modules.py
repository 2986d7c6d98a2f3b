"""Select the modules of a network to which dropout or DropConnect is applied."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.nn.recurrent.network import RecurrentLayer
from dlcli.nn.stochastic.dropout import ResidualBranch

_KINDS: dict[str, tuple[type[nn.Module], ...]] = {
    "linear": (nn.Linear,),
    "convolution": (nn.Conv1d, nn.Conv2d, nn.Conv3d),
    "recurrent": (nn.RNNBase, RecurrentLayer),
    "branch": (ResidualBranch,),
}


@runtime_checkable
class HasModules(Protocol):
    """Network whose modules can be selected; a stand-in for a fixed output is not one."""

    def modules(self) -> Iterator[nn.Module]: ...


def check_kinds(kinds: Sequence[str], known: Sequence[str] = tuple(_KINDS)) -> tuple[str, ...]:
    """Return the kinds as a tuple if all are known.

    Raises:
        UsageError: the list is empty or contains an unknown kind.
    """
    if not kinds:
        must = f"a non-empty list of {', '.join(known)}"
        raise UsageError("invalid_value", key="objective.modules", must=must, got=[])
    for kind in kinds:
        if kind not in known:
            raise UsageError("unknown_name", kind="kind of module", name=kind, known=known)
    return tuple(kinds)


def select_modules(model: nn.Module, kinds: Sequence[str]) -> list[nn.Module]:
    """Modules of the given kinds, without duplicates.

    A recurrent layer counts as one module; its submodules are not selected.

    Raises:
        Mismatch: the model has no such module.
    """
    selected = [module for kind, module in _walk(model) if kind in kinds]
    if not selected:
        requirement = f"a model with {' or '.join(kinds)} modules"
        raise Mismatch("mismatch", subject="objective.modules", requirement=requirement, got=type(model).__name__)
    return list(dict.fromkeys(selected))


def _walk(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    kind = next((name for name, classes in _KINDS.items() if isinstance(module, classes)), None)
    if kind == "recurrent" and not any(isinstance(part, _KINDS[kind]) for part in islice(module.modules(), 1, None)):
        yield kind, module
        return
    if kind is not None and kind != "recurrent":
        yield kind, module
    for child in module.children():
        yield from _walk(child)


def batch_first_axes(module: nn.Module, x: Tensor, rows: int) -> list[int]:
    """Permutation of the axes of a module's input to (batch, channel, *positions).

    Convolutions and residual branches already have this order; linear layers have the channel last, recurrent layers in
    addition the time first. A linear layer counts as time-first if only its second axis is as long as the batch.
    """
    if x.dim() < 3 or isinstance(module, (*_KINDS["convolution"], *_KINDS["branch"])):
        return list(range(x.dim()))
    if isinstance(module, _KINDS["recurrent"]):
        time_first = not getattr(module, "batch_first", False)
    else:
        time_first = len(x) != rows == x.shape[1]
    batch = int(time_first)
    return [batch, x.dim() - 1, *(axis for axis in range(x.dim() - 1) if axis != batch)]
