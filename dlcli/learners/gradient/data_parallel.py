"""Data-parallel training: ranks share the rows of every batch, and sum gradients weighted by their units.

Only rank 0 handles steps, evaluations, signals and files. It broadcasts commands to the other ranks, so that all ranks
execute the same operations. It evaluates alone, so that no sample is counted twice. The model is not wrapped.
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
from dlcli.core.task import Batch, Carry, Task, move_carry
from dlcli.learners.gradient.process_group import ProcessGroup, Sums

_COMMANDS = ("step", "state", "load", "config", "end")
_CPU = torch.device("cpu")


@runtime_checkable
class DataParallelLearner(Protocol):
    """A learner that supports data-parallel training."""

    devices: int

    def join(self, team: ProcessGroup) -> None:
        """Share the work with other processes from now on."""


def check(devices: int, model: nn.Module, task: Task, splits: Sequence[str], device: torch.device) -> None:
    """Check that a model can be trained by `devices` processes.

    Raises:
        UsageError: there are fewer GPUs or fewer rows in a batch, or torchrun has started another number of processes.
        Mismatch: the model has batch normalization, whose statistics are not synchronized on a CPU.
    """
    key = "learner.devices"
    if devices < 1:
        raise UsageError("invalid_value", key=key, must="at least 1", got=devices)
    started = int(os.environ.get("WORLD_SIZE", 1)) if "RANK" in os.environ else devices
    if started != devices:
        must = f"the number of processes of torchrun ({started})"
        raise UsageError("invalid_value", key=key, must=must, got=devices)
    if devices == 1:
        return
    local = int(os.environ.get("LOCAL_WORLD_SIZE", devices))
    if device.type == "cuda" and torch.cuda.device_count() < local:
        must = f"at most the number of GPUs ({torch.cuda.device_count()})"
        raise UsageError("invalid_value", key=key, must=must, got=devices)
    batch_norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    if device.type == "cpu" and batch_norms:
        raise Mismatch(
            "unsupported",
            subject=f"data-parallel training on CPUs ({key}={devices})",
            feature=f"batch statistics ({type(batch_norms[0]).__name__} in {type(model).__name__})",
            hint=f"{key}=1",
        )
    rows = min(len(task.batch(split, 0)) for split in splits)
    if rows < devices:
        must = f"at most the number of rows in a batch ({rows})"
        raise UsageError("invalid_value", key=key, must=must, got=devices, hint="increase task.batch")


def check_memory(objective: object) -> None:
    """Check that an objective has no state, which the processes would update differently.

    Raises:
        Mismatch: the objective has buffers or parameters.
    """
    if isinstance(objective, nn.Module) and objective.state_dict():
        feature = f"objectives with state ({type(objective).__name__})"
        raise Mismatch("unsupported", subject="data-parallel training", feature=feature, hint="learner.devices=1")


class DistributedGroup:
    """This process in the initialized process group.

    Args:
        rank: number of this process; 0 is the leader.
        size: number of processes.
        device: device of the model.
    """

    def __init__(self, rank: int, size: int, device: torch.device) -> None:
        self.rank, self.size, self.device = rank, size, device
        self.words: tuple[int, ...] = (rank,)

    def prepare(self, model: nn.Module) -> None:
        """Synchronize batch normalization on GPUs; parameters and their names do not change."""
        if self.device.type == "cuda":
            nn.SyncBatchNorm.convert_sync_batchnorm(model)

    def lead(self, word: str, thing: Any = None) -> None:
        if self.rank != 0:
            return
        content = b"" if thing is None else _to_bytes(thing)
        dist.broadcast(torch.tensor([_COMMANDS.index(word), len(content)]), 0)
        if content:
            dist.broadcast(torch.frombuffer(bytearray(content), dtype=torch.uint8), 0)

    def hear(self) -> tuple[str, Any]:
        """Receive the next command of the leader and its argument."""
        header = torch.zeros(2, dtype=torch.int64)
        dist.broadcast(header, 0)
        command, length = header.tolist()
        if not length:
            return _COMMANDS[command], None
        content = torch.zeros(length, dtype=torch.uint8)
        dist.broadcast(content, 0)
        return _COMMANDS[command], torch.load(
            io.BytesIO(content.numpy().tobytes()), map_location="cpu", weights_only=True
        )

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
        """Equal shares up to one row; the first ranks have at least one."""
        return slice(-(-count * self.rank // self.size), -(-count * (self.rank + 1) // self.size))

    def add(self, sums: Sums, parameters: Sequence[nn.Parameter]) -> Sums:
        """Sum over all ranks in one flat vector, so that there is one all-reduce per update."""
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
        dist.all_gather_object(parts, move_carry(carry, _CPU))
        return move_carry(_joined([part for part in parts if part is not None]), self.device)

    def part(self, carry: Carry) -> Carry:
        if carry is None or isinstance(carry, Tensor):
            return carry if carry is None else carry[self._rows(len(carry))]
        return type(carry)(self.part(element) for element in carry)


def _joined(parts: Sequence[Carry]) -> Carry:
    if not parts or parts[0] is None:
        return None
    if isinstance(parts[0], Tensor):
        return torch.cat(list(parts))
    return type(parts[0])(_joined(elements) for elements in zip(*parts, strict=True))


def _to_bytes(value: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def run_worker(learner: Any, team: DistributedGroup) -> None:
    """Execute the commands of the leader until the command "end"."""
    while True:
        command, argument = team.hear()
        if command == "end":
            return
        if command == "load":
            learner.load_state_dict(argument)
        elif command == "state":
            learner.state_dict()
        else:
            learner.step()
