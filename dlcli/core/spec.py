"""All that a model may know of the data."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Real:
    """Real values of a shape without the batch axis: (channel, time), (channel, height, width), (value,).

    An axis that may have any length is None.
    """

    shape: Shape

    @property
    def width(self) -> int:
        """Values at one position: the length of the first axis, 1 for a scalar."""
        return (self.shape[0] or 1) if self.shape else 1

    @property
    def positions(self) -> Shape:
        """The axes after the channels: (time,), (height, width), or () for one position."""
        return self.shape[1:]


@dataclass(frozen=True)
class Classes:
    """One of `count` classes at every position of `shape`: () for one a sample, (time,) for one a step."""

    count: int
    shape: Shape = ()

    @property
    def width(self) -> int:
        """Scores at one position: the number of classes."""
        return self.count

    @property
    def positions(self) -> Shape:
        return self.shape


@dataclass(frozen=True)
class Labels:
    """Any number of `count` classes at once (multi-label): a target is float [batch, count], 1 for what is there.

    Models answer with a score a class, whose sigmoid is the probability that the class is there.
    """

    count: int

    @property
    def width(self) -> int:
        return self.count

    @property
    def positions(self) -> Shape:
        return ()


@dataclass(frozen=True)
class Spec:
    """What goes in and what is wanted; `given` holds tensors that belong to the problem (a dictionary, word vectors).

    Models answer with (batch, target.width) when the target has one position,
    with (batch, target.width, time) when it has one a step.

    `causal` says that the answer to a step is a later input: a model that sees the future would read it.
    """

    inputs: tuple[Real | Classes, ...]
    target: Real | Classes | Labels
    given: Mapping[str, Tensor] = field(default_factory=dict)
    causal: bool = False

    @property
    def per_step(self) -> bool:
        """Whether the target has a value at every step of a sequence."""
        return len(self.target.positions) == 1

    def describe(self) -> str:
        """`Real(1, 64) -> Classes(10)`, for messages."""
        return f"{', '.join(map(_words, self.inputs))} -> {_words(self.target)}"

    def __str__(self) -> str:
        return self.describe()


def _words(part: Real | Classes | Labels) -> str:
    if isinstance(part, Labels):
        return f"Labels({part.count})"
    axes = ", ".join("any" if axis is None else str(axis) for axis in part.shape)
    if isinstance(part, Real):
        return f"Real({axes})"
    return f"Classes({part.count}{f', shape ({axes})' if axes else ''})"
