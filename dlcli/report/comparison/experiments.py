"""Runs by experiment: which of them count, and why others do not."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from dlcli.core.errors import UsageError, nearest
from dlcli.report.comparison.excluded import Left
from dlcli.report.comparison.identity import Settings, experiment, origin, settings
from dlcli.report.comparison.run_table import compared, read_config
from dlcli.report.statistics.intervals import finite, is_number
from dlcli.runs.record import present_name
from dlcli.runs.run import Run


@dataclass
class Bunch:
    """The runs of one experiment: those that count, a seed each, and why others do not."""

    experiment: str
    counted: list[Run] = field(default_factory=list)
    others: list[tuple[Run, str]] = field(default_factory=list)
    settings: dict[str, Settings] = field(default_factory=dict)

    @property
    def first(self) -> Run:
        return self.counted[0] if self.counted else self.others[0][0]

    @cached_property
    def keys(self) -> dict[str, Any]:
        """What its configuration may set it apart by; nothing where it is unreadable."""
        config = read_config(self.first)
        own = {"patience": config.get("patience"), "init_from": origin(self.first)}
        return compared(config) | own if config else {}

    @property
    def all(self) -> list[Run]:
        return [*self.counted, *(run for run, _ in self.others)]


def bunch(found: Sequence[Run], metric: str | None, split: str) -> tuple[list[Bunch], list[Left]]:
    """Runs by experiment, and those that do not count."""
    bunches: dict[str, Bunch] = {}
    left = []
    for run in found:
        reason = _unsigned(run)
        if reason:
            left.append(Left.of(run, reason))
            continue
        known = settings(run)
        same = experiment(run, known)
        own = bunches.setdefault(same, Bunch(same))
        reason = _reason(run, metric, split) or _again(run, own)
        if reason:
            own.others.append((run, reason))
            left.append(Left.of(run, reason))
            continue
        own.counted.append(run)
        own.settings[run.id] = known
        if not finite([value_of(run, metric, split)]):
            left.append(Left.of(run, f"{split} {metric_of(run, metric)} is {value_of(run, metric, split)}"))
    return list(bunches.values()), left


def _unsigned(run: Run) -> str:
    if run.record.verb == "eval":
        return "a scoring by dlcli eval, no training"
    if run.record.signature is None:
        return "run.json has no signature"
    seed = run.info.get("seed")
    if seed is None:
        return "run.json has no seed"
    return "" if isinstance(seed, int) and not isinstance(seed, bool) else f"its seed is {seed!r}, no whole number"


def _reason(run: Run, metric: str | None, split: str) -> str:
    """Why a run has no value; "" when it has one."""
    if run.status != "completed":
        why = run.record.reason
        return f"{run.status}: {why}" if why else run.status
    scores = run.record.scores(split)
    if scores is None:
        return f"has no score on {split}"
    name = metric_of(run, metric)
    if name is None:
        return "run.json names no main metric"
    value = scores.get(name)
    if value is None:
        return f"logged no {split} {name}"
    return "" if is_number(value) else f"its {split} {name} is {value!r}, no number"


def _again(run: Run, own: Bunch) -> str:
    newer = next((other.id for other in own.counted if other.info["seed"] == run.info["seed"]), None)
    return f"seed {run.info['seed']} counts once, by the newer run {newer}" if newer else ""


def metric_of(run: Run, metric: str | None) -> str | None:
    """The metric asked for, or the task's main one."""
    return metric or run.record.metric


def value_of(run: Run, metric: str | None, split: str) -> float:
    """Score of the selected checkpoint of a run that counts."""
    scores, name = run.record.scores(split), metric_of(run, metric)
    assert scores is not None
    assert name is not None
    return float(scores[name])


def known_metric(found: Sequence[Run], metric: str | None, split: str) -> str | None:
    """The metric by its present name; None is the main metric of each task.

    Raises:
        UsageError: no run has a score on the split, or none has the metric.
    """
    scored = [run.record for run in found if run.status == "completed" and not _unsigned(run)]
    splits = {name for record in scored for name in record.splits}
    if splits and split not in splits:
        raise UsageError(f"no run has a score on split {split!r}{nearest(split, splits)}")
    known = {name for record in scored for name in record.scores(split) or ()}
    if metric is None or not known:
        return metric
    name = present_name(metric, known)
    if name not in known:
        raise UsageError(f"no run has a {split} {metric!r}{nearest(metric, known)}")
    return name
