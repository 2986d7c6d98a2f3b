"""Comparison of groups with a baseline: differences, corrected p-values and a summary."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from dlcli.core.errors import UsageError
from dlcli.report.comparison.equal_cost import at_equal_cost, uncounted
from dlcli.report.comparison.excluded import ExcludedRun
from dlcli.report.comparison.experiments import Experiment, by_experiment, known_metric
from dlcli.report.comparison.groups import Group, group_rows
from dlcli.report.comparison.identity import code_differences
from dlcli.report.comparison.run_table import differing
from dlcli.report.sanitize import one_line
from dlcli.report.statistics.hypothesis_tests import ArmComparison, compare_arms, compare_pair, power_statement
from dlcli.report.statistics.intervals import Kind
from dlcli.runs.record import Direction
from dlcli.runs.run import Run

ALPHA = 0.05
_MOST_ARMS = 24
"""Largest number of groups of which all pairs are tested; above it, p is corrected by Bonferroni, which is at least as
conservative as Holm."""


@dataclass(frozen=True)
class ComparisonOptions:
    """Options of a comparison.

    Args:
        metric: name of the metric; None for the main metric of each task.
        split: split of the compared scores.
        baseline: name of a group or model; None for the best group of each task.
        all_pairs: compare every pair of groups, not only pairs with the baseline.
        interval: kind of the confidence interval: auto, t or bca.
        x: counter for curves and costs; None for steps, without costs.
        direction: of the metric, for runs that do not state it; "max" if higher is better.
    """

    metric: str | None = None
    split: str = "test"
    baseline: str | None = None
    all_pairs: bool = False
    interval: Kind = "auto"
    x: str | None = None
    direction: Direction | None = None


@dataclass(frozen=True)
class Comparison:
    """Result of a comparison.

    Args:
        groups: rows of the table, by task, best first.
        pairs: compared groups, each with its task.
        sentence: summary, one line per task.
        left_out: excluded runs with reasons.
        notes: remarks for standard error.
        experiments: the runs of each group, by `Group.experiment`.
        all_pairs: True if every pair of groups was compared, False if only those with the baseline.
    """

    groups: list[Group]
    pairs: list[tuple[str, ArmComparison]]
    sentence: str
    left_out: list[ExcludedRun]
    notes: list[str] = field(default_factory=list)
    experiments: Mapping[str, Experiment] = field(default_factory=dict)
    all_pairs: bool = False

    def plain(self) -> dict[str, Any]:
        """The content of `--json`."""
        return {
            "groups": [row.plain() for row in self.groups],
            "pairs": [self.plain_pair(task, pair) for task, pair in self.pairs],
            "sentence": self.sentence,
            "left_out": [run.plain() for run in self.left_out],
        }

    def plain_pair(self, task: str, pair: ArmComparison) -> dict[str, Any]:
        return {"task": task, **asdict(pair), "verdict": self.verdict(pair)}

    def verdict(self, pair: ArmComparison) -> str:
        """Verdict on `a`, by the corrected p: better, worse, open or untested."""
        if pair.p_holm is None or pair.difference is None:
            return "untested"
        if pair.p_holm > ALPHA or pair.difference == 0:
            return "open"
        direction = next(row.direction for row in self.groups if row.name == pair.a)
        return "better" if (pair.difference > 0) == (direction == "max") else "worse"


def compare(runs: Sequence[Run], question: ComparisonOptions, damaged: Sequence[ExcludedRun] = ()) -> Comparison:
    """Group runs, compare the groups of each task, and state which differences are significant.

    Args:
        runs: newest first.
        question: metric, split, baseline and statistics of the comparison.
        damaged: run directories that could not be read, reported beside the runs that are excluded here.

    Raises:
        UsageError: the metric, split, counter or baseline is unknown, no run can be compared, or the direction of the
            metric is unknown or contradictory.
    """
    metric = known_metric(runs, question.metric, question.split)
    experiments, excluded = by_experiment(runs, metric, question.split)
    if runs and not experiments:
        raise UsageError("not_comparable", count=len(runs), hint="\n".join(_reasons(excluded)))
    groups = group_rows(experiments, metric, question.split, question.interval, question.direction)
    by_identity = {experiment.experiment: experiment for experiment in experiments}
    _check_directions(groups, by_identity)
    groups = at_equal_cost(groups, by_identity, question.x)
    arms: dict[str, list[Group]] = {}
    for row in groups:
        if row.comparable:
            arms.setdefault(row.yardstick, []).append(row)
    baselines = _baselines(arms, question.baseline)
    pairs = [(task, pair) for task, members in arms.items() for pair in _pairs(members, baselines[task], question)]
    sentence = _sentences(arms, pairs, baselines, question)
    notes = [*_mixed(experiments), *_substituted(arms, baselines, question.baseline), *_unpaired(pairs)]
    notes += uncounted(groups, question.x)
    return Comparison(groups, pairs, sentence, [*excluded, *damaged], notes, by_identity, question.all_pairs)


def _check_directions(groups: Sequence[Group], experiments: Mapping[str, Experiment]) -> None:
    """Check that the direction of each compared metric is known.

    Raises:
        UsageError: a run does not state it, and --direction is missing.
    """
    for row in groups:
        if row.n and row.direction is None:
            metric, run = row.metric.partition(" ")[2], experiments[row.experiment].first
            raise UsageError(
                "required",
                key="--direction",
                reason=f"run {run.id} does not state the direction of {metric}",
                hint="Use --direction max if higher is better, --direction min if lower is better.",
            )


def _reasons(excluded: Sequence[ExcludedRun]) -> list[str]:
    """Reasons of the first excluded runs, one line each."""
    more = [f"and {len(excluded) - 3} more"] if len(excluded) > 3 else []
    return [*(one_line(f"{run.id}: {run.reason}") for run in excluded[:3]), *more]


def _baselines(arms: Mapping[str, Sequence[Group]], name: str | None) -> dict[str, Group]:
    """Baseline of each task: the named group if the task has it, else the best group.

    Raises:
        UsageError: the name matches no group or more than one.
    """
    matches = {task: _match(name, members) if name is not None else None for task, members in arms.items()}
    if name is not None and arms and not any(matches.values()):
        known = {known for members in arms.values() for row in members for known in (row.name, row.model)}
        raise UsageError("unknown_name", kind="--baseline group", name=name, known=known)
    return {task: matches[task] or _best(members) for task, members in arms.items()}


def _best(groups: Sequence[Group]) -> Group:
    """Group with the best mean: of those with at least half of their seeds, else of those with two, else of all."""
    tested = [row for row in groups if row.n > 1]
    mostly_complete = [row for row in tested if 2 * row.n >= len(row.seeds)]
    return (mostly_complete or tested or groups)[0]


def _match(name: str, groups: Sequence[Group]) -> Group | None:
    """The group of a name, else the only one of a model or signature; None without a match.

    Raises:
        UsageError: several groups match.
    """
    exact = [row for row in groups if row.name == name]
    matches = exact or [row for row in groups if row.model == name or row.signature == name]
    if len(matches) > 1:
        names = ", ".join(repr(row.name) for row in matches[:5])
        hint = "Give the complete name of the group."
        raise UsageError("ambiguous", name=name, count=len(matches), kind="groups", matches=names, hint=hint)
    return matches[0] if matches else None


def _uses_bonferroni(arms: int, question: ComparisonOptions) -> bool:
    return arms > _MOST_ARMS and question.baseline is None and not question.all_pairs


def _pairs(groups: Sequence[Group], baseline: Group, question: ComparisonOptions) -> list[ArmComparison]:
    arms = {row.name: row.arm for row in groups}
    if not _uses_bonferroni(len(arms), question):
        return compare_arms(arms, baseline.name, question.all_pairs, picked=question.baseline is None)
    family = len(arms) * (len(arms) - 1) // 2
    pairs = [replace(compare_pair(arms[a], baseline.arm), a=a, b=baseline.name) for a in arms if a != baseline.name]
    return [replace(pair, p_holm=None if pair.p is None else min(1.0, family * pair.p)) for pair in pairs]


def _sentences(
    arms: Mapping[str, Sequence[Group]],
    pairs: Sequence[tuple[str, ArmComparison]],
    baselines: Mapping[str, Group],
    question: ComparisonOptions,
) -> str:
    """One line per task: the significant differences, and the smallest p that its number of seeds permits."""
    lines = []
    for task, members in arms.items():
        in_task = [pair for pair_task, pair in pairs if pair_task == task]
        if not in_task:
            continue
        prefix = f"{task}: " if len(arms) > 1 else ""
        correction = "Bonferroni" if _uses_bonferroni(len(members), question) else "Holm"
        name = _baseline_text(baselines[task], members, question.baseline)
        result = _result(in_task, baselines[task], members[0].direction, name, correction)
        family = question.all_pairs or question.baseline is None
        lines.append(f"{prefix}{result} {_limits(in_task, len(members), family)}".rstrip())
    return "\n".join(lines)


def _limits(pairs: Sequence[ArmComparison], arms: int, all_pairs: bool) -> str:
    """The smallest attainable p, by numbers of seeds of the tested pairs; of all pairs if none was tested."""
    seeds = sorted({(pair.n, pair.paired) for pair in pairs if pair.p is not None})
    if not seeds:
        return power_statement(max(pair.n for pair in pairs), arms, all_pairs, all(pair.paired for pair in pairs))
    (n, paired), *others = seeds
    return power_statement(n, arms, all_pairs, paired, others)


def _baseline_text(baseline: Group, groups: Sequence[Group], name: str | None) -> str:
    """The baseline with the reason for its choice, and better groups that have too few seeds."""
    if name is not None:
        return f"{baseline.name} (baseline)"
    skipped = groups[: groups.index(baseline)]
    shown = ", ".join(f"{row.name} with {row.n} of {len(row.seeds)} seeds" for row in skipped[:3])
    more = f" and {len(skipped) - 3} more" if len(skipped) > 3 else ""
    return f"{baseline.name} (best mean{f'; skipped: {shown}{more}' if skipped else ''})"


def _result(
    pairs: Sequence[ArmComparison], baseline: Group, direction: Direction | None, name: str, correction: str
) -> str:
    tested = [pair for pair in pairs if pair.b == baseline.name]
    significant = [pair for pair in tested if pair.p_holm is not None and pair.p_holm <= ALPHA and pair.difference]
    if not significant:
        return f"No significant difference from {name} at alpha = {ALPHA} ({correction}-corrected)."
    better = [pair.a for pair in significant if ((pair.difference or 0) > 0) == (direction == "max")]
    worse = [pair.a for pair in significant if pair.a not in better]
    parts = [f"{_joined(better, 6)} significantly better"] if better else []
    parts += [f"{_joined(worse, 6)} significantly worse"] if worse else []
    rest = len(tested) - len(significant)
    tail = f", {rest} without a significant difference" if rest else ""
    return f"Compared with {name}: {', '.join(parts)}{tail} (alpha = {ALPHA}, {correction}-corrected)."


def _unpaired(pairs: Sequence[tuple[str, ArmComparison]]) -> list[str]:
    """Notes on pairs that share seeds but were compared unpaired."""
    names: dict[str, list[str]] = {}
    for _, pair in pairs:
        if pair.note:
            names.setdefault(pair.note, []).append(f"{pair.a} and {pair.b}")
    return [f"{note}: {_joined(pair_names, 3)}" for note, pair_names in names.items()]


def _joined(names: Sequence[str], most: int) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _mixed(experiments: Sequence[Experiment]) -> list[str]:
    """Notes on recipes whose runs form several experiments, with the keys that differ."""
    by_label: dict[tuple[str, str], list[Experiment]] = {}
    for experiment in experiments:
        info = experiment.first.info
        by_label.setdefault((info["label"], str(info.get("task"))), []).append(experiment)
    notes = []
    for (label, _), members in by_label.items():
        if len(members) > 1:
            keys = differing([experiment.keys for experiment in members], absent=True)
            why = f"they differ in {', '.join(keys[:8])}{' ...' * (len(keys) > 8)}" if keys else _hidden(members)
            notes.append(f"{label}: {len(members)} experiments, not averaged: {why}")
    return notes


def _hidden(experiments: Sequence[Experiment]) -> str:
    """The difference between experiments of equal configuration: source code, class versions, dlcli, or data files."""
    records = [experiment.first.record for experiment in experiments]
    differences = code_differences(records)
    if differences:
        command = f"dlcli compare configs {records[0].id} {records[1].id}"
        more = " ..." * (len(differences) > 4)
        return f"the configurations are equal; {', '.join(differences[:4])}{more}: see {command}"
    if len({record.schema for record in records}) > 1:
        return "the configurations are equal, but versions of dlcli compute signatures differently"
    return "the configurations are equal, so the contents of the data files differ"


def _substituted(arms: Mapping[str, Sequence[Group]], baselines: Mapping[str, Group], name: str | None) -> list[str]:
    if name is None:
        return []
    others = [task for task, members in arms.items() if _match(name, members) is None]
    return [
        f"{task} has no group {name!r}: its best group, {baselines[task].name!r}, is the baseline" for task in others
    ]
