"""Protocol of the processes that train one model, and the single-process case; `data_parallel.py` has the other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from dlcli.core.task import Batch, Carry


@dataclass(frozen=True)
class Sums:
    """Weighted sums over batches.

    Args:
        gradients: gradient of weight times loss, by parameter; None for unused parameters.
        weight: number of units.
        loss: sum of weight times loss.
        terms: weight times each logged term, of the last batch.
        last: weight of the last batch.
    """

    gradients: Sequence[Tensor | None]
    weight: Tensor
    loss: Tensor
    terms: Mapping[str, Tensor]
    last: Tensor


@runtime_checkable
class ProcessGroup(Protocol):
    """Processes that train one model; rank 0 is the leader, whose commands the others execute."""

    size: int
    words: tuple[int, ...]

    def prepare(self, model: nn.Module) -> None:
        """Synchronize the batch statistics of the model."""

    def lead(self, word: str, thing: Any = None) -> None:
        """Broadcast a command and its argument from the leader; no effect on other ranks."""

    def share(self, batch: Batch) -> Batch:
        """The rows of a batch for this process."""

    def add(self, sums: Sums, parameters: Sequence[nn.Parameter]) -> Sums:
        """Sum over all processes (all-reduce)."""

    def agree(self, find: Callable[[], float]) -> float:
        """Compute a value on the leader and broadcast it."""

    def join(self, carry: Carry) -> Carry:
        """Gather the rows of a carried state from all processes."""

    def part(self, carry: Carry) -> Carry:
        """The rows of a carried state for this process."""


class NestedGroup:
    """Process group inside another learner, which sends the commands: `lead` and `prepare` have no effect.

    Args:
        team: the processes.
    """

    def __init__(self, team: ProcessGroup) -> None:
        self._team, self.size, self.words = team, team.size, team.words

    def prepare(self, model: nn.Module) -> None:
        return

    def lead(self, word: str, thing: Any = None) -> None:
        return

    def share(self, batch: Batch) -> Batch:
        return self._team.share(batch)

    def add(self, sums: Sums, parameters: Sequence[nn.Parameter]) -> Sums:
        return self._team.add(sums, parameters)

    def agree(self, find: Callable[[], float]) -> float:
        return self._team.agree(find)

    def join(self, carry: Carry) -> Carry:
        return self._team.join(carry)

    def part(self, carry: Carry) -> Carry:
        return self._team.part(carry)


class SingleProcess:
    """Single process."""

    size = 1
    words: tuple[int, ...] = ()

    def prepare(self, model: nn.Module) -> None:
        return

    def lead(self, word: str, thing: Any = None) -> None:
        return

    def share(self, batch: Batch) -> Batch:
        return batch

    def add(self, sums: Sums, parameters: Sequence[nn.Parameter]) -> Sums:
        return sums

    def agree(self, find: Callable[[], float]) -> float:
        return find()

    def join(self, carry: Carry) -> Carry:
        return carry

    def part(self, carry: Carry) -> Carry:
        return carry
