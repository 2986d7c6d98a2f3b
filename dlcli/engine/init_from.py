"""`--init-from RUN`: the weights of another run, as far as they fit."""

import hashlib
import logging
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from dlcli.core.errors import Mismatch
from dlcli.engine.checkpoint import read_checkpoint
from dlcli.runs.run import Run

_LEAST = 0.5  # of the values must fit: with fewer it is another network
_NAMED = 4  # parts that a message names

log = logging.getLogger(__name__)


def inherit(model: nn.Module, source: Run) -> dict[str, Any]:
    """Give a model the best weights of a run; the run, the hash of its file and the parts that begin anew.

    A part (a module with tensors of its own) is taken whole or not at all: for other classes than the run's, the
    network is the run's and its answer begins anew. What begins anew, and what of the run is left over, is logged.

    Raises:
        Mismatch: less than half of the values fit.
    """
    path = source.checkpoint_path("best")
    saved, own = read_checkpoint(path).get("model"), model.state_dict()
    if not isinstance(saved, Mapping):
        raise Mismatch(f"{path} holds no weights of a model")
    anew = {_part(name) for name, value in own.items() if not _fits(value, saved.get(name))}
    taken = {name: saved[name] for name in own if _part(name) not in anew}
    fitting, whole = (sum(value.numel() for value in values) for values in (taken.values(), own.values()))
    if fitting < _LEAST * whole:
        raise Mismatch(
            f"run {source.id} has other weights: {fitting:,} of {whole:,} values of {type(model).__name__} fit, at "
            f"least half should\nAnother shape or not there: {_listed(_differences(own, saved))}"
        )
    model.load_state_dict(taken, strict=False)
    parts = [part for part in dict.fromkeys(map(_part, own)) if part in anew]
    if parts:
        log.info(f"weights of run {source.id}; {whole - fitting:,} of {whole:,} values begin anew: {_listed(parts)}")
    spare = list(dict.fromkeys(_part(name) for name in saved if name not in own))
    if spare:
        log.info(f"of run {source.id} nobody takes {_listed(spare)}")
    return {"run": source.id, "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "anew": parts}


def _part(name: str) -> str:
    """The module that a tensor belongs to; the tensor itself where it is the network's own."""
    return name.rpartition(".")[0] or name


def _fits(value: Tensor, saved: Any) -> bool:
    return isinstance(saved, Tensor) and saved.shape == value.shape


def _differences(own: Mapping[str, Tensor], saved: Mapping[str, Any]) -> list[str]:
    return [
        f"{name} {tuple(value.shape)}"
        + (f", there {tuple(saved[name].shape)}" if isinstance(saved.get(name), Tensor) else "")
        for name, value in own.items()
        if not _fits(value, saved.get(name))
    ]


def _listed(words: list[str]) -> str:
    return ", ".join(words[:_NAMED]) + (f" and {len(words) - _NAMED} more" if len(words) > _NAMED else "")
