"""Windows of a series: their last rows, and the split of their targets."""

from collections.abc import Mapping, Sequence
from itertools import count

import numpy as np
from jaxtyping import Bool, Float, Int

from dlcli.core.errors import UsageError
from dlcli.data.timeline import Timeline

Rows = Int[np.ndarray, "_"]


def segment_starts(line: Timeline) -> Rows:
    """The first row of the gapless stretch that each row belongs to."""
    first = np.append(True, line.segment[1:] != line.segment[:-1])
    return np.maximum.accumulate(np.where(first, np.arange(len(first)), 0))


def complete(starts: Rows, ends: Rows, window: int) -> Bool[np.ndarray, "sample"]:
    """True for windows whose rows all belong to one gapless stretch."""
    return ends - window + 1 >= starts[ends]


def followed(line: Timeline, ends: Rows, horizon: int, present: Bool[np.ndarray, "step"]) -> Bool[np.ndarray, "sample"]:
    """True if the next `horizon` rows belong to the same gapless stretch and each has a target of its own."""
    known = np.append(0, np.cumsum(present & line.observed))
    last = np.minimum(ends + horizon, len(present) - 1)
    alike = (ends + horizon < len(present)) & (line.segment[last] == line.segment[ends])
    return alike & (known[last + 1] - known[ends + 1] == horizon)


def borders(ticks: Float[np.ndarray, "step"], fractions: Sequence[float]) -> tuple[float, float]:
    """Times of the first validation target and the first test target.

    They depend on the rows with a target and the fractions only, so that models with windows of different lengths are
    scored on the same targets.

    Args:
        ticks: times of the rows with a target, of all series.
        fractions: shares of train, valid and test.
    """
    if not ticks.size:
        return np.inf, np.inf
    ordered = np.sort(ticks)
    positions = _positions(len(ordered), fractions)
    return float(ordered[min(positions[0], len(ordered) - 1)]), float(ordered[min(positions[1], len(ordered) - 1)])


def _positions(rows: int, fractions: Sequence[float]) -> tuple[int, int]:
    first, second = np.floor(np.cumsum(fractions[:2]) * rows + 1e-9).astype(np.int64).tolist()
    return first, second


def split(
    ends: Rows,
    first: Float[np.ndarray, "sample"],
    last: Float[np.ndarray, "sample"],
    cuts: tuple[float, float],
) -> dict[str, Rows]:
    """Split windows by the times of their targets; windows with targets on both sides of a border are in no split.

    Args:
        ends: the last row of each window.
        first: time of its first target.
        last: time of its last target.
        cuts: times of the first validation target and the first test target.
    """
    valid, test = cuts
    return {
        "train": ends[last < valid],
        "valid": ends[(first >= valid) & (last < test)],
        "test": ends[first >= test],
    }


def check_fractions(fractions: Sequence[float]) -> None:
    """Check for three positive shares that sum to 1.

    Raises:
        UsageError: they are something else.
    """
    if len(fractions) != 3 or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        must = "three positive numbers (train, valid, test) with sum 1"
        raise UsageError("invalid_value", key="task.fractions", must=must, got=list(fractions))


def check_splits(
    splits: Mapping[str, Rows], rows: int, *, window: int, horizon: int, fractions: Sequence[float]
) -> None:
    """Check that no split is empty; a label has horizon 0.

    Raises:
        UsageError: a split is empty; `needed` is the number of rows without a gap that suffice.
    """
    if all(len(ends) for ends in splits.values()):
        return
    needed = next(number for number in count(3) if _suffices(number, window, horizon, fractions))
    counts = ", ".join(f"{name} {len(ends)}" for name, ends in splits.items())
    shorter = "task.window or task.horizon" if horizon > 1 else "task.window"
    raise UsageError(
        "invalid_data",
        path="the file",
        problem=f"{rows} rows are too few for windows of {window} rows and {horizon} predicted steps ({counts})",
        hint=f"About {needed} rows without a gap are required; or use a smaller {shorter}.",
        needed=needed,
    )


def _suffices(rows: int, window: int, horizon: int, fractions: Sequence[float]) -> bool:
    """True if a gapless series of this length has a window in every split."""
    valid, test = _positions(rows, fractions)
    least = max(horizon, 1)
    return valid >= window + horizon and test - valid >= least and rows - test >= least
