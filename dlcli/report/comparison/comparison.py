"""Groups against a baseline: which differences the seeds support."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from dlcli.core.errors import UsageError, nearest
from dlcli.report.comparison.equal_cost import at_equal_cost, uncounted
from dlcli.report.comparison.excluded import Left
from dlcli.report.comparison.experiments import Bunch, bunch, known_metric
from dlcli.report.comparison.groups import Group, rows
from dlcli.report.comparison.run_table import differing
from dlcli.report.statistics.hypothesis_tests import Pair, compare_arms, compare_pair, sentence
from dlcli.report.statistics.intervals import Kind
from dlcli.runs.record import Direction
from dlcli.runs.run import Run

ALPHA = 0.05
_MOST_ARMS = 24
"""Beyond, not all pairs are computed: their p is corrected by Bonferroni's factor, which is never kinder than Holm."""


@dataclass(frozen=True)
class Question:
    """What is asked of the runs.

    Args:
        metric: None is the task's main metric.
        split: whose score.
        baseline: the name of a group, model or recipe; None is the best group of each task.
        all_pairs: every pair of groups, not only those with the baseline.
        interval: auto, t or bca.
        x: the counter that curves and costs are measured by.
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
    """The answer: rows, pairs by task, a plain sentence, runs that do not count, and remarks for standard error.

    Args:
        all_pairs: the pairs are all of them, not those with the baseline.
    """

    groups: list[Group]
    pairs: list[tuple[str, Pair]]
    sentence: str
    left_out: list[Left]
    notes: list[str] = field(default_factory=list)
    bunches: Mapping[str, Bunch] = field(default_factory=dict)
    all_pairs: bool = False

    def plain(self) -> dict[str, Any]:
        """As `--json` has it."""
        return {
            "groups": [row.plain() for row in self.groups],
            "pairs": [self.plain_pair(task, pair) for task, pair in self.pairs],
            "sentence": self.sentence,
            "left_out": [one.plain() for one in self.left_out],
        }

    def plain_pair(self, task: str, pair: Pair) -> dict[str, Any]:
        return {"task": task, **asdict(pair), "verdict": self.verdict(pair)}

    def verdict(self, pair: Pair) -> str:
        """better, worse or open: of `a`, after the correction."""
        if pair.p_holm is None or pair.difference is None:
            return "untested"
        if pair.p_holm > ALPHA or pair.difference == 0:
            return "open"
        direction = next(row.direction for row in self.groups if row.name == pair.a)
        return "better" if (pair.difference > 0) == (direction == "max") else "worse"


def compare(found: Sequence[Run], question: Question, damaged: Sequence[Left] = ()) -> Comparison:
    """Group, compare within each task, and say what the seeds can show.

    Raises:
        UsageError: the metric, split, counter or baseline is not there, no run counts, or the direction of the metric
            is unknown or contradictory.
    """
    metric = known_metric(found, question.metric, question.split)
    bunches, left = bunch(found, metric, question.split)
    if found and not bunches:
        raise UsageError("\n".join([f"none of {len(found)} runs can be compared", *_reasons(left)]))
    groups = rows(bunches, metric, question.split, question.interval, question.direction)
    own = {one.experiment: one for one in bunches}
    _check_directions(groups, own)
    groups = at_equal_cost(groups, own, question.x)
    arms: dict[str, list[Group]] = {}
    for row in groups:
        if row.comparable:
            arms.setdefault(row.yardstick, []).append(row)
    chosen = _baselines(arms, question.baseline)
    pairs = [(task, pair) for task, some in arms.items() for pair in _pairs(some, chosen[task], question)]
    said = _sentences(arms, pairs, chosen, question)
    notes = [*_mixed(bunches), *_substituted(arms, chosen, question.baseline), *_unmatched(pairs)]
    notes += uncounted(groups, question.x)
    return Comparison(groups, pairs, said, [*left, *damaged], notes, own, question.all_pairs)


def _check_directions(groups: Sequence[Group], bunches: Mapping[str, Bunch]) -> None:
    """Check that the direction of each compared metric is known.

    Raises:
        UsageError: a run does not state it, and --direction is missing.
    """
    for row in groups:
        if row.n and row.direction is None:
            metric, run = row.metric.partition(" ")[2], bunches[row.experiment].first
            raise UsageError(
                "required",
                key="--direction",
                reason=f"run {run.id} does not state the direction of {metric}",
                hint="Use --direction max if higher is better, --direction min if lower is better.",
            )


def _reasons(left: Sequence[Left]) -> list[str]:
    """The first runs that do not count, and why."""
    more = [f"and {len(left) - 3} more"] if len(left) > 3 else []
    return [*(f"{one.id}: {one.reason}" for one in left[:3]), *more]


def _baselines(arms: Mapping[str, Sequence[Group]], wanted: str | None) -> dict[str, Group]:
    """The baseline of each task: the one asked for where the task has it, the best elsewhere.

    Raises:
        UsageError: no group is called so, or several are.
    """
    found = {task: _called(wanted, some) if wanted is not None else None for task, some in arms.items()}
    if wanted is not None and arms and not any(found.values()):
        known = {name for some in arms.values() for row in some for name in (row.name, row.model)}
        raise UsageError(f"--baseline: no group with a value is called {wanted!r}{nearest(wanted, known)}")
    return {task: found[task] or _best(some) for task, some in arms.items()}


def _best(some: Sequence[Group]) -> Group:
    """The best mean of the groups that have most of their seeds, else of those that can be tested, else of all."""
    tested = [row for row in some if row.n > 1]
    kept = [row for row in tested if 2 * row.n >= len(row.seeds)]
    return (kept or tested or some)[0]


def _called(wanted: str, some: Sequence[Group]) -> Group | None:
    """By its name, else by its model or the signature's beginning."""
    exact = [row for row in some if row.name == wanted]
    close = exact or [row for row in some if row.model == wanted or row.signature == wanted]
    if len(close) > 1:
        names = ", ".join(repr(row.name) for row in close[:5])
        raise UsageError(f"--baseline {wanted!r} may be any of {names}: give the whole name")
    return close[0] if close else None


