"""Groups of runs that differ only in the seed: one row of the comparison table each."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from dlcli.core.errors import UsageError
from dlcli.report.comparison import history
from dlcli.report.comparison.excluded import ExcludedRun
from dlcli.report.comparison.experiments import Experiment, by_experiment, known_metric, metric_of, value_of
from dlcli.report.comparison.identity import Settings
from dlcli.report.comparison.labels import distinct_names, with_differing_keys
from dlcli.report.comparison.run_table import distinguishing_keys, short_names
from dlcli.report.statistics.intervals import Kind, finite, interval, is_number, mean_of, standard_deviation
from dlcli.runs.record import Direction
from dlcli.runs.run import Run

_TRAINING_SIDE = ("task.batch", "task.context", "task.train")
"""Keys of a task that change the training data, not the evaluation."""
_UNREADABLE = "(config.yaml is unreadable)"


@dataclass(frozen=True, kw_only=True)
class Group:
    """Runs of one experiment.

    Args:
        name: name that the runs share, or the recipe, followed by the keys that distinguish it from other groups.
        task: name of the task.
        model: name of the model.
        metric: split and name of the compared metric, `test accuracy`.
        direction: min or max, as run.json states it; None if no run states it.
        n: number of seeds with a finite value.
        mean: mean of the metric over the seeds; None without a value.
        low: lower end of the 95 % confidence interval; None with fewer than two seeds.
        high: upper end of the interval.
        baseline: score of the task's trivial baseline, mean over the seeds; None without one.
        interval: kind of the interval: t or bca.
        degenerate: True if all values are equal, so that the interval has zero width and does not estimate the spread.
        std: sample standard deviation; None with one seed.
        best: mean over the seeds of the best value on the validation split.
        best_step: mean step of the best values.
        last: mean over the seeds of the last value on the validation split.
        last_step: mean step of the last values.
        parameters: number of parameters of the model.
        seconds: mean training time in seconds.
        steps: mean number of steps.
        signature: hash of the configuration and the data.
        experiment: identity from the signature, the origin of the initial weights and the patience.
        yardstick: the task with the keys and the metric that distinguish it; groups are compared within one yardstick.
        keys: values of the configuration keys that distinguish the groups.
        seeds: seeds of the runs.
        values: values of the metric, in the order of `seeds`; None for a missing or infinite value.
        runs: ids of the runs.
        cost: total of the `--x` counter and the best validation value at equal cost; empty without `--x`.
        note: remarks on the row.
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
        """True if the group has a value and its task is known."""
        return self.n > 0 and not self.yardstick.endswith(_UNREADABLE)

    @property
    def arm(self) -> dict[int, float | None]:
        """Values by seed."""
        return dict(zip(self.seeds, self.values, strict=True))


def group_runs(
    runs: Sequence[Run], metric: str | None, split: str, kind: Kind = "auto", direction: Direction | None = None
) -> tuple[list[Group], list[ExcludedRun]]:
    """Group runs, best group first within a task.

    Args:
        runs: newest first; of two completed runs with the same signature and seed the newer one is counted.
        metric: name of the metric; None for the main metric of each task.
        split: split of the scores.
        kind: kind of the confidence intervals: auto, t or bca.
        direction: direction of the metric, for runs that do not state it.

    Returns:
        the groups, and the excluded runs with reasons.

    Raises:
        UsageError: no run has the metric, or the direction contradicts what a run states.
    """
    metric = known_metric(runs, metric, split)
    experiments, excluded = by_experiment(runs, metric, split)
    return group_rows(experiments, metric, split, kind, direction), excluded


_RESERVED = (*Group.__dataclass_fields__, "counter", "total", "equal", "value", "against", "difference", "p", "p_holm")


def group_rows(
    experiments: Sequence[Experiment],
    metric: str | None,
    split: str,
    kind: Kind = "auto",
    direction: Direction | None = None,
) -> list[Group]:
    """Build one row per experiment, with distinct names and the configuration keys that differ.

    Args:
        metric: name of the metric; None for the main metric of each task.
        split: split of the scores.
        kind: kind of the confidence intervals: auto, t or bca.
        direction: direction of the metric, for runs that do not state it.

    Raises:
        UsageError: the directions that runs state contradict each other or `direction`.
    """
    groups = [_row(own, metric, split, kind, direction) for own in experiments]
    flat = [own.keys for own in experiments] if len(experiments) > 1 else [{} for _ in experiments]
    short = short_names(distinguishing_keys(flat, [(row.task, row.model) for row in groups]), _RESERVED)
    keys = [{short[name]: config[name] for name in short if name in config} for config in flat]
    readable = [bool(config) or len(experiments) == 1 for config in flat]
    tasks = [name if known else f"{name} {_UNREADABLE}" for name, known in zip(_tasks(groups), readable, strict=True)]
    yardsticks = with_differing_keys(tasks, [_evaluation_keys(config) for config in flat])
    names = distinct_names([row.name for row in groups], yardsticks, keys, [row.experiment for row in groups])
    columns = zip(groups, names, keys, yardsticks, strict=True)
    return sorted((replace(row, name=n, keys=own, yardstick=task) for row, n, own, task in columns), key=_sort_key)


def _tasks(groups: Sequence[Group]) -> list[str]:
    """Tasks of the groups, with metric and direction for tasks whose groups differ in them."""
    measured: dict[str, set[tuple[str, Direction | None]]] = {}
    for row in groups:
        if row.n:
            measured.setdefault(row.task, set()).add((row.metric, row.direction))
    mixed = {task for task, metrics in measured.items() if len(metrics) > 1}
    return [f"{row.task} by {row.metric} ({row.direction})" if row.task in mixed else row.task for row in groups]


