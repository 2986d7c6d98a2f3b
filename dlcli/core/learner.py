"""Learner and objective protocols, and the types of artifacts that they can save."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from dlcli.core.task import Batch, Carry, Loss


@dataclass(frozen=True)
class Row:
    """Report of one step.

    Args:
        values: 0-d tensors by name, detached and on their device, so that a step does not synchronize before logging.
        counts: consumed units by counter (samples, updates, batches, env_steps, evaluations, trials), Python integers.
            `batches` counts those of the training split for the player that uses most of them; it defines epochs.
        note: event for log.txt (the end of a stage, a warning of a library); empty without an event.
        optimized: names of the values that the learner optimizes, the one that progress displays show first; a run
            diverges if one of them is not finite. None: all values.
    """

    values: Mapping[str, Tensor]
    counts: Mapping[str, int]
    note: str = ""
    optimized: Sequence[str] | None = None


@runtime_checkable
class Learner(Protocol):
    """Learner protocol: one optimization step at a time, with resumable state.

    `counters` lists the counters of its steps; limits on other counters are errors. `resumable = False` (optional)
    declares that `state_dict` is incomplete, so that runs cannot be resumed. `finished` (optional property) is True
    when the learner has terminated by itself; the run then ends before any limit, and requires none.
    """

    counters: Sequence[str]

    @property
    def model(self) -> nn.Module | None:
        """The best model so far; None before the first one."""

    def step(self) -> Row:
        """Run one step, a function of the learner's state and its seed only."""

    def state_dict(self) -> dict[str, Any]:
        """Return the complete state: tensors and plain scalars in dictionaries and lists; resuming is bit-exact."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state.

        Raises:
            Mismatch: the state belongs to another model.
        """


@runtime_checkable
class Objective(Protocol):
    """Loss whose gradient is a learning rule; an objective with state is an nn.Module whose buffers are saved.

    `needs` (optional) is a runtime-checkable Protocol that the model must implement, checked before the first step.
    """

    def __call__(self, model: nn.Module, batch: Batch, carry: Carry = None) -> Loss:
        """Compute the loss of the model on a batch; `carry` is the recurrent state of the previous batch."""


@runtime_checkable
class Paced(Protocol):
    """Objective that depends on the progress of training: KL annealing, scheduled sampling, replayed samples."""

    def pace(self, update: int, turn: int) -> None:
        """Receive the progress; called before each call of the objective.

        Args:
            update: index of the player's update, from 0.
            turn: index of the update within the step's `repeats`, from 0.
        """


def pace(objective: object, update: int, turn: int) -> None:
    """Pass the progress of training to an objective that depends on it; see `Paced`."""
    if isinstance(objective, Paced):
        objective.pace(update, turn)


@runtime_checkable
class Schedule(Protocol):
    """Learning-rate schedule, as a factor of the optimizer's learning rate."""

    def factor(self, update: int) -> float:
        """Return the factor of the learning rate in an update (from 0)."""


@dataclass(frozen=True)
class TableArtifact:
    """Table: column names and rows of plain values."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True)
class AppendTable:
    """Rows that are appended to a table: those since the last call."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Image:
    """Grayscale image (height, width) or RGB image (height, width, 3) with values in [0, 1]."""

    pixels: Tensor


@dataclass(frozen=True)
class Curves:
    """Line chart.

    Args:
        x: label of the horizontal axis.
        series: points (x, y) by name of the line.
        up: label of the vertical axis.
        logarithmic: logarithmic axes, "x", "y" or "xy"; values of 0 and below are omitted there.
    """

    x: str
    series: Mapping[str, Sequence[tuple[float, float]]]
    up: str = ""
    logarithmic: str = ""


@dataclass(frozen=True)
class Text:
    """Plain text."""

    text: str


@dataclass(frozen=True)
class FileArtifact:
    """Text file with its own extension.

    Args:
        ending: extension with its dot, such as `.svg` or `.yaml`.
        text: content.
    """

    ending: str
    text: str


@dataclass(frozen=True)
class Tree:
    """Nested dictionaries, lists and scalars."""

    tree: Mapping[str, Any] = field(default_factory=dict)


Artifact = TableArtifact | AppendTable | Image | Curves | Text | FileArtifact | Tree


@runtime_checkable
class HasArtifacts(Protocol):
    """Learner, task or model that saves artifacts after each evaluation and at the end of a run."""

    def leave(self) -> Mapping[str, Artifact]:
        """Return artifacts by file name without extension."""


@runtime_checkable
class Visualizes(Protocol):
    """Model with a visualization of its computation, saved once at the end of a run for the best weights."""

    def depict(self, batch: Batch) -> Mapping[str, Artifact]:
        """Return artifacts by file name without extension.

        Args:
            batch: a few rows of the validation split. The model is in evaluation mode under `no_grad`.
        """
