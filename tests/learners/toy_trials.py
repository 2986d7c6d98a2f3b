"""Trials that cost nothing: an architecture is worth how much of a planted one it has."""

from dataclasses import dataclass, field

from dlcli.core.metric import Goal
from dlcli.core.space import Decision, Graph, Node
from dlcli.core.trials import TrialResult


class ToySpace:
    """Ten decisions of four choices."""

    decisions = tuple(Decision(f"choice {place}", ("a", "b", "c", "d")) for place in range(10))

    def graph(self, architecture):
        return Graph((Node("out", str(architecture)),), ())


PLANTED = (3, 1, 0, 2, 1, 3, 0, 0, 2, 1)


def planted(trial):
    return sum(one == other for one, other in zip(trial.architecture, PLANTED, strict=True)) / len(PLANTED)


@dataclass
class Made:
    """Trials whose value is computed; each takes as many steps as its limit says.

    Args:
        value: of a trial; a string is the status of one that failed.
    """

    value: object = planted
    space: object = field(default_factory=ToySpace)
    goal: Goal = field(default_factory=lambda: Goal("accuracy", "max"))
    asked: list = field(default_factory=list)

    def carry_out(self, asked):
        self.asked.append(list(asked))
        return [self.outcome(trial) for trial in asked]

    def outcome(self, trial):
        value = self.value(trial)
        steps = int(trial.until.get("steps", 100))
        if isinstance(value, str):
            return TrialResult(trial, float("nan"), value, steps)
        return TrialResult(trial, float(value), "completed", steps)

    @property
    def numbers(self):
        return [[trial.number for trial in batch] for batch in self.asked]


def run(strategy, trials):
    """Step until so many trials are done with; what all steps counted."""
    counts = {"trials": 0, "trial_steps": 0}
    while counts["trials"] < trials:
        row = strategy.step()
        counts = {name: count + row.counts[name] for name, count in counts.items()}
    return counts
