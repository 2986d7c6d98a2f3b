"""Curves and counters from metrics.csv and timing.csv, read only as far as needed."""

import io
import math
import os
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dlcli.core.errors import UsageError
from dlcli.runs.record import ALIASES, Direction
from dlcli.runs.run import Run

Number = int | float
Curve = tuple[list[Number], list[Number]]
_TAIL = 1_024
_LARGE = 2_000_000  # bytes of metrics.csv above which pandas, with its import, is faster than Python


@dataclass(frozen=True)
class CurvePoint:
    """A value and the step it was measured at."""

    value: float
    step: int


def tail(run: Run) -> bytes:
    """Last kilobyte of metrics.csv; empty if the file is missing."""
    return next(_tails(f"{run.path}/metrics.csv"), b"")


def last(run: Run, split: str, metric: str, end: bytes | None = None) -> CurvePoint | None:
    """Last value of a metric, searched from the end of metrics.csv.

    Args:
        end: `tail` of the file, if it is known.
    """
    needle = f",{split},{run.record.logged_name(metric)},".encode()
    if end and (point := _last_in(end, needle)):
        return point
    return next((point for block in _tails(f"{run.path}/metrics.csv") if (point := _last_in(block, needle))), None)


def _last_in(block: bytes, needle: bytes) -> CurvePoint | None:
    position = block.rfind(needle)
    while position >= 0:
        start, end = block.rfind(b"\n", 0, position), block.find(b"\n", position)
        if start >= 0 and end >= 0 and (point := _point(block[start + 1 : end], len(needle))):
            return point
        position = block.rfind(needle, 0, position)
    return None


def complete(run: Run, end: bytes) -> bool:
    """True if metrics.csv ends with a complete line of the last step in run.json.

    Args:
        end: `tail` of the file.
    """
    steps = run.record.steps
    step = end.rstrip(b"\n").rpartition(b"\n")[2].partition(b",")[0]
    reached = steps is None or (step.isdigit() and int(step) >= steps)
    return end.endswith(b"\n") and reached


def best(run: Run, split: str, metric: str, direction: Direction | None) -> CurvePoint | None:
    """Best value of a metric: from run.json for the main metric on the validation split, else from the curve.

    Args:
        direction: direction of the metric; a metric without one has no best value.
    """
    known = run.record.best
    if split == "valid" and metric == run.record.metric and known is not None:
        return CurvePoint(float(known.value), known.step)
    if direction is None:
        return None
    steps, values = curve(run, split, metric)
    points = [CurvePoint(value, int(step)) for step, value in zip(steps, values, strict=True) if math.isfinite(value)]
    pick = max if direction == "max" else min
    return pick(points, key=lambda point: point.value, default=None)


