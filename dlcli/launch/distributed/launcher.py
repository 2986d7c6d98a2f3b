"""Several processes for one run, `learner.devices=N`: this one leads, starts the others, and ends them."""

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
from dlcli.engine.device import choose_device, computing
from dlcli.learners.gradient import data_parallel
from dlcli.runs.run import Run

_DAY = timedelta(days=1)  # the others wait as long as the leader scores
_FIRST, _LAST = 120.0, 30.0  # seconds that a process may take to begin and to end

_RUNS_OF_TORCHRUN: list[int] = []


@contextmanager
def together(learner: Learner, run: Run) -> Iterator[None]:
    """With as many processes as the learner wants; those of torchrun where it started us."""
    if not isinstance(learner, data_parallel.Parallel) or learner.devices == 1:
        yield
        return
    _check_torchrun()
    config = (run.path / "config.yaml").read_text()
    with tempfile.TemporaryDirectory(prefix="dlcli-") as place:
        others = [] if "RANK" in os.environ else _start(learner.devices, Path(place))
        try:
            _wait(others, Path(place))
            _connect(0, learner.devices, Path(place))
            team = data_parallel.Ranks(0, learner.devices, _device(config, 0))
            team.lead("config", config)
            learner.join(team)
            yield
            team.lead("end")
            _see_off(others)
        except RuntimeError as error:
            blamed = _blamed(others, Path(place))
            if blamed is None:
                raise
            raise blamed from error
        finally:
            for other in others:
                other.kill()
                other.wait()
            if dist.is_initialized():
                dist.destroy_process_group()


def _check_torchrun() -> None:
    """Raises UsageError where torchrun's processes have had their run."""
    if os.environ.get("RANK") and _RUNS_OF_TORCHRUN:
        raise UsageError("torchrun's processes train one run: several need learner.devices=N without torchrun")
    _RUNS_OF_TORCHRUN.append(1)


def _device(config: str, rank: int) -> torch.device:
    """The device of a rank: on the CPU all have the same."""
    name = str(run_config.load(config)["device"])
    if ":" in name:
        raise UsageError(f"device={name} is one device; several are device={name.partition(':')[0]}")
    device = choose_device(name)
    if device.type == "cpu":
        return device
    torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", rank)))
    return torch.device("cuda", torch.cuda.current_device())


def _start(size: int, place: Path) -> list[subprocess.Popen[bytes]]:
    """The processes of ranks 1 and up, apart from our terminal: they end when we do."""
    paths = [str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    if any(name == "lo" for _, name in socket.if_nameindex()):
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        environment.setdefault("GLOO_SOCKET_IFNAME", "lo")
    found = []
    for rank in range(1, size):
        words = [sys.executable, "-m", "dlcli.launch.distributed.worker", str(rank), str(size), str(place)]
        with (place / f"{rank}.err").open("wb") as said:
            pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": said}
            found.append(subprocess.Popen(words, env=environment, start_new_session=True, **pipes))
    return found


def _wait(others: Sequence[subprocess.Popen[bytes]], place: Path) -> None:
    """Until they are there.

    Raises:
        RuntimeError: one died, or they take too long.
    """
    until = time.monotonic() + _FIRST
    while not all((place / f"{rank}.here").exists() for rank, _ in enumerate(others, 1)):
        if any(other.poll() is not None for other in others) or time.monotonic() > until:
            raise RuntimeError("not all processes began")
        time.sleep(0.02)


def _see_off(others: Sequence[subprocess.Popen[bytes]]) -> None:
    for other in others:
        try:
            other.wait(_LAST)
        except subprocess.TimeoutExpired:
            continue


def _blamed(others: Sequence[subprocess.Popen[bytes]], place: Path) -> RuntimeError | None:
    """What the process said that died, if one did."""
    time.sleep(0.2 if others else 0)
    for rank, other in enumerate(others, 1):
        if other.poll():
            said = (place / f"{rank}.err").read_text(errors="replace").strip().splitlines()
            return RuntimeError(f"process {rank} ended with exit code {other.returncode}: {said[-1] if said else ''}")
    return None


def _connect(rank: int, size: int, place: Path) -> None:
    """Join the process group: through a file, or as torchrun says."""
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    if "RANK" in os.environ:
        dist.init_process_group(backend, timeout=_DAY)
    else:
        store = dist.FileStore(str(place / "store"), size)
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=_DAY)


def follow(rank: int, size: int, place: Path) -> None:
    """Be one of the others, to the end of the run."""
    _connect(rank, size, place)
    team = data_parallel.Ranks(rank, size, torch.device("cpu"))
    _, text = team.hear()
    config = run_config.load(text)
    team.device = _device(text, rank)
    with computing(int(config["threads"])):
        learner = build.build(config, team.device).learner
        assert isinstance(learner, data_parallel.Parallel)
        learner.join(team)
        data_parallel.follow(learner, team)
