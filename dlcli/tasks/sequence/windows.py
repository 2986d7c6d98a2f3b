"""Windows of a series: where they end, and which split they belong to."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from dlcli.core.errors import UsageError
from dlcli.data.timeline import Timeline

Rows = Int[np.ndarray, "_"]


def window_ends(line: Timeline, window: int) -> Rows:
    """Rows that are the last of `window` rows of one stretch, and were observed."""
    rows = np.arange(window - 1, len(line.segment))
    whole = line.segment[rows] == line.segment[rows - window + 1]
    return rows[whole & line.observed[rows]]


def followed(line: Timeline, ends: Rows, horizon: int, there: Bool[np.ndarray, "step"]) -> Bool[np.ndarray, "sample"]:
    """Whether the next `horizon` rows belong to the same stretch and all have a target of their own."""
    known = np.append(0, np.cumsum(there & line.observed))
    last = np.minimum(ends + horizon, len(there) - 1)
    alike = (ends + horizon < len(there)) & (line.segment[last] == line.segment[ends])
    return alike & (known[last + 1] - known[ends + 1] == horizon)


def cut(first: Float[np.ndarray, "sample"], fractions: Sequence[float]) -> tuple[float, float]:
    """The times at which valid and test begin, so that the targets are shared out as the fractions say."""
    if not first.size:
        return np.inf, np.inf
    ordered = np.sort(first)
    places = np.floor(np.cumsum(fractions[:2]) * len(ordered) + 1e-9).astype(np.int64).clip(max=len(ordered) - 1)
    return float(ordered[places[0]]), float(ordered[places[1]])


def split(
    ends: Rows,
    first: Float[np.ndarray, "sample"],
    last: Float[np.ndarray, "sample"],
    cuts: tuple[float, float],
) -> dict[str, Rows]:
    """Windows by when their targets are; those whose targets lie on both sides of a cut belong nowhere.

    Args:
        ends: the last row of each window.
        first: when its first target is.
        last: when its last target is.
        cuts: the times at which valid and test begin, for all series alike.
    """
    valid, test = cuts
    return {
        "train": ends[last < valid],
        "valid": ends[(first >= valid) & (last < test)],
        "test": ends[first >= test],
    }


def check_fractions(fractions: Sequence[float]) -> None:
    """Three shares above 0 that make a whole.

    Raises:
        UsageError: they are something else.
    """
    if len(fractions) != 3 or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise UsageError(
            "task.fractions are three numbers above 0 (train, valid, test) with sum 1, "
            f"not {list(fractions)} with sum {sum(fractions):g}"
        )


def check_splits(
    splits: Mapping[str, Rows], rows: int, *, window: int, horizon: int, fractions: Sequence[float]
) -> None:
    """Every split has a window; a label has horizon 0.

    Raises:
        UsageError: one has none; the message says how many rows are wanted.
    """
    if all(len(ends) for ends in splits.values()):
        return
    # n targets, one after the other, are those of n - horizon + 1 windows
    needed = window - 1 + horizon + int(np.ceil(max(horizon, 1) / min(fractions) - 1e-9))
    counts = ", ".join(f"{name} {len(ends)}" for name, ends in splits.items())
    targets = f" and {horizon} steps to forecast" if horizon else ""
    raise UsageError(
        f"too short: {rows} rows make these windows of {window} steps{targets}: {counts}.\n"
        f"Each split needs {max(horizon, 1)} or more rows of targets, all in all about {needed} rows "
        f"without a gap; shorten task.window{' or task.horizon' if horizon > 1 else ''}"
    )