def _tails(path: str) -> Iterator[bytes]:
    """The last 1 kB of a file, then its last 32 kB, then the complete file."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        size = os.fstat(handle).st_size
        for length in dict.fromkeys((_TAIL, 32 * _TAIL, size)):
            yield os.pread(handle, length, max(0, size - length))
            if length >= size:
                return
    finally:
        os.close(handle)


def _point(line: bytes, needle: int) -> CurvePoint | None:
    try:
        step = line[: line.index(b",")]
        return CurvePoint(float(line[len(step) + needle :]), int(step))
    except ValueError:
        return None


def curve(run: Run, split: str, metric: str) -> Curve:
    """(steps, values) of one metric, without a truncated last line."""
    needle = f",{split},{run.record.logged_name(metric)},".encode()
    try:
        lines = (run.path / "metrics.csv").read_bytes().split(b"\n")[:-1]
    except OSError:
        return [], []
    points = [point for line in lines if needle in line and (point := _point(line, len(needle)))]
    return [point.step for point in points], [point.value for point in points]


def curves(run: Run, metrics: Collection[str] | None = None) -> dict[str, Curve]:
    """All curves as (steps, values) by `split metric`, without a truncated last line.

    Args:
        metrics: current names of the metrics to read; None for all.
    """
    path = run.path / "metrics.csv"
    rename = (lambda name: name) if run.record.stated else (lambda name: ALIASES.get(name, name))
    large = path.is_file() and path.stat().st_size > _LARGE

    def selected(metric: str) -> bool:
        return metrics is None or rename(metric) in metrics

    parsed = _parse_with_pandas(path, selected) if large else None
    if parsed is None:
        parsed = _parse_lines(path)
    return {f"{split} {rename(name)}": curve for (split, name), curve in parsed.items() if selected(name)}


def _parse_lines(path: Path) -> dict[tuple[str, str], Curve]:
    """Curves by (split, metric), without malformed lines."""
    result: dict[tuple[str, str], Curve] = {}
    for line in _complete_lines(path):
        parts = line.split(",")
        try:
            step, value = int(parts[0]), float(parts[3])
        except (ValueError, IndexError):
            continue
        steps, values = result.setdefault((parts[1], parts[2]), ([], []))
        steps.append(step)
        values.append(value)
    return result


def _parse_with_pandas(path: Path, selected: Callable[[str], bool]) -> dict[tuple[str, str], Curve] | None:
    """Curves of the selected metrics by (split, metric); None for a file with malformed lines."""
    import numpy as np
    import pandas

    content = path.read_bytes()
    try:
        table = pandas.read_csv(
            io.BytesIO(content[: content.rfind(b"\n") + 1]),
            dtype={"step": "int64", "split": "category", "metric": "category", "value": "float64"},
            keep_default_na=False,
            na_values={"value": ["nan"]},
        )
        splits, metrics = table["split"].cat, table["metric"].cat
    except (ValueError, LookupError, AttributeError):
        return None
    count = len(metrics.categories)
    codes = splits.codes.to_numpy(np.int32) * count + metrics.codes.to_numpy(np.int32)
    steps, values = table["step"].to_numpy(), table["value"].to_numpy()
    result = {}
    for code in np.flatnonzero(np.bincount(codes)).tolist():
        name = str(splits.categories[code // count]), str(metrics.categories[code % count])
        if selected(name[1]):
            rows = np.flatnonzero(codes == code)
            result[int(rows[0]), name] = (steps[rows].tolist(), values[rows].tolist())
    return {name: result[first, name] for first, name in sorted(result)}


def _complete_lines(path: Path) -> list[str]:
    """Lines below the heading, without a truncated last line."""
    try:
        return path.read_text(errors="replace").split("\n")[1:-1]
    except OSError:
        return []


def counters(run: Run) -> dict[str, Curve]:
    """Counters as (steps, totals) by name, with the clock as `seconds`; the final totals are those of run.json."""
    result: dict[str, Curve] = {}
    for line in _complete_lines(run.path / "timing.csv"):
        parts = line.split(",")
        try:
            step, clock, count = int(parts[0]), float(parts[1]), float(parts[3])
        except (ValueError, IndexError):
            continue
        _extend(result, parts[2], step, count)
        _extend(result, "seconds", step, clock)
    record = run.record
    if record.steps is not None:
        seconds = {} if record.seconds is None else {"seconds": record.seconds}
        for name, total in (record.counters | seconds).items():
            _extend(result, name, record.steps, float(total))
    return result


def _extend(curves: dict[str, Curve], name: str, step: int, count: float) -> None:
    steps, counts = curves.setdefault(name, ([0.0], [0.0]))
    if step > steps[-1]:
        steps.append(step)
        counts.append(count)


def convert_steps(run: Run, counter: str | None, steps: Sequence[Number]) -> list[Number]:
    """Convert steps to units of a counter, by linear interpolation between the entries of timing.csv.

    Raises:
        UsageError: the run does not report the counter.
    """
    if counter in (None, "step", "steps"):
        return list(steps)
    known = counters(run)
    if counter not in known:
        raise UsageError("unknown_name", kind=f"counter of run {run.id}", name=str(counter), known=["steps", *known])
    return [_interpolate(known[counter], step) for step in steps]


def _interpolate(entries: Curve, step: Number) -> Number:
    steps, counts = entries
    index = bisect_left(steps, step)
    if index == 0:
        return counts[0]
    if index == len(steps):
        return counts[-1]
    fraction = (step - steps[index - 1]) / (steps[index] - steps[index - 1])
    return counts[index - 1] + fraction * (counts[index] - counts[index - 1])
