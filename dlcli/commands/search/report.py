"""The end of a search: what was found, from scratch, beside random search at its price and a hand-made network."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from statistics import fmean
from typing import Any

from dlcli.commands.search.plots import keep_curves
from dlcli.commands.search.result import Candidate, Cost, Search, mean_value
from dlcli.commands.search.trials import Runs
from dlcli.config import run_config
from dlcli.core.artifacts import encode
from dlcli.core.learner import Rows
from dlcli.core.metric import Metric
from dlcli.core.trials import Outcome, Trial
from dlcli.learners.strategies.random_trials import Random
from dlcli.report import terminal_tables
from dlcli.report.charts.architecture import svg
from dlcli.report.comparison.comparison import Question, compare
from dlcli.report.comparison.output import print_table
from dlcli.report.formatting import duration, number
from dlcli.runs.run import Run

_BESIDE = ("trial", "words", "value", "status", "steps", "seconds", "run")
_AGREED = 3  # members that a rank correlation needs

_METRICS = (
    Metric("search_steps", "min", "steps"),
    Metric("search_seconds", "min", "s"),
    Metric("kendall_tau", "max"),
)

Say = Callable[[str], None]


class Verdict:
    """Writes best.yaml, trains the arms of the final table, and says in run.json what everything cost.

    Args:
        run: the search's.
        trials: carries out the runs of the arms.
        config: the search's.
        search: what it came to.
    """

    def __init__(self, run: Run, trials: Runs, config: Mapping[str, Any], search: Search) -> None:
        self._run, self._trials, self._search = run, trials, search
        self._asked = config["retrain"]
        self._over = config["over"] if "over" in config["strategy"] else []
        self._seed = config["seed"]

    def __call__(self, say: Say) -> None:
        """All of it; what was carried out before a stop is not done again."""
        keep_curves(self._run)
        candidates = self._search.candidates()
        if not candidates:
            raise RuntimeError("every candidate failed: see artifacts/architectures.csv")
        self._alone: dict[int, list[Outcome]] = {}
        best = self._chosen(candidates, say)
        cost = self._cost()
        told: dict[str, Any] = {"value": best.value, "shared": self._search.shares and not self._alone}
        told |= {"metric": self._trials.goal.metric, "cost": asdict(cost)}
        self._keep_best(best, told["shared"])
        self._run.info["search"] = told
        arms = {"found": best.words}
        said = "with shared weights: " if told["shared"] else ""
        say(f"found: valid {self._trials.goal.metric} {number(best.value)} {said}{' '.join(best.words)}")
        beside: list[Outcome] = []
        if not self._search.is_random and self._asked["random"] != 0:
            beside = self._random(best, cost, say)
            first = self._better(beside)
            told["random"] = {"value": first.value if first else None, "cost": asdict(_spent(beside))}
            arms |= {"random": first.trial.words} if first else {}
        if self._search.shares:
            told["agreement"] = self._agreement(candidates, beside, say)
        if self._asked["seeds"]:
            told["arms"], told["same"] = self._retrain(arms | {"hand-made": self._search.hand_made()}, say)
        self._score(told)

    def _score(self, told: Mapping[str, Any]) -> None:
        """What claims and tables read: mean test score of each arm from scratch, what was spent, rank correlation."""
        metric, scores = self._trials.goal.metric, self._run.info["metrics"].setdefault("test", {})
        scores["search_steps"] = float(told["cost"]["steps"])
        scores["search_seconds"] = float(told["cost"]["seconds"])
        for arm, paths in told.get("arms", {}).items():
            runs = [Run.open(self._run.path / path).info["metrics"].get("test", {}) for path in paths]
            if len(runs) == self._asked["seeds"] and all(metric in one for one in runs):
                scores[f"{_plain(arm)}_{metric}"] = fmean(one[metric] for one in runs)
        for arm, other in told.get("same", {}).items():
            if (name := f"{_plain(other)}_{metric}") in scores:
                scores[f"{_plain(arm)}_{metric}"] = scores[name]
        if (tau := told.get("agreement", {}).get("tau")) is not None:
            scores["kendall_tau"] = tau
        self._declare(scores)

    def _declare(self, names: Iterable[str]) -> None:
        """Direction and unit of the metrics of a search; those of an arm are the task's metric."""
        known, goal = self._run.info.setdefault("metric_info", {}), self._trials.goal
        of_goal = {**Metric(goal.metric, goal.direction).info(), **known.get(goal.metric, {})}
        own = {metric.name: metric.info() for metric in _METRICS}
        for name in names:
            known.setdefault(name, own.get(name) or of_goal)

    def _chosen(self, candidates: Sequence[Candidate], say: Say) -> Candidate:
        """The first, or of the first few, trained alone, the one that is best on valid."""
        count = min(self._asked["finalists"], len(candidates)) if self._search.shares else 0
        if not count:
            return candidates[0]
        say(f"finalists from scratch: {count}")
        self._train_alone(candidates, range(count), "finalist", self._asked["trainings"])
        goal = self._trials.goal
        values = {place: mean_value(self._alone[place]) for place in range(count)}
        best = min(values, key=lambda place: goal.rank(float(values[place])))
        return replace(candidates[best], value=float(values[best]))

    def _train_alone(self, candidates: Sequence[Candidate], places: Sequence[int], arm: str, times: int) -> None:
        """Members from scratch, with the search's own seed and, beyond one training, seeds of nobody else."""
        seeds = [self._seed, *range(self._seed + 1 + self._asked["seeds"], self._seed + self._asked["seeds"] + times)]
        asked = [
            Trial(place * times + turn, (*candidates[place].words, *self._until(), f"seed={seed}"))
            for place in places
            for turn, seed in enumerate(seeds)
        ]
        for one in self._trials.of(arm).carry_out(asked):
            self._alone.setdefault(one.trial.number // times, []).append(one)
        self._search.keep(self._alone)

    def _cost(self) -> Cost:
        """Of the search, and of the finalists' trainings."""
        search, alone = self._search.cost(), _spent([one for several in self._alone.values() for one in several])
        return Cost(search.trials, search.steps + alone.steps, search.seconds + alone.seconds)

    def _keep_best(self, best: Candidate, shared: bool) -> None:
        """Overrides, in a file that `dlcli train --from-search` reads."""
        metric = self._trials.goal.metric
        plain = {"search": self._run.id, f"shared_{metric}" if shared else metric: best.value}
        self._run.keep("best.yaml", run_config.dump(plain | {"words": [*best.words, *self._until()]}).encode())
        if best.architecture is not None and self._trials.space is not None:
            title = f"{metric} {number(best.value)} on valid{' with shared weights' if shared else ''}"
            self._run.keep("cell.svg", svg(self._trials.space.graph(best.architecture), title).encode())

    def _until(self) -> tuple[str, ...]:
        limits = ", ".join(f"{name}: {limit}" for name, limit in self._asked["until"].items())
        return (f"until={{{limits}}}",) if limits else ()

    def _random(self, best: Candidate, cost: Cost, say: Say) -> list[Outcome]:
        """A random search at the price of this one."""
        trials = self._trials.of("beside")
        count = self._asked["random"] or _affordable(cost, trials.stops(Trial(0, best.words, until=self._search.until)))
        say(f"random search beside it, at its price: {count} from scratch")
        source = Random(trials, candidates=count, batch=1, seed=self._seed, over=self._over)
        drawn = [source.trial(place) for place in range(count)]
        asked = [Trial(one.number, self._search.words(one), until=self._search.until) for one in drawn]
        told = trials.carry_out(asked)
        self._run.keep("beside.csv", encode(Rows(_BESIDE, [_written(one) for one in told]))[1])
        return [
            replace(one, trial=replace(one.trial, architecture=trial.architecture))
            for one, trial in zip(told, drawn, strict=True)
        ]

    def _better(self, told: Sequence[Outcome]) -> Outcome | None:
        best = None
        for one in told:
            if self._trials.goal.better(one.value, best.value if best else None):
                best = one
        return best

    def _retrain(self, arms: Mapping[str, tuple[str, ...]], say: Say) -> tuple[dict[str, list[str]], dict[str, str]]:
        """The arms from scratch, over seeds that the search did not see; an arm that equals another is that other.

        Returns:
            the runs of each arm, below the search's directory; and which arm is the same as which.
        """
        seeds = range(self._seed + 1, self._seed + 1 + self._asked["seeds"])
        first: dict[str, str] = {}
        trained: dict[str, list[str]] = {}
        same: dict[str, str] = {}
        for arm, words in arms.items():
            network = self._trials.core(Trial(0, (*words, *self._until())))
            if network in first:
                same[arm] = first[network]
                continue
            first[network] = arm
            say(f"from scratch over {len(seeds)} seeds: {arm}")
            asked = [Trial(seed, (*words, *self._until(), f"seed={seed}")) for seed in seeds]
            trained[arm] = [one.run for one in self._trials.of(arm).carry_out(asked) if one.run]
        return trained, same

    def _agreement(self, candidates: Sequence[Candidate], beside: Sequence[Outcome], say: Say) -> dict[str, Any]:
        """Kendall's tau between scores with shared weights and alone, of every network that has both."""
        from scipy.stats import kendalltau

        if count := min(self._asked["ranked"], len(candidates)):
            even = {round(place * (len(candidates) - 1) / max(1, count - 1)) for place in range(count)}
            say(f"rank correlation: {len(even)} candidates from scratch")
            self._train_alone(candidates, sorted(even - {*self._alone}), "ranked", 1)
        pairs = [(candidates[place].value, float(mean_value(several))) for place, several in self._alone.items()]
        for one in beside:
            shared = self._search.shared(one.trial.architecture) if one.trial.architecture is not None else None
            pairs += [(shared, one.value)] if shared is not None else []
        pairs = [pair for pair in pairs if pair[0] == pair[0] and pair[1] == pair[1]]
        tau = float(kendalltau(*zip(*pairs, strict=True)).statistic) if len(pairs) >= _AGREED else float("nan")
        return {"tau": tau if tau == tau else None, "candidates": len(pairs), "scores": pairs}


def _plain(arm: str) -> str:
    return arm.replace("-", "_")


def _written(one: Outcome) -> tuple[Any, ...]:
    """A network of the random search beside it, as a row."""
    return one.trial.number, " ".join(one.trial.words), one.value, one.status, one.steps, one.seconds, one.run


def _spent(told: Sequence[Outcome]) -> Cost:
    return Cost(len(told), sum(one.steps for one in told), sum((one.seconds for one in told), 0.0))


def _affordable(cost: Cost, stops: Mapping[str, int | float]) -> int:
    """How many trials that stop there cost what was spent; one at least."""
    spent = {"steps": cost.steps, "batches": cost.steps, "updates": cost.steps, "seconds": cost.seconds}
    return max(1, min((int(spent[name] / limit) for name, limit in stops.items() if name in spent), default=1))


def print_result(run: Run) -> None:
    """Print what the search and the random search beside it cost, and the final table."""
    told = run.info.get("search")
    if not told:
        return
    searches = {"search": told} | ({"random search": told["random"]} if "random" in told else {})
    rows = [
        (name, number(one["value"]) if one["value"] is not None else "-",
         "with shared weights" if one.get("shared") else "alone", f"{one['cost']['trials'] or 'shared'}",
         f"{one['cost']['steps']:,}", duration(one["cost"]["seconds"]))
        for name, one in searches.items()
    ]  # fmt: skip
    columns = ("search", f"valid {told['metric']}", "scored", "candidates", "steps", "time")
    terminal_tables.print_table(columns, rows, numeric=(columns[1], *columns[3:]))
    if (agreement := told.get("agreement")) and agreement["tau"] is not None:
        terminal_tables.say(
            f"Kendall's tau of scores with shared weights and alone: {number(agreement['tau'])}, "
            f"{agreement['candidates']} networks"
        )
    for arm, other in told.get("same", {}).items():
        terminal_tables.say(f"{arm} is the same as {other}")
    paths = [run.path / path for several in told.get("arms", {}).values() for path in several]
    if trained := [Run.open(path) for path in paths if (path / "run.json").is_file()]:
        print_table(compare(trained, Question()), 4)
    terminal_tables.say(f"next: dlcli train --from-search {run.path}")