def _pairs(some: Sequence[Group], baseline: Group, question: Question) -> list[Pair]:
    arms = {row.name: row.arm for row in some}
    picked = question.baseline is None
    if len(arms) <= _MOST_ARMS or not picked or question.all_pairs:
        return compare_arms(arms, baseline.name, question.all_pairs, picked=picked)
    family = len(arms) * (len(arms) - 1) // 2
    found = [replace(compare_pair(arms[a], baseline.arm), a=a, b=baseline.name) for a in arms if a != baseline.name]
    return [replace(pair, p_holm=None if pair.p is None else min(1.0, family * pair.p)) for pair in found]


def _sentences(
    arms: Mapping[str, Sequence[Group]],
    pairs: Sequence[tuple[str, Pair]],
    chosen: Mapping[str, Group],
    question: Question,
) -> str:
    """For each task: the result in words, and what so many seeds can show at all."""
    said = []
    for task, some in arms.items():
        own = [pair for where, pair in pairs if where == task]
        if not own:
            continue
        wide = question.all_pairs or question.baseline is None
        lead = f"{task}: " if len(arms) > 1 else ""
        head = _head(chosen[task], some, question.baseline)
        said.append(f"{lead}{_result(own, chosen[task], some[0].direction, head)}; {_limits(own, len(some), wide)}")
    return "\n".join(f"{one}." for one in said)


def _limits(own: Sequence[Pair], arms: int, wide: bool) -> str:
    """What the seeds of the pairs can show: those that were tested, where any were."""
    sorts = sorted({(pair.n, pair.paired) for pair in own if pair.p is not None})
    if not sorts:
        return sentence(max(pair.n for pair in own), arms, wide, all(pair.paired for pair in own))
    (n, paired), *others = sorts
    return sentence(n, arms, wide, paired, others)


def _head(baseline: Group, some: Sequence[Group], wanted: str | None) -> str:
    """The baseline, why it is it, and which groups with a better mean it is not."""
    if wanted is not None:
        return f"{baseline.name} (the baseline)"
    passed = some[: some.index(baseline)]
    few = ", ".join(f"{row.name} with {row.n} of {len(row.seeds)} seeds" for row in passed[:3])
    more = f" and {len(passed) - 3} more" if len(passed) > 3 else ""
    return f"{baseline.name} (the best mean{f'; passed over: {few}{more}' if passed else ''})"


def _result(own: Sequence[Pair], baseline: Group, direction: Direction | None, head: str) -> str:
    against = [pair for pair in own if pair.b == baseline.name]
    shown = [pair for pair in against if pair.p_holm is not None and pair.p_holm <= ALPHA and pair.difference]
    if not shown:
        return f"no difference from {head} is shown at {ALPHA} after the correction"
    ahead = [pair.a for pair in shown if ((pair.difference or 0) > 0) == (direction == "max")]
    behind = [pair.a for pair in shown if pair.a not in ahead]
    parts = [f"{_few(ahead)} better"] if ahead else []
    parts += [f"{_few(behind)} worse"] if behind else []
    rest = len(against) - len(shown)
    tail = f", {rest} open" if rest else ""
    return f"against {head}, after the correction: {' and '.join(parts)}{tail}"


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return f"{', '.join(names[:6])}{more} {'is' if len(names) == 1 else 'are'}"


def _unmatched(pairs: Sequence[tuple[str, Pair]]) -> list[str]:
    """Pairs that share seeds and are not paired all the same."""
    found: dict[str, list[str]] = {}
    for _, pair in pairs:
        if pair.note:
            found.setdefault(pair.note, []).append(f"{pair.a} and {pair.b}")
    return [f"{note}: {_several(names)}" for note, names in found.items()]


def _several(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _mixed(bunches: Sequence[Bunch]) -> list[str]:
    """Recipes with several experiments: that they are not averaged, and the keys that differ."""
    alike: dict[tuple[str, str], list[Bunch]] = {}
    for one in bunches:
        info = one.first.info
        alike.setdefault((info["label"], str(info.get("task"))), []).append(one)
    said = []
    for (label, _), several in alike.items():
        if len(several) > 1:
            keys = differing([one.keys for one in several], absent=True)
            why = f"they differ in {', '.join(keys[:8])}{' ...' * (len(keys) > 8)}" if keys else _SAME_CONFIG
            said.append(f"{label}: {len(several)} experiments, kept apart: {why}")
    return said


_SAME_CONFIG = "the configurations are equal, so the data files had other contents"


def _substituted(arms: Mapping[str, Sequence[Group]], chosen: Mapping[str, Group], wanted: str | None) -> list[str]:
    if wanted is None:
        return []
    others = [task for task, some in arms.items() if _called(wanted, some) is None]
    return [f"{task} has no group {wanted!r}: the best, {chosen[task].name!r}, is its baseline" for task in others]
