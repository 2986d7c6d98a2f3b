"""Plots of a search in artifacts/: controller reward and entropy, or trial scores."""

from dlcli.core.artifacts import encode
from dlcli.core.learner import Curves
from dlcli.runs.run import Run

_PLOTS = {
    "reward": {"controller_reward": "reward", "controller_baseline": "baseline"},
    "entropy": {"controller_entropy": "entropy"},
    "progress": {"best": "best so far", "mean": "mean of the step"},
}
"""Plot -> {metric in metrics.csv: label of its curve}."""


def keep_curves(run: Run) -> None:
    """Draw the logged reward and entropy (nats) of a controller, or the trial scores of a strategy."""
    run.flush()
    rows = [(metric, (float(step), value)) for step, split, metric, value in run.metrics() if split == "train"]
    for plot, labels in _PLOTS.items():
        series = {label: [point for metric, point in rows if metric == name] for name, label in labels.items()}
        if curves := {label: points for label, points in series.items() if len(points) > 1}:
            ending, content = encode(Curves("step", curves))
            run.keep(plot + ending, content)
