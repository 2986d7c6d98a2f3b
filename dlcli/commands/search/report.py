"""Final evaluation of a search: best candidate from scratch, random search of equal cost, hand-designed baseline."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from statistics import fmean
from typing import Any

from dlcli.commands.search.plots import keep_curves
from dlcli.commands.search.result import Candidate, CompletedSearch, Cost, mean_value
from dlcli.commands.search.trials import TrialRuns
from dlcli.config import run_config
from dlcli.core.artifacts import encode
from dlcli.core.learner import TableArtifact
from dlcli.core.metric import Metric
from dlcli.core.trials import Trial, TrialResult
from dlcli.learners.strategies.random_trials import Random
from dlcli.report import terminal_tables
from dlcli.report.charts.architecture import svg
from dlcli.report.comparison.comparison import ComparisonOptions, compare
from dlcli.report.comparison.output import print_table
from dlcli.report.formatting import duration, number
from dlcli.runs.run import Run

_RANDOM_COLUMNS = ("trial", "words", "value", "status", "steps", "seconds", "run")
_FEWEST_PAIRS = 3  # that a rank correlation requires

_METRICS = (
    Metric("search_steps", "min", "steps"),
    Metric("search_seconds", "min", "s"),
    Metric("kendall_tau", "max"),
)

Say = Callable[[str], None]


class SearchReport:
    """Write best.yaml, train the arms of the final table, and record results and costs in run.json.

    Args:
        run: run of the search.
        trials: executes the runs of the arms.
        config: configuration of the search.
        search: the completed search.
    """

    def __init__(self, run: Run, trials: TrialRuns, config: Mapping[str, Any], search: CompletedSearch) -> None:
        self._run, self._trials, self._search = run, trials, search
        self._options = config["retrain"]
        self._over = config["over"] if "over" in config["strategy"] else []
        self._seed = config["seed"]

    def __call__(self, say: Say) -> None:
        """Run the whole evaluation; runs that completed before an interruption are reused.

        Args:
            say: prints a line of progress.
        """
        keep_curves(self._run)
        candidates = self._search.candidates()
        if not candidates:
            raise RuntimeError("every candidate failed: see artifacts/architectures.csv")
        self._scratch: dict[int, list[TrialResult]] = {}
        best = self._select(candidates, say)
        cost = self._cost()
        record: dict[str, Any] = {"value": best.value, "shared": self._search.shares and not self._scratch}
        record |= {"metric": self._trials.goal.metric, "cost": asdict(cost)}
        self._keep_best(best, record["shared"])
        self._run.info["search"] = record
        arms = {"found": best.words}
        suffix = " with shared weights" if record["shared"] else ""
        say(f"best: validation {self._trials.goal.metric} {number(best.value)}{suffix}: {' '.join(best.words)}")
        random_outcomes: list[TrialResult] = []
        if not self._search.is_random and self._options["random"] != 0:
            random_outcomes = self._random_search(best, cost, say)
            random_best = self._best_outcome(random_outcomes)
            value = random_best.value if random_best else None
            record["random"] = {"value": value, "cost": asdict(_total_cost(random_outcomes))}
            arms |= {"random": random_best.trial.words} if random_best else {}
        if self._search.shares:
            record["agreement"] = self._rank_correlation(candidates, random_outcomes, say)
        if self._options["seeds"]:
            record["arms"], record["same"] = self._retrain(arms | {"hand-made": self._search.hand_made()}, say)
        self._record_scores(record)

    def _record_scores(self, record: Mapping[str, Any]) -> None:
        """Store the metrics of claims and tables: mean test score per arm, search cost, rank correlation."""
        metric, scores = self._trials.goal.metric, self._run.info["metrics"].setdefault("test", {})
        scores["search_steps"] = float(record["cost"]["steps"])
        scores["search_seconds"] = float(record["cost"]["seconds"])
        for arm, paths in record.get("arms", {}).items():
            tests = [Run.open(self._run.path / path).info["metrics"].get("test", {}) for path in paths]
            if len(tests) == self._options["seeds"] and all(metric in test for test in tests):
                scores[f"{_identifier(arm)}_{metric}"] = fmean(test[metric] for test in tests)
        for arm, other in record.get("same", {}).items():
            if (name := f"{_identifier(other)}_{metric}") in scores:
                scores[f"{_identifier(arm)}_{metric}"] = scores[name]
        if (tau := record.get("agreement", {}).get("tau")) is not None:
            scores["kendall_tau"] = tau
        self._declare(scores)

    def _declare(self, names: Iterable[str]) -> None:
        """Declare direction and unit of the metrics; an arm's metric has those of the task's metric."""
        declared, goal = self._run.info.setdefault("metric_info", {}), self._trials.goal
        goal_info = {**Metric(goal.metric, goal.direction).info(), **declared.get(goal.metric, {})}
        own = {metric.name: metric.info() for metric in _METRICS}
        for name in names:
            declared.setdefault(name, own.get(name) or goal_info)

    def _select(self, candidates: Sequence[Candidate], say: Say) -> Candidate:
        """Best candidate: the first, or with finalists the one with the best validation score from scratch."""
        count = min(self._options["finalists"], len(candidates)) if self._search.shares else 0
        if not count:
            return candidates[0]
        say(f"training {count} finalist{'s' * (count != 1)} from scratch")
        self._train_from_scratch(candidates, range(count), "finalist", self._options["trainings"])
        goal = self._trials.goal
        values = {index: mean_value(self._scratch[index]) for index in range(count)}
        best = min(values, key=lambda index: goal.rank(float(values[index])))
        return replace(candidates[best], value=float(values[best]))

    def _train_from_scratch(
        self, candidates: Sequence[Candidate], indices: Sequence[int], arm: str, repeats: int
    ) -> None:
        """Train candidates from scratch with the seed of the search and, if repeated, with seeds used nowhere else."""
        first = self._seed + 1 + self._options["seeds"]
        seeds = [self._seed, *range(first, first + repeats - 1)]
        trials = [
            Trial(index * repeats + repeat, (*candidates[index].words, *self._until(), f"seed={seed}"))
            for index in indices
            for repeat, seed in enumerate(seeds)
        ]
        for outcome in self._trials.with_arm(arm).carry_out(trials):
            self._scratch.setdefault(outcome.trial.number // repeats, []).append(outcome)
        self._search.write_scores(self._scratch)

    def _cost(self) -> Cost:
        """Cost of the search and of the finalists' trainings."""
        search = self._search.cost()
        finalists = _total_cost([outcome for outcomes in self._scratch.values() for outcome in outcomes])
        return Cost(search.trials, search.steps + finalists.steps, search.seconds + finalists.seconds)

    def _keep_best(self, best: Candidate, shared: bool) -> None:
        """Write best.yaml for `dlcli train --from-search`, and the graph of an architecture."""
        metric = self._trials.goal.metric
        values = {"search": self._run.id, f"shared_{metric}" if shared else metric: best.value}
        self._run.keep("best.yaml", run_config.dump(values | {"words": [*best.words, *self._until()]}).encode())
        if best.architecture is not None and self._trials.space is not None:
            title = f"validation {metric} {number(best.value)}{' with shared weights' if shared else ''}"
            self._run.keep("cell.svg", svg(self._trials.space.graph(best.architecture), title).encode())

    def _until(self) -> tuple[str, ...]:
        limits = ", ".join(f"{name}: {limit}" for name, limit in self._options["until"].items())
        return (f"until={{{limits}}}",) if limits else ()

    def _random_search(self, best: Candidate, cost: Cost, say: Say) -> list[TrialResult]:
        """Random search with the cost of this search."""
        runs = self._trials.with_arm("beside")
        stops = runs.stops(Trial(0, best.words, until=self._search.until))
        count = self._options["random"] or _affordable_trials(cost, stops)
        say(f"random search of equal cost: training {count} from scratch")
        source = Random(runs, candidates=count, batch=1, seed=self._seed, over=self._over)
        sampled = [source.trial(index) for index in range(count)]
        trials = [Trial(trial.number, self._search.words(trial), until=self._search.until) for trial in sampled]
        outcomes = runs.carry_out(trials)
        rows = [
            (run.trial.number, " ".join(run.trial.words), run.value, run.status, run.steps, run.seconds, run.run)
            for run in outcomes
        ]
        self._run.keep("beside.csv", encode(TableArtifact(_RANDOM_COLUMNS, rows))[1])
        return [
            replace(outcome, trial=replace(outcome.trial, architecture=trial.architecture))
            for outcome, trial in zip(outcomes, sampled, strict=True)
        ]

    def _best_outcome(self, outcomes: Sequence[TrialResult]) -> TrialResult | None:
        best = None
        for outcome in outcomes:
            if self._trials.goal.better(outcome.value, best.value if best else None):
                best = outcome
        return best

    def _retrain(self, arms: Mapping[str, tuple[str, ...]], say: Say) -> tuple[dict[str, list[str]], dict[str, str]]:
        """Train the arms from scratch over seeds that the search did not use; equal arms are trained once.

        Returns:
            the runs of each arm, relative to the directory of the search; and {arm: equal arm that was trained}.
        """
        seeds = range(self._seed + 1, self._seed + 1 + self._options["seeds"])
        first_arm: dict[str, str] = {}
        runs: dict[str, list[str]] = {}
        same: dict[str, str] = {}
        for arm, words in arms.items():
            core = self._trials.core(Trial(0, (*words, *self._until())))
            if core in first_arm:
                same[arm] = first_arm[core]
                continue
            first_arm[core] = arm
            say(f"training {arm} from scratch with {len(seeds)} seed{'s' * (len(seeds) != 1)}")
            trials = [Trial(seed, (*words, *self._until(), f"seed={seed}")) for seed in seeds]
            runs[arm] = [outcome.run for outcome in self._trials.with_arm(arm).carry_out(trials) if outcome.run]
        return runs, same

    def _rank_correlation(
        self, candidates: Sequence[Candidate], random_outcomes: Sequence[TrialResult], say: Say
    ) -> dict[str, Any]:
        """Kendall's tau between scores with shared weights and from scratch, over all networks with both scores."""
        from scipy.stats import kendalltau

        if count := min(self._options["ranked"], len(candidates)):
            even = {round(index * (len(candidates) - 1) / max(1, count - 1)) for index in range(count)}
            say(f"rank correlation: training {len(even)} candidates from scratch")
            self._train_from_scratch(candidates, sorted(even - {*self._scratch}), "ranked", 1)
        pairs = [(candidates[index].value, float(mean_value(outcomes))) for index, outcomes in self._scratch.items()]
        for outcome in random_outcomes:
            architecture = outcome.trial.architecture
            shared = self._search.shared(architecture) if architecture is not None else None
            pairs += [(shared, outcome.value)] if shared is not None else []
        pairs = [pair for pair in pairs if pair[0] == pair[0] and pair[1] == pair[1]]
        tau = float(kendalltau(*zip(*pairs, strict=True)).statistic) if len(pairs) >= _FEWEST_PAIRS else float("nan")
        return {"tau": tau if tau == tau else None, "candidates": len(pairs), "scores": pairs}


