"""metrics.csv and timing.csv, read only as far as a question needs."""

import math
import os
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dlcli.core.errors import UsageError, nearest
from dlcli.report.intervals import is_number
from dlcli.runs.run import Run

Number = int | float
Curve = tuple[list[Number], list[Number]]
_TAIL = 1_024


@dataclass(frozen=True)
class Point:
    """A value and the step it was measured at."""

    value: float
    step: int


def last(run: Run, split: str, metric: str) -> Point | None:
    """The last value of a metric, from the end of metrics.csv."""
    needle = f",{split},{metric},".encode()
    for block in _tails(f"{run.path}/metrics.csv"):
        at = block.rfind(needle)
        while at >= 0:
            begin, end = block.rfind(b"\n", 0, at), block.find(b"\n", at)
            if begin >= 0 and end >= 0 and (point := _point(block[begin + 1 : end], len(needle))):
                return point
            at = block.rfind(needle, 0, at)
    return None


def whole(run: Run) -> bool:
    """Whether metrics.csv ends with a whole line, of the last step that run.json tells."""
    steps, block = run.info.get("steps"), next(_tails(f"{run.path}/metrics.csv"), b"")
    step = block.rstrip(b"\n").rpartition(b"\n")[2].partition(b",")[0]
    reached = not isinstance(steps, int) or (step.isdigit() and int(step) >= steps)
    return block.endswith(b"\n") and reached


def best(run: Run, split: str, metric: str, direction: str) -> Point | None:
    """The best value of a metric: run.json has the main one's, the others are looked for."""
    known, goal = (found if isinstance(found := run.info.get(name), dict) else {} for name in ("best", "goal"))
    value, step = known.get("value"), known.get("step")
    if split == "valid" and metric == goal.get("metric") and is_number(value) and isinstance(step, int):
        return Point(float(value), step)
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
    needle = f",{split},{metric},".encode()
    try:
        lines = (run.path / "metrics.csv").read_bytes().split(b"\n")[:-1]
    except OSError:
        return [], []
    points = [point for line in lines if needle in line and (point := _point(line, len(needle)))]
    return [point.step for point in points], [point.value for point in points]


def curves(run: Run) -> dict[str, Curve]:
    """Every (steps, values) by `split metric`."""
    found: dict[str, Curve] = {}
    for line in _lines(run.path / "metrics.csv"):
        parts = line.split(",")
        try:
            step, value = int(parts[0]), float(parts[3])
        except (ValueError, IndexError):
            continue
        steps, values = found.setdefault(f"{parts[1]} {parts[2]}", ([], []))
        steps.append(step)
        values.append(value)
    return found


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
    steps, totals = run.info.get("steps"), run.info.get("counters")
    if not isinstance(steps, int):
        return
    ends = (totals if isinstance(totals, dict) else {}) | {"seconds": run.info.get("seconds")}
    for name, total in ends.items():
        if isinstance(total, int | float):
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
