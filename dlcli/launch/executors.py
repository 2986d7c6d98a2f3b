"""Engines by name."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dlcli.core.errors import Missing, UsageError, nearest
from dlcli.core.executor import Executor, Listener, Perform
from dlcli.launch.in_process import InProcess
from dlcli.launch.local import Local
from dlcli.launch.remote import Remote

ENGINES = ("local", "ray", "slurm")


def check(name: str, jobs: int | None) -> None:
    """Whether there is such an engine, with so many jobs.

    Raises:
        UsageError: there is not.
        Missing: its package is not installed.
    """
    if name not in ENGINES:
        raise UsageError(f"--on {name!r}{nearest(name, ENGINES)}")
    if jobs is not None and jobs < 1:
        raise UsageError(f"--jobs is at least 1, not {jobs}")
    package = {"ray": "ray", "slurm": "submitit"}.get(name)
    if package is None:
        return
    try:
        __import__(package)
    except ImportError as error:
        raise Missing(f"--on {name} needs {package} ({error})\nGet it: pip install 'dlcli[{name}]'") from None
    if name == "slurm" and shutil.which("srun") is None:
        raise Missing("--on slurm: Slurm's commands (srun, sbatch) are not on this machine")


@contextmanager
def engine(name: str, perform: Perform, jobs: int | None, listen: Listener, folder: Path) -> Iterator[Executor]:
    """An engine by name, for as long as it is needed.

    Args:
        jobs: how many at a time; None is one here, and as many as there is room for elsewhere.
        folder: for what the engine and its workers write.
    """
    made = _make(name, perform, jobs, listen, folder)
    try:
        yield made
    finally:
        if not isinstance(made, InProcess):
            made.close()


def _make(name: str, perform: Perform, jobs: int | None, listen: Listener, folder: Path) -> InProcess | Local | Remote:
    if name == "ray":
        from dlcli.launch.ray import OnRay

        return OnRay(perform, jobs, listen, folder)
    if name == "slurm":
        from dlcli.launch.slurm import OnSlurm

        return OnSlurm(perform, jobs, listen, folder)
    if (jobs or 1) == 1:
        return InProcess(perform, listen)
    return Local(perform, jobs or 1, listen, devices(), folder / "workers.txt")


def devices() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    import torch  # not before the server of the processes was started: both take their time to load it

    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if not torch.cuda.is_available():
        return []
    named = [name.strip() for name in visible.split(",")] if visible else []
    return named or [str(number) for number in range(torch.cuda.device_count())]
