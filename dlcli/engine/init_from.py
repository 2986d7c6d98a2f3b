"""`--init-from RUN`: initialize a model with the matching weights of another run."""

import hashlib
import logging
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from dlcli.core.errors import Mismatch
from dlcli.engine.checkpoint import read_checkpoint
from dlcli.runs.run import Run

_MIN_MATCH = 0.5  # fraction of the values that must match; with fewer the run trained another network
_MAX_NAMES = 4  # modules that a message names

log = logging.getLogger(__name__)


def initialize_from(model: nn.Module, source: Run) -> dict[str, Any]:
    """Load the matching weights of a run's best checkpoint into a model.

    A module is loaded completely or not at all: if the classes differ, the backbone is loaded and the output layer
    keeps its initial values. Modules that keep their initial values, and unused ones of the run, are logged.

    Returns:
        The run's id, the SHA-256 of its checkpoint, and the modules that keep their initial values ("anew").

    Raises:
        Mismatch: less than half of the model's values match.
    """
    path = source.checkpoint_path("best")
    saved, own = read_checkpoint(path).get("model"), model.state_dict()
    if not isinstance(saved, Mapping):
        raise Mismatch("damaged", path=path, problem="contains no weights of a model")
    initial = {_module(name) for name, value in own.items() if not _matches(value, saved.get(name))}
    loaded = {name: saved[name] for name in own if _module(name) not in initial}
    matching, total = (sum(value.numel() for value in values) for values in (loaded.values(), own.values()))
    if matching < _MIN_MATCH * total:
        raise Mismatch(
            "mismatch", subject=f"--init-from {source.id}", requirement="a model at least half of whose values match",
            got=f"{type(model).__name__} ({matching:,} of {total:,} values)",
            hint=f"Missing or of another shape: {_shortened(_differences(own, saved))}",
        )  # fmt: skip
    model.load_state_dict(loaded, strict=False)
    modules = [module for module in dict.fromkeys(map(_module, own)) if module in initial]
    if modules:
        count = f"{total - matching:,} of {total:,}"
        log.info(f"init-from run {source.id}: {count} values keep their initial values: {_shortened(modules)}")
    unused = list(dict.fromkeys(_module(name) for name in saved if name not in own))
    if unused:
        log.info(f"init-from run {source.id}: unused modules: {_shortened(unused)}")
    return {"run": source.id, "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "anew": modules}


def _module(name: str) -> str:
    """The module that owns a tensor; the tensor's own name if the root module owns it."""
    return name.rpartition(".")[0] or name


def _matches(value: Tensor, saved: Any) -> bool:
    return isinstance(saved, Tensor) and saved.shape == value.shape


def _differences(own: Mapping[str, Tensor], saved: Mapping[str, Any]) -> list[str]:
    return [
        f"{name} {tuple(value.shape)}"
        + (f" (run: {tuple(saved[name].shape)})" if isinstance(saved.get(name), Tensor) else "")
        for name, value in own.items()
        if not _matches(value, saved.get(name))
    ]


def _shortened(names: list[str]) -> str:
    return ", ".join(names[:_MAX_NAMES]) + (f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else "")
