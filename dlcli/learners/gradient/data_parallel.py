"""Data-parallel training: ranks share the rows of every batch, and add up gradients weighted by their units.

Rank 0 leads: it alone knows of steps, scorings, signals and files, and tells the others what to do, so that they
cannot fall out of step. It scores alone, so that no sample counts twice. No wrapper around the model is needed.
"""

import io
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.task import Batch, Carry, Task, move
from dlcli.learners.gradient.process_group import Sums, Team

_WORDS = ("step", "state", "load", "config", "end")
_CPU = torch.device("cpu")


@runtime_checkable
class Parallel(Protocol):
    """A learner that several processes can be at work on."""

    devices: int

    def join(self, team: Team) -> None:
        """Work with others from now on."""


def check(devices: int, model: nn.Module, task: Task, splits: Sequence[str], device: torch.device) -> None:
    """Whether a model can be trained by so many processes here.

    Raises:
        UsageError: there are fewer devices, fewer rows in a batch, or another number of torchrun's processes.
        Mismatch: the model has batch statistics, which are of a share only.
    """
    if devices < 1:
        raise UsageError(f"learner.devices is at least 1, not {devices}")
    started = int(os.environ.get("WORLD_SIZE", 1)) if "RANK" in os.environ else devices
    if started != devices:
        raise UsageError(f"torchrun started {started} processes, but learner.devices is {devices}")
    if devices == 1:
        return
    here = int(os.environ.get("LOCAL_WORLD_SIZE", devices))
    if device.type == "cuda" and torch.cuda.device_count() < here:
        raise UsageError(f"learner.devices={devices}, but PyTorch finds {torch.cuda.device_count()} GPUs here")
    normed = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    if device.type == "cpu" and normed:
        raise Mismatch(
            f"{type(model).__name__} has batch statistics ({type(normed[0]).__name__}), "
            f"which processes on a CPU cannot share: learner.devices=1"
        )
    rows = min(len(task.batch(split, 0)) for split in splits)
    if rows < devices:
        raise UsageError(f"a batch has {rows} rows, too few for learner.devices={devices}")


def check_memory(objective: object) -> None:
    """Check that an objective has no state, which the processes would update differently.

    Raises:
        Mismatch: it has buffers or parameters.
    """
    if isinstance(objective, nn.Module) and objective.state_dict():
        raise Mismatch(f"{type(objective).__name__} keeps a memory of its own: learner.devices=1")


class Ranks:
    """This process among those of the initialised process group.

    Args:
        rank: its number; 0 leads.
        size: how many there are.
        device: where the model is.
    """

    def __init__(self, rank: int, size: int, device: torch.device) -> None:
        self.rank, self.size, self.device = rank, size, device
        self.words: tuple[int, ...] = (rank,)

    def prepare(self, model: nn.Module) -> None:
        """Batch statistics over all ranks, on GPUs; parameters and their names stay."""
        if self.device.type == "cuda":
            nn.SyncBatchNorm.convert_sync_batchnorm(model)

    def lead(self, word: str, thing: Any = None) -> None:
        if self.rank != 0:
            return
        content = b"" if thing is None else _to_bytes(thing)
        dist.broadcast(torch.tensor([_WORDS.index(word), len(content)]), 0)
        if content:
            dist.broadcast(torch.frombuffer(bytearray(content), dtype=torch.uint8), 0)

    def hear(self) -> tuple[str, Any]:
        """What the leader says next."""
        head = torch.zeros(2, dtype=torch.int64)
        dist.broadcast(head, 0)
        word, length = head.tolist()
        if not length:
            return _WORDS[word], None
        content = torch.zeros(length, dtype=torch.uint8)
        dist.broadcast(content, 0)
        return _WORDS[word], torch.load(io.BytesIO(content.numpy().tobytes()), map_location="cpu", weights_only=True)

    def share(self, batch: Batch) -> Batch:
        rows = self._rows(len(batch))
        return replace(
            batch,
            inputs=tuple(part[rows] for part in batch.inputs),
            target=batch.target[rows],
            first=batch.first[rows],
            index=batch.index[rows],
        )

    def _rows(self, count: int) -> slice:
        """As many as the others have, or one more; the first ranks are never without."""
        return slice(-(-count * self.rank // self.size), -(-count * (self.rank + 1) // self.size))

    def add(self, sums: Sums, parameters: Sequence[nn.Parameter]) -> Sums:
        """Everything in one flat vector, so that ranks talk once an update."""
        names = sorted(sums.terms)
        pairs = list(zip(sums.gradients, parameters, strict=True))
        used = [gradient is not None for gradient, _ in pairs]
        flat = [(torch.zeros_like(value) if gradient is None else gradient).reshape(-1) for gradient, value in pairs]
        numbers = [sums.weight, sums.loss, sums.last, *(sums.terms[name] for name in names)]
        double = any(value.dtype == torch.float64 for value in parameters)
        exact = torch.float64 if double else torch.float32
        tail = torch.stack([number.detach().to(self.device, exact) for number in numbers])
        vector = torch.cat([*flat, tail.new_tensor(used), tail])
        dist.all_reduce(vector)
        parts = vector.split([*(value.numel() for value in parameters), len(used), len(numbers)])
        gradients = [
            part.view_as(value).to(value.dtype) if some else None
            for part, value, some in zip(parts, parameters, parts[-2].tolist(), strict=False)
        ]
        weight, loss, last, *terms = parts[-1]
        return Sums(gradients, weight, loss, dict(zip(names, terms, strict=True)), last)

    def agree(self, find: Callable[[], float]) -> float:
        value = torch.tensor(find() if self.rank == 0 else 0.0, dtype=torch.float64)
        dist.broadcast(value, 0)
        return float(value)

    def join(self, carry: Carry) -> Carry:
        parts: list[Any] = [None] * self.size
        dist.all_gather_object(parts, move(carry, _CPU))
        return move(_joined([part for part in parts if part is not None]), self.device)

    def part(self, carry: Carry) -> Carry:
        if carry is None or isinstance(carry, Tensor):
            return carry if carry is None else carry[self._rows(len(carry))]
        return type(carry)(self.part(one) for one in carry)


def _joined(parts: Sequence[Carry]) -> Carry:
    if not parts or parts[0] is None:
        return None
    if isinstance(parts[0], Tensor):
        return torch.cat(list(parts))
    return type(parts[0])(_joined(some) for some in zip(*parts, strict=True))


def _to_bytes(thing: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(thing, buffer)
    return buffer.getvalue()


def follow(learner: Any, team: Ranks) -> None:
    """Do as the leader says, until it says that is the end."""
    while True:
        word, thing = team.hear()
        if word == "end":
            return
        if word == "load":
            learner.load_state_dict(thing)
        elif word == "state":
            learner.state_dict()
        else:
            learner.step()
