"""Executors by the name of their launcher."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dlcli.core.errors import Missing, UsageError, install_command
from dlcli.core.executor import EventCallback, Executor, JobRunner
from dlcli.launch.in_process import InProcessExecutor
from dlcli.launch.local import LocalExecutor
from dlcli.launch.remote import ClusterExecutor

LAUNCHERS = ("local", "ray", "slurm")


def check(name: str, jobs: int | None) -> None:
    """Check that a launcher exists and is installed, and that the number of jobs is valid.

    Args:
        name: launcher: local, ray or slurm.
        jobs: maximum number of jobs in parallel; None for the launcher's default.

    Raises:
        UsageError: the launcher is unknown, or `jobs` is below 1.
        Missing: the launcher's package or Slurm's commands are not installed.
    """
    if name not in LAUNCHERS:
        raise UsageError("unknown_name", kind="--launcher", name=name, known=LAUNCHERS)
    if jobs is not None and jobs < 1:
        raise UsageError("invalid_value", key="--jobs", must="at least 1", got=jobs)
    package = {"ray": "ray", "slurm": "submitit"}.get(name)
    if package is None:
        return
    feature = f"--launcher {name}"
    try:
        __import__(package)
    except ImportError as error:
        hint = f"{install_command(name)} ({error})"
        raise Missing("missing_package", feature=feature, package=package, hint=hint) from None
    if name == "slurm" and shutil.which("srun") is None:
        raise Missing("missing_package", feature=feature, package="slurm-client (the commands srun and sbatch)")


@contextmanager
def open_executor(
    name: str, perform: JobRunner, jobs: int | None, listen: EventCallback, folder: Path
) -> Iterator[Executor]:
    """Open the executor of a launcher and close it at the end of the block.

    Args:
        name: launcher: local, ray or slurm.
        perform: executes one job.
        jobs: maximum number of jobs in parallel; None is 1 for local, and the capacity of the cluster otherwise.
        listen: called with (job number, event) for every event.
        folder: for the files of the executor and its workers.
    """
    executor = _create(name, perform, jobs, listen, folder)
    try:
        yield executor
    finally:
        if not isinstance(executor, InProcessExecutor):
            executor.close()


def _create(
    name: str, perform: JobRunner, jobs: int | None, listen: EventCallback, folder: Path
) -> InProcessExecutor | LocalExecutor | ClusterExecutor:
    if name == "ray":
        from dlcli.launch.ray import RayExecutor

        return RayExecutor(perform, jobs, listen, folder)
    if name == "slurm":
        from dlcli.launch.slurm import SlurmExecutor

        return SlurmExecutor(perform, jobs, listen, folder)
    if (jobs or 1) == 1:
        return InProcessExecutor(perform, listen)
    return LocalExecutor(perform, jobs or 1, listen, devices(), folder / "workers.txt")


def devices() -> list[str]:
    """List the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    import torch  # after the process server has started: both import it, at the same time

    if not torch.cuda.is_available():
        return []
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    names = [name.strip() for name in visible.split(",")] if visible else []
    return names or [str(index) for index in range(torch.cuda.device_count())]
