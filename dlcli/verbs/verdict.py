"""The end of a search: what was found, from scratch, beside random search at its price and a hand-made network."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from dlcli import compose, runs
from dlcli.core.trials import Outcome, Trial
from dlcli.learners.strategies.random import Random
from dlcli.report import tables
from dlcli.report.comparison import Question, compare
from dlcli.report.drawing import svg
from dlcli.report.words import duration, number
from dlcli.run import Run
from dlcli.verbs.compare import print_table
from dlcli.verbs.course import keep_curves
from dlcli.verbs.found import Candidate, Cost, Search
from dlcli.verbs.trials import Runs

ARMS = ("found", "random", "hand-made")
_AGREED = 3  # members that a rank correlation needs

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
        best, cost = candidates[0], self._search.cost()
        self._keep_best(best)
        told: dict[str, Any] = {"value": best.value, "metric": self._trials.goal.metric, "cost": asdict(cost)}
        self._run.info["search"] = told
        arms = {"found": best.words}
        say(f"found: valid {self._trials.goal.metric} {number(best.value)}: {' '.join(best.words)}")
        if not self._search.is_random and self._asked["random"] != 0:
            random, spent = self._random(best, cost, say)
            told["random"] = {"value": random.value if random else None, "cost": asdict(spent)}
            arms |= {"random": random.words} if random else {}
        if self._asked["ranked"] and self._search.shares:
            told["agreement"] = self._agreement(candidates, say)
        if self._asked["seeds"]:
            told["same"] = self._retrain(arms | {"hand-made": self._search.hand_made()}, say)

    def _keep_best(self, best: Candidate) -> None:
        """Overrides, in a file that `dlcli train --from-search` reads."""
        words = [*best.words, *self._until()]
        plain = {"search": self._run.id, self._trials.goal.metric: best.value, "words": words}
        self._run.keep("best.yaml", compose.dump(plain).encode())
        if best.architecture is not None and self._trials.space is not None:
            title = f"{self._trials.goal.metric} {number(best.value)} on valid"
            self._run.keep("cell.svg", svg(self._trials.space.graph(best.architecture), title).encode())

    def _until(self) -> tuple[str, ...]:
        limits = ", ".join(f"{name}: {limit}" for name, limit in self._asked["until"].items())
        return (f"until={{{limits}}}",) if limits else ()

    def _random(self, best: Candidate, cost: Cost, say: Say) -> tuple[Candidate | None, Cost]:
        """The best of a random search at the price of this one."""
        trials = self._trials.of("beside")
        count = self._asked["random"] or _affordable(cost, trials.stops(Trial(0, best.words, until=self._search.until)))
        say(f"random search beside it, at its price: {count} from scratch")
        source = Random(trials, candidates=count, batch=1, seed=self._seed, over=self._over)
        asked = [
            Trial(place, self._search.words(source.trial(place)), until=self._search.until) for place in range(count)
        ]
        told = trials.carry_out(asked)
        first = self._better(told)
        spent = Cost(count, sum(one.steps for one in told), sum(one.seconds for one in told))
        return (Candidate(first.trial.words, first.value) if first else None), spent

    def _better(self, told: Sequence[Outcome]) -> Outcome | None:
        best = None
        for one in told:
            if self._trials.goal.better(one.value, best.value if best else None):
                best = one
        return best

    def _retrain(self, arms: Mapping[str, tuple[str, ...]], say: Say) -> dict[str, str]:
        """The arms from scratch, over seeds that the search did not see; an arm that equals another is that other."""
        seeds = range(self._seed + 1, self._seed + 1 + self._asked["seeds"])
        first: dict[tuple[str, ...], str] = {}
        same: dict[str, str] = {}
        for arm, words in arms.items():
            if words in first:
                same[arm] = first[words]
                continue
            first[words] = arm
            say(f"from scratch over {len(seeds)} seeds: {arm}")
            self._trials.of(arm).carry_out([Trial(seed, (*words, *self._until(), f"seed={seed}")) for seed in seeds])
        return same

    def _agreement(self, candidates: Sequence[Candidate], say: Say) -> dict[str, Any]:
        """Kendall's tau between the search's scores and those of networks trained alone."""
        from scipy.stats import kendalltau

        count = min(self._asked["ranked"], len(candidates))
        places = sorted({round(place * (len(candidates) - 1) / max(1, count - 1)) for place in range(count)})
        say(f"rank correlation: {len(places)} candidates from scratch")
        asked = [Trial(place, (*candidates[place].words, *self._until())) for place in places]
        told = self._trials.of("ranked").carry_out(asked)
        pairs = [(candidates[one.trial.number].value, one.value) for one in told if one.value == one.value]
        self._search.keep(candidates, {one.trial.number: one.value for one in told if one.value == one.value})
        tau = float(kendalltau(*zip(*pairs, strict=True)).statistic) if len(pairs) >= _AGREED else float("nan")
        return {"tau": tau if tau == tau else None, "candidates": len(pairs), "scores": pairs}


def _affordable(cost: Cost, stops: Mapping[str, int | float]) -> int:
    """How many trials that stop there cost what was spent; one at least."""
    spent = {"steps": cost.steps, "batches": cost.steps, "updates": cost.steps, "seconds": cost.seconds}
    return max(1, min((int(spent[name] / limit) for name, limit in stops.items() if name in spent), default=1))


def tell(run: Run) -> None:
    """Print what the search and the random search beside it cost, and the final table."""
    told = run.info.get("search")
    if not told:
        return
    searches = {"search": told} | ({"random search": told["random"]} if "random" in told else {})
    rows = [
        (name, number(one["value"]) if one["value"] is not None else "-", f"{one['cost']['trials'] or 'shared'}",
         f"{one['cost']['steps']:,}", duration(one["cost"]["seconds"]))
        for name, one in searches.items()
    ]  # fmt: skip
    columns = ("search", f"valid {told['metric']}", "candidates", "steps", "time")
    tables.print_table(columns, rows, numeric=columns[1:])
    if (agreement := told.get("agreement")) and agreement["tau"] is not None:
        tables.say(
            f"Kendall's tau of both scores: {number(agreement['tau'])} over {agreement['candidates']} candidates"
        )
    for arm, other in told.get("same", {}).items():
        tables.say(f"{arm} is the same as {other}")
    trained = [one for arm in ARMS for one in runs.scan(run.path / "runs" / "train" / arm, children=True)]
    if trained:
        print_table(compare(trained, Question()), 4)
    tables.say(f"next: dlcli train --from-search {run.path}")
