"""metrics.csv and timing.csv, read only as far as a question needs."""

import io
import math
import os
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dlcli.core.errors import UsageError, nearest
from dlcli.runs.record import ALIASES, Direction
from dlcli.runs.run import Run

Number = int | float
Curve = tuple[list[Number], list[Number]]
_TAIL = 1_024
_LARGE = 2_000_000  # bytes of metrics.csv from which parsing by pandas is faster, its import included


@dataclass(frozen=True)
class Point:
    """A value and the step it was measured at."""

    value: float
    step: int


def tail(run: Run) -> bytes:
    """The last kilobyte of metrics.csv; empty without one."""
    return next(_tails(f"{run.path}/metrics.csv"), b"")


def last(run: Run, split: str, metric: str, end: bytes | None = None) -> Point | None:
    """The last value of a metric, searched from the end of metrics.csv.

    Args:
        end: the file's `tail`, if it was read before.
    """
    needle = f",{split},{run.record.logged_name(metric)},".encode()
    if end and (point := _last_in(end, needle)):
        return point
    return next((point for block in _tails(f"{run.path}/metrics.csv") if (point := _last_in(block, needle))), None)


def _last_in(block: bytes, needle: bytes) -> Point | None:
    at = block.rfind(needle)
    while at >= 0:
        begin, end = block.rfind(b"\n", 0, at), block.find(b"\n", at)
        if begin >= 0 and end >= 0 and (point := _point(block[begin + 1 : end], len(needle))):
            return point
        at = block.rfind(needle, 0, at)
    return None


def whole(run: Run, end: bytes) -> bool:
    """True if metrics.csv ends with a complete line of the last step in run.json.

    Args:
        end: the file's `tail`.
    """
    steps = run.record.steps
    step = end.rstrip(b"\n").rpartition(b"\n")[2].partition(b",")[0]
    reached = steps is None or (step.isdigit() and int(step) >= steps)
    return end.endswith(b"\n") and reached


def best(run: Run, split: str, metric: str, direction: Direction | None) -> Point | None:
    """The best value of a metric: from run.json for the main metric, else from the curve.

    Args:
        direction: of the metric; None has no best value.
    """
    known = run.record.best
    if split == "valid" and metric == run.record.metric and known is not None:
        return Point(float(known.value), known.step)
    if direction is None:
        return None
    steps, values = curve(run, split, metric)
    found = [Point(value, int(step)) for step, value in zip(steps, values, strict=True) if math.isfinite(value)]
    pick = max if direction == "max" else min
    return pick(found, key=lambda point: point.value, default=None)


def _tails(path: str) -> Iterator[bytes]:
    """The end of a file, then more of it, then all of it."""
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


def _point(line: bytes, needle: int) -> Point | None:
    try:
        step = line[: line.index(b",")]
        return Point(float(line[len(step) + needle :]), int(step))
    except ValueError:
        return None


def curve(run: Run, split: str, metric: str) -> Curve:
    """(steps, values) of one metric, without a last line that was cut short."""
    needle = f",{split},{run.record.logged_name(metric)},".encode()
    try:
        lines = (run.path / "metrics.csv").read_bytes().split(b"\n")[:-1]
    except OSError:
        return [], []
    points = [point for line in lines if needle in line and (point := _point(line, len(needle)))]
    return [point.step for point in points], [point.value for point in points]


def curves(run: Run, metrics: Collection[str] | None = None) -> dict[str, Curve]:
    """Every (steps, values) by `split metric`; a last line that was cut short is ignored.

    Args:
        metrics: the only metrics to read, by their present names; None is all of them.
    """
    path = run.path / "metrics.csv"
    rename = (lambda name: name) if run.record.stated else (lambda name: ALIASES.get(name, name))
    large = path.is_file() and path.stat().st_size > _LARGE

    def wanted(metric: str) -> bool:
        return metrics is None or rename(metric) in metrics

    found = _parsed(path, wanted) if large else None
    if found is None:
        found = _parsed_line_by_line(path)
    return {f"{split} {rename(name)}": curve for (split, name), curve in found.items() if wanted(name)}


def _parsed_line_by_line(path: Path) -> dict[tuple[str, str], Curve]:
    """Curves by (split, metric), without malformed lines."""
    found: dict[tuple[str, str], Curve] = {}
    for line in _lines(path):
        parts = line.split(",")
        try:
            step, value = int(parts[0]), float(parts[3])
        except (ValueError, IndexError):
            continue
        steps, values = found.setdefault((parts[1], parts[2]), ([], []))
        steps.append(step)
        values.append(value)
    return found


def _parsed(path: Path, wanted: Callable[[str], bool]) -> dict[tuple[str, str], Curve] | None:
    """Curves by (split, metric), parsed by pandas; None for a file with malformed lines."""
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
    found = {}
    for code in np.flatnonzero(np.bincount(codes)).tolist():
        name = str(splits.categories[code // count]), str(metrics.categories[code % count])
        if wanted(name[1]):
            rows = np.flatnonzero(codes == code)
            found[int(rows[0]), name] = (steps[rows].tolist(), values[rows].tolist())
    return {name: found[first, name] for first, name in sorted(found)}


def _lines(path: Path) -> list[str]:
    """The lines below the head, without a last one that was cut short."""
    try:
        return path.read_text(errors="replace").split("\n")[1:-1]
    except OSError:
        return []


def counters(run: Run) -> dict[str, Curve]:
    """What was counted by step, the clock too; the last word is run.json's."""
    found: dict[str, Curve] = {}
    for line in _lines(run.path / "timing.csv"):
        parts = line.split(",")
        try:
            step, clock, count = int(parts[0]), float(parts[1]), float(parts[3])
        except (ValueError, IndexError):
            continue
        _extend(found, parts[2], step, count)
        _extend(found, "seconds", step, clock)
    _complete(found, run)
    return found


def _complete(found: dict[str, Curve], run: Run) -> None:
    steps, record = run.record.steps, run.record
    if steps is None:
        return
    seconds = {} if record.seconds is None else {"seconds": record.seconds}
    for name, total in (record.counters | seconds).items():
        _extend(found, name, steps, float(total))


def _extend(found: dict[str, Curve], name: str, step: int, count: float) -> None:
    steps, counts = found.setdefault(name, ([0.0], [0.0]))
    if step > steps[-1]:
        steps.append(step)
        counts.append(count)


def along(run: Run, counter: str | None, steps: Sequence[Number]) -> list[Number]:
    """Steps in units of a counter; between two entries of timing.csv it counts evenly.

    Raises:
        UsageError: the run counts no such thing.
    """
    if counter in (None, "step", "steps"):
        return list(steps)
    known = counters(run)
    if counter not in known:
        raise UsageError(f"run {run.id} counts no {counter!r}{nearest(str(counter), ['steps', *known])}")
    return [_between(known[counter], step) for step in steps]


def _between(entries: Curve, step: Number) -> Number:
    steps, counts = entries
    at = bisect_left(steps, step)
    if at == 0:
        return counts[0]
    if at == len(steps):
        return counts[-1]
    share = (step - steps[at - 1]) / (steps[at] - steps[at - 1])
    return counts[at - 1] + share * (counts[at] - counts[at - 1])