def _identifier(arm: str) -> str:
    return arm.replace("-", "_")


def _total_cost(outcomes: Sequence[TrialResult]) -> Cost:
    steps = sum(outcome.steps for outcome in outcomes)
    return Cost(len(outcomes), steps, sum((outcome.seconds for outcome in outcomes), 0.0))


def _affordable_trials(cost: Cost, stops: Mapping[str, int | float]) -> int:
    """Number of trials with these stops that cost as much as the search, at least 1."""
    spent = {"steps": cost.steps, "batches": cost.steps, "updates": cost.steps, "seconds": cost.seconds}
    return max(1, min((int(spent[name] / limit) for name, limit in stops.items() if name in spent), default=1))


def print_result(run: Run) -> None:
    """Print the costs of the search and of the random search, the rank correlation and the final table."""
    record = run.info.get("search")
    if not record:
        return
    searches = {"search": record} | ({"random search": record["random"]} if "random" in record else {})
    rows = [
        (name, number(search["value"]) if search["value"] is not None else "-",
         "shared weights" if search.get("shared") else "from scratch", f"{search['cost']['trials'] or 'shared'}",
         f"{search['cost']['steps']:,}", duration(search["cost"]["seconds"]))
        for name, search in searches.items()
    ]  # fmt: skip
    columns = ("search", f"validation {record['metric']}", "evaluated", "candidates", "steps", "time")
    terminal_tables.print_table(columns, rows, numeric=(columns[1], *columns[3:]))
    if (agreement := record.get("agreement")) and agreement["tau"] is not None:
        terminal_tables.print_line(
            f"Kendall's tau of scores with shared weights and from scratch: {number(agreement['tau'])} "
            f"(n = {agreement['candidates']} networks)"
        )
    for arm, other in record.get("same", {}).items():
        terminal_tables.print_line(f"{arm} is identical to {other}")
    paths = [run.path / path for arm_paths in record.get("arms", {}).values() for path in arm_paths]
    if trained := [Run.open(path) for path in paths if (path / "run.json").is_file()]:
        print_table(compare(trained, ComparisonOptions()), 4)
    terminal_tables.print_line(f"next: dlcli train --from-search {run.path}")
