"""How a search went, as pictures in artifacts/."""

from dlcli.core.artifacts import encode
from dlcli.core.learner import Curves
from dlcli.runs.run import Run

_PICTURES = {
    "reward": {"controller_reward": "reward", "controller_baseline": "baseline"},
    "entropy": {"controller_entropy": "entropy"},
    "progress": {"best": "best so far", "mean": "mean of the step"},
}
"""Curves of one picture: what they are called in metrics.csv, and in the picture."""


def keep_curves(run: Run) -> None:
    """Draw what the search logged: reward and entropy of a controller (nats), or the trials of a strategy."""
    run.flush()
    rows = [(metric, (float(step), value)) for step, split, metric, value in run.metrics() if split == "train"]
    for picture, names in _PICTURES.items():
        series = {shown: [point for metric, point in rows if metric == name] for name, shown in names.items()}
        if drawn := {shown: points for shown, points in series.items() if len(points) > 1}:
            ending, content = encode(Curves("step", drawn))
            run.keep(picture + ending, content)
