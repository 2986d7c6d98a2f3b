"""Runs that differ only in the seed, as one row."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from dlcli.core.errors import UsageError
from dlcli.report.comparison import history
from dlcli.report.comparison.excluded import Left
from dlcli.report.comparison.experiments import Bunch, bunch, known_metric, metric_of, value_of
from dlcli.report.comparison.identity import Settings
from dlcli.report.comparison.labels import apart, told_apart
from dlcli.report.comparison.run_table import setting_apart, short_names
from dlcli.report.statistics.intervals import Kind, finite, interval, is_number, mean_of, spread_of
from dlcli.runs.record import Direction
from dlcli.runs.run import Run

_TRAINING_SIDE = ("task.batch", "task.context", "task.train")
"""Keys of a task that change what is learned from, not what is scored."""
_UNREADABLE = "(config.yaml is unreadable)"


@dataclass(frozen=True, kw_only=True)
class Group:
    """Runs of one experiment.

    Args:
        name: what people called them, or the recipe; told apart by the keys that differ.
        task: group member; `yardstick` tells tasks of one name apart.
        metric: what is compared, `test accuracy`.
        direction: min or max, as run.json states it; None if no run states it.
        n: seeds with a finite value.
        mean: of the metric, over the seeds; None when no run has it.
        low: of the 95 % interval; None with fewer than two seeds.
        high: as low.
        baseline: score of the task's trivial baseline, mean over the seeds; None without one.
        interval: t or bca.
        degenerate: equal values: the interval has no width and says nothing of the spread to expect.
        std: sample standard deviation; None with one seed.
        best: mean over the seeds of the best value on valid.
        best_step: mean step of it.
        last: mean over the seeds of the last value on valid.
        last_step: mean step of it.
        parameters: of the model.
        seconds: mean training time.
        steps: mean steps.
        experiment: what its runs share: the signature, the weights they began with, and their patience.
        keys: the configuration keys that set the groups apart.
        values: of the metric, by the order of `seeds`; None where it is no finite number.
        seeds: of the runs.
        runs: ids, newest first.
        note: what a reader has to know of the row.
    """

    name: str
    task: str
    model: str
    metric: str
    direction: Direction | None
    n: int
    mean: float | None
    low: float | None
    high: float | None
    baseline: float | None
    interval: str
    degenerate: bool
    std: float | None
    best: float | None
    best_step: float | None
    last: float | None
    last_step: float | None
    parameters: int | None
    seconds: float | None
    steps: float | None
    signature: str
    experiment: str = ""
    yardstick: str = ""
    keys: dict[str, Any] = field(default_factory=dict)
    seeds: list[int] = field(default_factory=list)
    values: list[float | None] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    cost: dict[str, float | str | None] = field(default_factory=dict)
    note: str = ""

    def plain(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def comparable(self) -> bool:
        """It has a value, and what it was scored on is known."""
        return self.n > 0 and not self.yardstick.endswith(_UNREADABLE)

    @property
    def arm(self) -> dict[int, float | None]:
        """The values by seed."""
        return dict(zip(self.seeds, self.values, strict=True))


def group(
    found: Sequence[Run], metric: str | None, split: str, kind: Kind = "auto", direction: Direction | None = None
) -> tuple[list[Group], list[Left]]:
    """Runs in groups, the best first within a task; and the runs that do not count, with the reason.

    Args:
        found: newest first; of two finished runs with the same signature and seed the newer one counts.
        metric: None is the task's main metric.
        split: whose score is compared.
        kind: of the intervals.
        direction: of the metric, for runs that do not state it.

    Raises:
        UsageError: no run has the metric, or the direction contradicts what a run states.
    """
    metric = known_metric(found, metric, split)
    bunches, left = bunch(found, metric, split)
    return rows(bunches, metric, split, kind, direction), left


_TAKEN = (*Group.__dataclass_fields__, "counter", "total", "equal", "value", "against", "difference", "p", "p_holm")


def rows(
    bunches: Sequence[Bunch], metric: str | None, split: str, kind: Kind = "auto", direction: Direction | None = None
) -> list[Group]:
    """One row for each experiment, with distinct names and the configuration keys that differ.

    Raises:
        UsageError: the directions that runs state contradict each other or `direction`.
    """
    found = [_row(own, metric, split, kind, direction) for own in bunches]
    flat = [own.keys for own in bunches] if len(bunches) > 1 else [{} for _ in bunches]
    short = short_names(setting_apart(flat, [(row.task, row.model) for row in found]), _TAKEN)
    keys = [{short[name]: config[name] for name in short if name in config} for config in flat]
    known = [bool(config) or len(bunches) == 1 for config in flat]
    scored = _tasks(found)
    tasks = [name if sure else f"{name} {_UNREADABLE}" for name, sure in zip(scored, known, strict=True)]
    yards = apart(tasks, [_yardstick(config) for config in flat])
    names = told_apart([row.name for row in found], yards, keys, [row.experiment for row in found])
    named = zip(found, names, keys, yards, strict=True)
    return sorted((replace(row, name=name, keys=own, yardstick=yard) for row, name, own, yard in named), key=_rank)


def _tasks(found: Sequence[Group]) -> list[str]:
    """The tasks; with what is measured, and which way, where that is not the same for all groups of one."""
    measured: dict[str, set[tuple[str, Direction | None]]] = {}
    for row in found:
        if row.n:
            measured.setdefault(row.task, set()).add((row.metric, row.direction))
    several = {task for task, ways in measured.items() if len(ways) > 1}
    return [f"{row.task} by {row.metric} ({row.direction})" if row.task in several else row.task for row in found]


def _yardstick(config: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of the task that decide what is scored."""
    kept = {key: value for key, value in config.items() if key.startswith("task.") and key not in _TRAINING_SIDE}
    return {key.removeprefix("task."): value for key, value in kept.items()}


