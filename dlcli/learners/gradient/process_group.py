"""Who trains together. Alone is the rule; `parallel.py` has the others."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from dlcli.core.task import Batch, Carry


@dataclass(frozen=True)
class Sums:
    """What batches add up to.

    Args:
        gradients: of weight times loss, by parameter; None where nothing used it.
        weight: units.
        loss: weight times loss.
        terms: weight times term, of the last batch.
        last: weight of the last batch.
    """

    gradients: Sequence[Tensor | None]
    weight: Tensor
    loss: Tensor
    terms: Mapping[str, Tensor]
    last: Tensor


@runtime_checkable
class Team(Protocol):
    """The processes that train one model: rank 0 leads, the others do as it says."""

    size: int
    words: tuple[int, ...]

    def prepare(self, model: nn.Module) -> None:
        """Make the model fit for it."""

    def lead(self, word: str, thing: Any = None) -> None:
        """Have everybody do something, as the leader; nothing elsewhere."""

    def share(self, batch: Batch) -> Batch:
        """The rows of a batch that are this process's."""

    def add(self, sums: Sums, parameters: Sequence[nn.Parameter]) -> Sums:
        """Over all processes."""

    def agree(self, find: Callable[[], float]) -> float:
        """What the leader finds."""

    def join(self, carry: Carry) -> Carry:
        """The rows of all processes."""

    def part(self, carry: Carry) -> Carry:
        """The rows of this process."""


class Led:
    """A team whose other processes are led by an outer learner: `lead` and `prepare` do nothing.

    Args:
        team: the processes.
    """

    def __init__(self, team: Team) -> None:
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


class Alone:
    """One process."""

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
