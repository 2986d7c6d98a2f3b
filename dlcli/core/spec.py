"""Data specification: shapes and types of the inputs and the target of a task."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from dlcli.core.errors import Mismatch

IGNORED = -100
"""Class index of a unit without a label (padding, unlabeled samples)."""

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Real:
    """Real-valued data.

    Args:
        shape: without the batch axis: (channel, time), (channel, height, width), (value,); None for any length.
    """

    shape: Shape

    @property
    def width(self) -> int:
        """Number of values per position: the length of the first axis, 1 for a scalar."""
        return (self.shape[0] or 1) if self.shape else 1

    @property
    def positions(self) -> Shape:
        """The axes after the channels: (time,), (height, width), or () for a single position."""
        return self.shape[1:]


@dataclass(frozen=True)
class Classes:
    """Categorical data: int64 [batch, *shape] in [0, count).

    Args:
        count: number of classes.
        shape: () for one class per sample, (time,) for one class per step.
    """

    count: int
    shape: Shape = ()

    @property
    def width(self) -> int:
        """Number of logits per position: the number of classes."""
        return self.count

    @property
    def positions(self) -> Shape:
        """The axes of the positions, each of which has a class."""
        return self.shape


@dataclass(frozen=True)
class Labels:
    """Multi-label target: float32 [batch, count], 1 for each class that applies, 0 otherwise.

    Models output one logit per class; its sigmoid is the probability of the class.

    Args:
        count: number of classes.
    """

    count: int

    @property
    def width(self) -> int:
        """Number of logits: the number of classes."""
        return self.count

    @property
    def positions(self) -> Shape:
        """Always (): one target per sample."""
        return ()


@dataclass(frozen=True)
class Places:
    """Index into the positions of an input: the target of a pointer network (Vinyals et al. 2015, arXiv:1506.03134).

    Data are int64 [batch, *shape] in [0, length of the input). Models output one logit per position of the input,
    [batch, position, *shape], so that the softmax runs over axis 1 as it does for `Classes`.

    Args:
        count: number of positions of the input; None if its length varies.
        shape: () for one index per sample, (step,) for a sequence of indices; None for any length.
        source: index of the input whose positions are referred to.
    """

    count: int | None
    shape: Shape = ()
    source: int = 0

    @property
    def width(self) -> int:
        """Number of logits per index: the number of positions of the input.

        Raises:
            Mismatch: the number varies, so that a layer of fixed width cannot produce the logits.
        """
        if self.count is None:
            raise Mismatch(
                "mismatch",
                subject="a model with a fixed number of outputs",
                requirement="a target of known width",
                got=_describe(self),
                hint="Use a pointer model: one logit per position of the input.",
            )
        return self.count

    @property
    def positions(self) -> Shape:
        """The axes of the target, each position of which is an index."""
        return self.shape


@dataclass(frozen=True)
class Nothing:
    """No target (density estimation, generative models); `Batch.target` is float32 [batch, 0]."""

    @property
    def width(self) -> int:
        """Number of outputs per position: 0."""
        return 0

    @property
    def positions(self) -> Shape:
        """Always ()."""
        return ()


Input = Real | Classes | Places
Target = Real | Classes | Labels | Places | Nothing


@dataclass(frozen=True)
class Spec:
    """Inputs and target of a task, with its constant tensors.

    Models output [batch, target.width] if the target has one position, [batch, target.width, time] if it has one per
    step. `Places` of variable length have one logit per position of the input instead of `target.width`.

    Args:
        inputs: one part per argument of the model.
        target: type and shape of the target.
        given: constant tensors by name (a dictionary, word vectors, an operator).
        causal: True if the target of a step is a later input, so that a model must not depend on later inputs.
    """

    inputs: tuple[Input, ...]
    target: Target
    given: Mapping[str, Tensor] = field(default_factory=dict)
    causal: bool = False

    @property
    def per_step(self) -> bool:
        """True if the target has a value at every step of a sequence."""
        return len(self.target.positions) == 1

    def describe(self) -> str:
        """Return a description for messages, such as `Real(1, 64) -> Classes(10)`."""
        return f"{', '.join(map(_describe, self.inputs))} -> {_describe(self.target)}"

    def fields(self) -> dict[str, Any]:
        """Return the properties on which a trained model depends: kinds, widths and numbers of axes, but no lengths.

        They are plain values by name; `mismatches` compares two of these dictionaries.
        """
        parts = {f"input {index}": part for index, part in enumerate(self.inputs)} | {"target": self.target}
        return {name: _fields(part) for name, part in parts.items()} | {"given": sorted(self.given)}

    def __str__(self) -> str:
        return self.describe()


def mismatches(expected: Mapping[str, Any], got: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Compare two results of `Spec.fields`.

    Returns:
        descriptions (expected, got) of the fields that differ, by name.
    """
    names = sorted({*expected, *got})
    return {
        name: (_field_text(expected.get(name)), _field_text(got.get(name)))
        for name in names
        if expected.get(name) != got.get(name)
    }


def _fields(part: Input | Target) -> dict[str, Any]:
    """Kind, width and number of further axes; the width of `Places` is a length and therefore None."""
    width = None if isinstance(part, Places) else part.width
    fields: dict[str, Any] = {"kind": type(part).__name__, "width": width, "axes": len(part.positions)}
    return fields | {"source": part.source} if isinstance(part, Places) else fields


def _field_text(value: Any) -> str:
    if not isinstance(value, Mapping):
        return "missing" if value is None else str(value)
    width = "" if value.get("width") is None else f" of width {value['width']}"
    return f"{value['kind']}{width} with {value['axes']} further axes"


def _describe(part: Input | Target) -> str:
    if isinstance(part, Nothing):
        return "Nothing"
    if isinstance(part, Labels):
        return f"Labels({part.count})"
    axes = ", ".join("any" if axis is None else str(axis) for axis in part.shape)
    if isinstance(part, Real):
        return f"Real({axes})"
    count = "any" if part.count is None else part.count
    return f"{type(part).__name__}({count}{f', shape ({axes})' if axes else ''})"