def _row(own: Bunch, metric: str | None, split: str, kind: Kind, given: Direction | None) -> Group:
    record = own.first.record
    name = metric_of(own.first, metric) or "metric"
    direction = _direction(own, name, given)
    counted = sorted(own.counted, key=_seed)  # whichever ended first
    values = [value_of(run, metric, split) for run in counted]
    around = interval(values, kind=kind)
    kept = finite(values)
    baseline = _mean(run.record.baseline(name, split) for run in counted)
    tails = [history.tail(run) for run in counted]
    tops = [history.best(run, "valid", name, direction) for run in counted]
    ends = [history.last(run, "valid", name, tail) for run, tail in zip(counted, tails, strict=True)]
    without = [run for run, _ in own.others if run.info["seed"] not in [one.info["seed"] for one in counted]]
    return Group(
        name=_name(own),
        task=record.task,
        model=record.model,
        metric=f"{split} {name}",
        direction=direction,
        n=around.n,
        mean=around.mean,
        low=around.low,
        high=around.high,
        baseline=baseline,
        interval=around.kind,
        degenerate=around.degenerate,
        std=spread_of(kept),
        best=_mean(point.value for point in tops if point),
        best_step=_mean(point.step for point in tops if point),
        last=_mean(point.value for point in ends if point),
        last_step=_mean(point.step for point in ends if point),
        parameters=record.parameters,
        seconds=_mean(run.record.seconds for run in counted),
        steps=_mean(run.record.steps for run in counted),
        signature=record.signature or "",
        experiment=own.experiment,
        seeds=[run.info["seed"] for run in (*counted, *_once(without))],
        values=[*(value if finite([value]) else None for value in values), *(None for _ in _once(without))],
        runs=[run.id for run in counted],
        note=_note(
            around.degenerate,
            around.excluded,
            [run.status for run in without],
            [*_against_baseline(around.mean, baseline, direction), *_remarks(counted, tails, own.settings)],
        ),
    )


def _direction(own: Bunch, metric: str, given: Direction | None) -> Direction | None:
    """Direction that the runs state; else the given one.

    Raises:
        UsageError: two runs, or a run and the given direction, contradict each other.
    """
    stated: dict[Direction, Run] = {}
    for run in own.counted or own.all:
        if (way := run.record.direction(metric)) is not None:
            stated.setdefault(way, run)
    ways = [f"direction {way} of {metric} (run {run.id})" for way, run in stated.items()]
    if len(ways) > 1:
        raise UsageError("conflict", first=ways[0], second=ways[1])
    if given is not None and stated and given not in stated:
        raise UsageError("conflict", first=f"--direction {given}", second=ways[0], hint="Omit --direction.")
    return next(iter(stated), given)


def _against_baseline(mean: float | None, baseline: float | None, direction: Direction | None) -> list[str]:
    """A remark if the mean is not better than the trivial baseline."""
    if mean is None or baseline is None or direction is None:
        return []
    better = mean > baseline if direction == "max" else mean < baseline
    return [] if better else ["not better than the baseline"]


def _seed(run: Run) -> tuple[bool, int]:
    seed = run.info.get("seed")
    return (not isinstance(seed, int), seed if isinstance(seed, int) else 0)


def _once(found: Sequence[Run]) -> list[Run]:
    """The first run of each seed."""
    return list({run.info["seed"]: run for run in reversed(found)}.values())[::-1]


def _mean(values: Iterable[Any]) -> float | None:
    kept = finite(value for value in values if is_number(value))
    return mean_of(kept) if kept else None


def _note(degenerate: bool, excluded: int, missing: Sequence[str], remarks: Sequence[str]) -> str:
    words = ["equal values"] if degenerate else []
    words += [f"{excluded} not finite"] if excluded else []
    words += remarks
    words += [f"{count} {status if status != 'completed' else 'without it'}" for status, count in _tally(missing)]
    return ", ".join(words)


def _remarks(counted: Sequence[Run], tails: Sequence[bytes], read: Mapping[str, Settings]) -> list[str]:
    """Where the runs of one experiment differ all the same, and what cannot be read of them."""
    known = [read[run.id] for run in counted]
    every = list(dict.fromkeys("null" if one.eval_every is None else str(one.eval_every) for one in known))
    said = [f"eval_every differs: {', '.join(every)}"] if len(every) > 1 else []
    blind = sum(not one.readable for one in known)
    said += [f"config.yaml unreadable: {blind} of {len(known)}"] if blind else []
    torn = sum(not history.whole(run, tail) for run, tail in zip(counted, tails, strict=True))
    return [*said, f"metrics.csv missing or cut short: {torn} of {len(known)}"] if torn else said


def _tally(words: Sequence[str]) -> list[tuple[str, int]]:
    return sorted(Counter(words).items())


def _name(own: Bunch) -> str:
    """What all the runs are called, or their recipe."""
    names = {run.record.name for run in (own.counted or own.all)}
    given = names.pop() if len(names) == 1 else None
    return given or own.first.record.label


def _rank(row: Group) -> tuple[str, bool, float]:
    sign = -1 if row.direction == "max" else 1
    return row.yardstick, row.mean is None, sign * (row.mean or 0.0)
