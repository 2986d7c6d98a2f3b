"""Runs grouped by experiment, with the reasons for which runs are excluded."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from dlcli.core.errors import UsageError
from dlcli.report.comparison.excluded import ExcludedRun
from dlcli.report.comparison.identity import Settings, experiment, origin, settings
from dlcli.report.comparison.run_table import compared, read_config
from dlcli.report.statistics.intervals import finite, is_number
from dlcli.runs.record import current_name
from dlcli.runs.run import Run


@dataclass
class Experiment:
    """Runs of one experiment, which differ only in the seed.

    Args:
        experiment: identity that the runs share.
        counted: runs with a value, at most one per seed.
        others: excluded runs with reasons.
        settings: patience and evaluation interval by run id, for counted runs.
        seeds: id of the counted run by seed.
    """

    experiment: str
    counted: list[Run] = field(default_factory=list)
    others: list[tuple[Run, str]] = field(default_factory=list)
    settings: dict[str, Settings] = field(default_factory=dict)
    seeds: dict[int, str] = field(default_factory=dict)

    @property
    def first(self) -> Run:
        return self.counted[0] if self.counted else self.others[0][0]

    @cached_property
    def keys(self) -> dict[str, Any]:
        """Configuration keys that may distinguish the experiment; empty if the configuration is unreadable."""
        config = read_config(self.first)
        own = {"patience": config.get("patience"), "init_from": origin(self.first)}
        return compared(config) | own if config else {}

    @property
    def all(self) -> list[Run]:
        return [*self.counted, *(run for run, _ in self.others)]


def by_experiment(runs: Sequence[Run], metric: str | None, split: str) -> tuple[list[Experiment], list[ExcludedRun]]:
    """Group runs by experiment.

    Args:
        runs: newest first; of two completed runs with the same seed the newer one is counted.

    Returns:
        the experiments, and the runs that are excluded or have no finite value.
    """
    experiments: dict[str, Experiment] = {}
    excluded = []
    for run in runs:
        reason = _unusable(run)
        if reason:
            excluded.append(ExcludedRun.of(run, reason))
            continue
        run_settings = settings(run)
        identity = experiment(run, run_settings)
        own = experiments.setdefault(identity, Experiment(identity))
        reason = _reason(run, metric, split) or _duplicate(run, own)
        if reason:
            own.others.append((run, reason))
            excluded.append(ExcludedRun.of(run, reason))
            continue
        own.counted.append(run)
        own.seeds[run.info["seed"]] = run.id
        own.settings[run.id] = run_settings
        if not finite([value_of(run, metric, split)]):
            excluded.append(ExcludedRun.of(run, f"{split} {metric_of(run, metric)} is {value_of(run, metric, split)}"))
    return list(experiments.values()), excluded


def _unusable(run: Run) -> str:
    """Reason for which a run belongs to no experiment; empty if it belongs to one."""
    if run.record.verb == "eval":
        return "evaluation by dlcli eval, not a training run"
    if run.record.signature is None:
        return "run.json has no signature"
    seed = run.info.get("seed")
    if seed is None:
        return "run.json has no seed"
    return "" if isinstance(seed, int) and not isinstance(seed, bool) else f"seed must be an integer, got {seed!r}"


def _reason(run: Run, metric: str | None, split: str) -> str:
    """Reason for which a run has no value; empty if it has one."""
    if run.status != "completed":
        why = run.record.reason
        return f"{run.status}: {why}" if why else run.status
    scores = run.record.scores(split)
    if scores is None:
        return f"no scores on {split}"
    name = metric_of(run, metric)
    if name is None:
        return "run.json has no main metric"
    value = scores.get(name)
    if value is None:
        return f"no {split} {name} logged"
    return "" if is_number(value) else f"{split} {name} must be a number, got {value!r}"


def _duplicate(run: Run, own: Experiment) -> str:
    newer = own.seeds.get(run.info["seed"])
    return f"seed {run.info['seed']} is already represented by the newer run {newer}" if newer else ""


def metric_of(run: Run, metric: str | None) -> str | None:
    """The given metric, or the main metric of the run's task."""
    return metric or run.record.metric


def value_of(run: Run, metric: str | None, split: str) -> float:
    """Score of the selected checkpoint of a counted run."""
    scores, name = run.record.scores(split), metric_of(run, metric)
    assert scores is not None
    assert name is not None
    return float(scores[name])


def known_metric(runs: Sequence[Run], metric: str | None, split: str) -> str | None:
    """Current name of a metric, after a check that a run reports it; None for the main metric of each task.

    Raises:
        UsageError: no run has a score on the split, or none has the metric.
    """
    scored = [run.record for run in runs if run.status == "completed" and not _unusable(run)]
    splits = {name for record in scored for name in record.splits}
    if splits and split not in splits:
        raise UsageError("unknown_name", kind="split", name=split, known=splits)
    known = {name for record in scored for name in record.scores(split) or ()}
    if metric is None or not known:
        return metric
    name = current_name(metric, known)
    if name not in known:
        raise UsageError("unknown_name", kind=f"{split} metric", name=metric, known=known)
    return name
