"""Model and task of a finished run, for evaluation, export and explanation."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from dlcli.config import build, run_config
from dlcli.config.identity import check_code
from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.evaluation import Estimate, estimates
from dlcli.core.spec import mismatches
from dlcli.core.task import Task
from dlcli.engine.checkpoint import read_checkpoint
from dlcli.engine.device import choose_device, numeric_settings
from dlcli.engine.options import captured_messages
from dlcli.runs.run import Run


def thread_count(threads: int | str) -> int:
    """Return the configured number of threads; `auto` is PyTorch's default.

    Raises:
        UsageError: `threads` is neither auto nor an integer of at least 1.
    """
    if threads == "auto":
        return torch.get_num_threads()
    if not isinstance(threads, int) or threads < 1:
        raise UsageError("invalid_value", key="threads", must="an integer of at least 1, or auto", got=threads)
    return threads


def evaluate_split(run: Run, split: str) -> dict[str, Estimate]:
    """Evaluate the best checkpoint of a run on a split of its data, on the run's device, without writing a run."""
    config = run_config.read(run.path / "config.yaml")
    device = choose_device(config["device"])
    with numeric_settings(thread_count(config["threads"])), captured_messages(quiet=True):
        return estimates(*restored(run, config, device), split)


def restore(run: Run) -> nn.Module:
    """Load the model of a run from its best checkpoint, on the CPU, in evaluation mode."""
    config = run_config.read(run.path / "config.yaml")
    return restored(run, config, torch.device("cpu"))[0].eval()


def restored(source: Run, config: Mapping[str, Any], device: torch.device) -> tuple[nn.Module, Task]:
    """Build model and task of a run with the weights and the statistics of its best checkpoint.

    Raises:
        Mismatch: the data or the checkpoint does not fit the model.
        UsageError: the source of a plug-in has changed since the run was created.
    """
    check_code(config, source.info.get("code"), source.path)
    path = source.checkpoint_path("best")
    state = read_checkpoint(path)
    try:
        task = build.build_task(config, device, state["fitted"])
        _compare_specs(source, task)
        model = build.build_model(config, task, device)
        model.load_state_dict(state["model"])
    except (RuntimeError, KeyError, TypeError) as error:
        subject, requirement = str(path), "the trained model, and data of the same shape"
        name = config["model"].get("_target_") if isinstance(config.get("model"), Mapping) else None
        raise Mismatch("mismatch", subject=subject, requirement=requirement, got=name, hint=_last_line(error)) from None
    return model, task


def _compare_specs(source: Run, task: Task) -> None:
    """Compare the task specifications field by field; sequence lengths may differ.

    Raises:
        Mismatch: a field differs.
    """
    for name, (expected, got) in mismatches(source.info.get("spec") or task.spec.fields(), task.spec.fields()).items():
        raise Mismatch("mismatch", subject=f"run {source.id}", requirement=f"{name}: {expected}", got=got)


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
