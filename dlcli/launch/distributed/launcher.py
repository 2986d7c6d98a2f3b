"""Data-parallel runs, `learner.devices=N`: rank 0 starts and ends the processes of the other ranks."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from dlcli.config import build, run_config
from dlcli.core.errors import UsageError
from dlcli.core.learner import Learner
from dlcli.engine.device import choose_device, numeric_settings
from dlcli.learners.gradient import data_parallel
from dlcli.runs.run import Run

_TIMEOUT = timedelta(days=1)  # the other ranks wait while rank 0 evaluates
_START, _END = 120.0, 30.0  # maximum seconds for a process to start and to end

_RUNS_OF_TORCHRUN: list[int] = []


@contextmanager
def process_group(learner: Learner, run: Run) -> Iterator[None]:
    """Run the block as rank 0 of `learner.devices` processes, which torchrun may have started."""
    if not isinstance(learner, data_parallel.DataParallelLearner) or learner.devices == 1:
        yield
        return
    _check_torchrun()
    config = (run.path / "config.yaml").read_text()
    with tempfile.TemporaryDirectory(prefix="dlcli-") as folder:
        processes = [] if "RANK" in os.environ else _start(learner.devices, Path(folder))
        try:
            _wait(processes, Path(folder))
            _connect(0, learner.devices, Path(folder))
            group = data_parallel.DistributedGroup(0, learner.devices, _device(config, 0))
            group.lead("config", config)
            learner.join(group)
            yield
            group.lead("end")
            _join(processes)
        except RuntimeError as error:
            failure = _failed(processes, Path(folder))
            if failure is None:
                raise
            raise failure from error
        finally:
            for process in processes:
                process.kill()
                process.wait()
            if dist.is_initialized():
                dist.destroy_process_group()


def _check_torchrun() -> None:
    """Raise UsageError if the processes of torchrun have already executed a run."""
    if os.environ.get("RANK") and _RUNS_OF_TORCHRUN:
        hint = "Several runs: learner.devices=N without torchrun."
        raise UsageError("unsupported", subject="torchrun", feature="several runs", hint=hint)
    _RUNS_OF_TORCHRUN.append(1)


def _device(config: str, rank: int) -> torch.device:
    """Return the device of a rank; on the CPU all ranks share it."""
    name = str(run_config.load(config)["device"])
    if ":" in name:
        must = f"{name.partition(':')[0]} with learner.devices above 1"
        raise UsageError("invalid_value", key="device", must=must, got=name)
    device = choose_device(name)
    if device.type == "cpu":
        return device
    torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", rank)))
    return torch.device("cuda", torch.cuda.current_device())


def _start(size: int, folder: Path) -> list[subprocess.Popen[bytes]]:
    """Start the processes of ranks 1 and above, detached from the terminal; they end with rank 0."""
    paths = [str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    if any(name == "lo" for _, name in socket.if_nameindex()):
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        environment.setdefault("GLOO_SOCKET_IFNAME", "lo")
    processes = []
    for rank in range(1, size):
        command = [sys.executable, "-m", "dlcli.launch.distributed.worker", str(rank), str(size), str(folder)]
        with (folder / f"{rank}.err").open("wb") as errors:
            pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": errors}
            processes.append(subprocess.Popen(command, env=environment, start_new_session=True, **pipes))
    return processes


def _wait(processes: Sequence[subprocess.Popen[bytes]], folder: Path) -> None:
    """Wait until all processes have started.

    Raises:
        RuntimeError: a process died, or starting takes longer than `_START` seconds.
    """
    deadline = time.monotonic() + _START
    while not all((folder / f"{rank}.here").exists() for rank, _ in enumerate(processes, 1)):
        if any(process.poll() is not None for process in processes) or time.monotonic() > deadline:
            raise RuntimeError("not all processes of the group started")
        time.sleep(0.02)


def _join(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        try:
            process.wait(_END)
        except subprocess.TimeoutExpired:
            continue


def _failed(processes: Sequence[subprocess.Popen[bytes]], folder: Path) -> RuntimeError | None:
    """The error of the first process that died, or None."""
    time.sleep(0.2 if processes else 0)
    for rank, process in enumerate(processes, 1):
        if process.poll():
            errors = (folder / f"{rank}.err").read_text(errors="replace").strip().splitlines()
            return RuntimeError(f"process {rank} exited with code {process.returncode}: {errors[-1] if errors else ''}")
    return None


def _connect(rank: int, size: int, folder: Path) -> None:
    """Join the process group through a file, or by the environment of torchrun."""
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    if "RANK" in os.environ:
        dist.init_process_group(backend, timeout=_TIMEOUT)
    else:
        store = dist.FileStore(str(folder / "store"), size)
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=_TIMEOUT)


def run_rank(rank: int, size: int, folder: Path) -> None:
    """Execute the steps of a rank above 0 until the run ends."""
    _connect(rank, size, folder)
    group = data_parallel.DistributedGroup(rank, size, torch.device("cpu"))
    _, text = group.hear()
    config = run_config.load(text)
    group.device = _device(text, rank)
    with numeric_settings(int(config["threads"])):
        learner = build.build(config, group.device).learner
        assert isinstance(learner, data_parallel.DataParallelLearner)
        learner.join(group)
        data_parallel.run_worker(learner, group)