def _evaluation_keys(config: Mapping[str, Any]) -> dict[str, Any]:
    """Keys of the task that change its evaluation."""
    keys = [key for key in config if key.startswith("task.") and key not in _TRAINING_SIDE]
    return {key.removeprefix("task."): config[key] for key in keys}


def _row(own: Experiment, metric: str | None, split: str, kind: Kind, given: Direction | None) -> Group:
    record = own.first.record
    name = metric_of(own.first, metric) or "metric"
    direction = _direction(own, name, given)
    counted = sorted(own.counted, key=_seed)
    values = [value_of(run, metric, split) for run in counted]
    estimate = interval(values, kind=kind)
    baseline = _mean(run.record.baseline(name, split) for run in counted)
    tails = [history.tail(run) for run in counted]
    tops = [history.best(run, "valid", name, direction) for run in counted]
    ends = [history.last(run, "valid", name, tail) for run, tail in zip(counted, tails, strict=True)]
    counted_seeds = [run.info["seed"] for run in counted]
    missing = [run for run, _ in own.others if run.info["seed"] not in counted_seeds]
    missing_seeds = list(dict.fromkeys(run.info["seed"] for run in missing))
    return Group(
        name=_name(own),
        task=record.task,
        model=record.model,
        metric=f"{split} {name}",
        direction=direction,
        n=estimate.n,
        mean=estimate.mean,
        low=estimate.low,
        high=estimate.high,
        baseline=baseline,
        interval=estimate.kind,
        degenerate=estimate.degenerate,
        std=standard_deviation(finite(values)),
        best=_mean(point.value for point in tops if point),
        best_step=_mean(point.step for point in tops if point),
        last=_mean(point.value for point in ends if point),
        last_step=_mean(point.step for point in ends if point),
        parameters=record.parameters,
        seconds=_mean(run.record.seconds for run in counted),
        steps=_mean(run.record.steps for run in counted),
        signature=record.signature or "",
        experiment=own.experiment,
        seeds=[*counted_seeds, *missing_seeds],
        values=[*(value if finite([value]) else None for value in values), *(None for _ in missing_seeds)],
        runs=[run.id for run in counted],
        note=_note(
            estimate.degenerate,
            estimate.excluded,
            [run.status for run in missing],
            [*_baseline_remark(estimate.mean, baseline, direction), *_remarks(counted, tails, own.settings)],
        ),
    )


def _direction(own: Experiment, metric: str, given: Direction | None) -> Direction | None:
    """Direction that the runs state, else the given one.

    Raises:
        UsageError: two runs, or a run and the given direction, contradict each other.
    """
    stated: dict[Direction, Run] = {}
    for run in own.counted or own.all:
        if (direction := run.record.direction(metric)) is not None:
            stated.setdefault(direction, run)
    sources = [f"direction {direction} of {metric} (run {run.id})" for direction, run in stated.items()]
    if len(sources) > 1:
        raise UsageError("conflict", first=sources[0], second=sources[1])
    if given is not None and stated and given not in stated:
        raise UsageError("conflict", first=f"--direction {given}", second=sources[0], hint="Omit --direction.")
    return next(iter(stated), given)


def _baseline_remark(mean: float | None, baseline: float | None, direction: Direction | None) -> list[str]:
    """A remark if the mean is not better than the trivial baseline."""
    if mean is None or baseline is None or direction is None:
        return []
    better = mean > baseline if direction == "max" else mean < baseline
    return [] if better else ["not better than the baseline"]


def _seed(run: Run) -> tuple[bool, int]:
    seed = run.info.get("seed")
    return (not isinstance(seed, int), seed if isinstance(seed, int) else 0)


def _mean(values: Iterable[Any]) -> float | None:
    numbers = finite(value for value in values if is_number(value))
    return mean_of(numbers) if numbers else None


def _note(degenerate: bool, excluded: int, missing: Sequence[str], remarks: Sequence[str]) -> str:
    parts = ["equal values"] if degenerate else []
    parts += [f"{excluded} not finite"] if excluded else []
    parts += remarks
    counts = sorted(Counter(missing).items())
    parts += [f"{count} {status if status != 'completed' else 'without the metric'}" for status, count in counts]
    return ", ".join(parts)


def _remarks(counted: Sequence[Run], tails: Sequence[bytes], settings: Mapping[str, Settings]) -> list[str]:
    """Remarks on differences between the runs of one experiment, and on unreadable files."""
    known = [settings[run.id] for run in counted]
    every = list(dict.fromkeys("null" if own.eval_every is None else str(own.eval_every) for own in known))
    remarks = [f"eval_every differs: {', '.join(every)}"] if len(every) > 1 else []
    unreadable = sum(not own.readable for own in known)
    remarks += [f"config.yaml unreadable: {unreadable} of {len(known)}"] if unreadable else []
    truncated = sum(not history.complete(run, tail) for run, tail in zip(counted, tails, strict=True))
    return [*remarks, f"metrics.csv missing or truncated: {truncated} of {len(known)}"] if truncated else remarks


def _name(own: Experiment) -> str:
    """Name that all runs share, else their recipe."""
    names = {run.record.name for run in (own.counted or own.all)}
    given = names.pop() if len(names) == 1 else None
    return given or own.first.record.label


def _sort_key(row: Group) -> tuple[str, bool, float]:
    sign = -1 if row.direction == "max" else 1
    return row.yardstick, row.mean is None, sign * (row.mean or 0.0)
