"""A learner: who updates what, when. And what it may leave behind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from dlcli.core.task import Batch, Carry, Loss


@dataclass(frozen=True)
class Row:
    """What one step reports.

    Args:
        values: 0-d tensors by name, detached, still on their device: nobody waits for them before they are logged.
        counts: what the step consumed (samples, updates, batches, env_steps, evaluations, trials), host integers.
            `batches` are those of the training split, of the player that takes most of them: they measure epochs.
        note: an event of the step for log.txt (the end of a stage, a warning of a library); "" without one.
    """

    values: Mapping[str, Tensor]
    counts: Mapping[str, int]
    note: str = ""


@runtime_checkable
class Learner(Protocol):
    """Moves a model, one step at a time.

    `counters` names what its steps count, so that a limit on anything else is refused. `resumable = False` (optional)
    says that the state is not all of it, so that no run goes on from a checkpoint. `finished` (optional, a property) is
    True when the learner has reached its own end; the run then ends before any limit, and needs none.
    """

    counters: Sequence[str]

    @property
    def model(self) -> nn.Module | None:
        """The best answer so far; None before there is one."""

    def step(self) -> Row:
        """One step, a function of the learner's state and its seed alone."""

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain scalars, in dictionaries and lists, from which `load_state_dict` goes on exactly."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state; Mismatch when it is another model's."""


@runtime_checkable
class Objective(Protocol):
    """A loss whose gradient is a learning rule. One with memory is an nn.Module whose buffers are saved.

    `needs` (optional) is a runtime-checkable Protocol that the model must meet, checked before the first step.
    """

    def __call__(self, model: nn.Module, batch: Batch, carry: Carry = None) -> Loss: ...


@runtime_checkable
class Paced(Protocol):
    """An objective that depends on the progress of training: KL annealing, scheduled sampling, replayed samples."""

    def pace(self, update: int, turn: int) -> None:
        """Receive the progress; called before each use.

        Args:
            update: number of the player's update, from 0.
            turn: number of the update within the step's `repeats`, from 0.
        """


def pace(objective: object, update: int, turn: int) -> None:
    """Pass the progress to an objective that depends on it."""
    if isinstance(objective, Paced):
        objective.pace(update, turn)


@runtime_checkable
class Schedule(Protocol):
    """The learning rate as a multiple of the optimizer's own."""

    def factor(self, update: int) -> float:
        """What the rate is multiplied with in this update."""


@dataclass(frozen=True)
class Rows:
    """A table: column names and rows of plain values."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Growing:
    """Rows that are added to a table: those since the last time it was left."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Image:
    """A picture: (height, width) or (height, width, 3), values in [0, 1]."""

    pixels: Tensor


@dataclass(frozen=True)
class Curves:
    """Lines over a common axis named `x`: (x, y) by name.

    Args:
        up: name of the other axis.
        logarithmic: axes that go by factors, "x", "y" or "xy"; values of 0 and below are left out there.
    """

    x: str
    series: Mapping[str, Sequence[tuple[float, float]]]
    up: str = ""
    logarithmic: str = ""


@dataclass(frozen=True)
class Text:
    """Words."""

    text: str


@dataclass(frozen=True)
class File:
    """Text of a form that has its own ending: `.svg`, `.yaml`."""

    ending: str
    text: str


@dataclass(frozen=True)
class Tree:
    """Nested dictionaries, lists and scalars."""

    tree: Mapping[str, Any] = field(default_factory=dict)


Leaf = Rows | Growing | Image | Curves | Text | File | Tree


@runtime_checkable
class Leaves(Protocol):
    """A learner, task or model with something to leave in artifacts/, asked after each evaluation and at the end."""

    def leave(self) -> Mapping[str, Leaf]:
        """Things by file name without ending."""


@runtime_checkable
class Depicts(Protocol):
    """A model that can draw what it does with some inputs: asked once, of the best weights, when a run ends."""

    def depict(self, batch: Batch) -> Mapping[str, Leaf]:
        """Things by file name without ending, for a few rows of valid; in evaluation mode, without gradients."""
