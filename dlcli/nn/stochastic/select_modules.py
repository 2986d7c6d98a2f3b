"""Where in a network noise can go, whatever the network: places are modules of a kind."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from dlcli.core.errors import Mismatch, UsageError, nearest
from dlcli.nn.stochastic.dropout import ResidualBranch
from dlcli.nn.recurrent.network import RecurrentLayer

_KINDS: dict[str, tuple[type[nn.Module], ...]] = {
    "linear": (nn.Linear,),
    "convolution": (nn.Conv1d, nn.Conv2d, nn.Conv3d),
    "recurrent": (nn.RNNBase, RecurrentLayer),
    "branch": (ResidualBranch,),
}


@runtime_checkable
class HasModules(Protocol):
    """What has places: every network, but not what only stands in for one."""

    def modules(self) -> Iterator[nn.Module]: ...


def check_kinds(kinds: Sequence[str], known: Sequence[str] = tuple(_KINDS)) -> tuple[str, ...]:
    """The kinds, when all of them are known and there is one.

    Raises:
        UsageError: they are not.
    """
    if not kinds:
        raise UsageError(f"modules= names no kind: {', '.join(known)}")
    for kind in kinds:
        if kind not in known:
            raise UsageError(f"no kind of module {kind!r}{nearest(kind, known)}")
    return tuple(kinds)


def select_modules(model: nn.Module, kinds: Sequence[str]) -> list[nn.Module]:
    """The modules of these kinds, each once.

    A recurrent layer is one place: what it is made of is not looked at.

    Raises:
        Mismatch: there is none.
    """
    found = [module for kind, module in _walk(model) if kind in kinds]
    if not found:
        raise Mismatch(f"{type(model).__name__} has no {' or '.join(kinds)} module: objective.modules")
    return list(dict.fromkeys(found))


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
    """The axes of what a module reads, as (batch, channel, *positions).

    Convolutions and branches read them so; linear layers have the channel last, recurrent ones besides the time first.
    A linear layer also has where its second axis alone is as long as the batch.
    """
    if x.dim() < 3 or isinstance(module, (*_KINDS["convolution"], *_KINDS["branch"])):
        return list(range(x.dim()))
    if isinstance(module, _KINDS["recurrent"]):
        time_first = not getattr(module, "batch_first", False)
    else:
        time_first = len(x) != rows == x.shape[1]
    batch = int(time_first)
    return [batch, x.dim() - 1, *(axis for axis in range(x.dim() - 1) if axis != batch)]
