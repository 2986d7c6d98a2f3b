"""Runs that differ only in the seed, as one row."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dlcli.core.errors import UsageError, nearest
from dlcli.run import Run

_SAME = ("seed", "task", "model", "threads", "device", "eval_every", "log_every", "checkpoint_every", "wall")
"""Keys whose values set no group apart, or are told in a column of their own."""


@dataclass(frozen=True)
class Group:
    """Runs of one signature.

    Args:
        name: recipe, or task and model.
        metric: what is compared, `test accuracy`.
        direction: min or max.
        n: seeds.
        mean: of the metric, over the seeds; None when no run has it.
        std: sample standard deviation; None with one seed.
        parameters: of the model.
        seconds: mean training time.
        steps: mean steps.
        runs: ids, newest first.
        seeds: of the runs, in the same order.
    """

    name: str
    task: str
    model: str
    metric: str
    direction: str
    n: int
    mean: float | None
    std: float | None
    parameters: int | None
    seconds: float
    steps: float
    signature: str
    seeds: list[int]
    runs: list[str]

    def plain(self) -> dict[str, Any]:
        return asdict(self)


def group(found: Sequence[Run], metric: str | None, split: str) -> tuple[list[Group], list[Run]]:
    """Finished runs in groups, the best first within a task; and the runs left out because they are not finished.

    Args:
        found: newest first; of two runs with the same signature and seed the newer one counts.
        metric: None is the task's main metric.
        split: whose score is compared.

    Raises:
        UsageError: no run has the metric.
    """
    finished = [run for run in found if run.status == "completed" and run.info["metrics"].get(split)]
    left_out = [run for run in found if run not in finished]
    _check_split(split, found)
    if metric is not None:
        _check_metric(metric, split, finished)
    groups: dict[str, list[Run]] = {}
    for run in finished:
        members = groups.setdefault(run.info["signature"], [])
        if run.info["seed"] not in [member.info["seed"] for member in members]:
            members.append(run)
    rows = [_row(signature, members, metric, split) for signature, members in groups.items()]
    return sorted(rows, key=_rank), left_out


def _check_split(split: str, found: Sequence[Run]) -> None:
    known = {name for run in found if run.status == "completed" for name in run.info["metrics"]}
    if known and split not in known:
        raise UsageError(f"no run has a score on split {split!r}{nearest(split, known)}")


def _check_metric(metric: str, split: str, finished: Sequence[Run]) -> None:
    known = {name for run in finished for name in run.info["metrics"][split]}
    if finished and metric not in known:
        raise UsageError(f"no run has a {split} {metric!r}{nearest(metric, known)}")


def _row(signature: str, members: Sequence[Run], metric: str | None, split: str) -> Group:
    first = members[0].info
    name = metric or first["goal"]["metric"]
    values = [run.info["metrics"][split][name] for run in members if name in run.info["metrics"][split]]
    return Group(
        name=_name(first),
        task=first["task"],
        model=first["model"],
        metric=f"{split} {name}",
        direction=_direction(name, first["goal"]),
        n=len(values),
        mean=statistics.fmean(values) if values else None,
        std=statistics.stdev(values) if len(values) > 1 else None,
        parameters=first["parameters"],
        seconds=statistics.fmean(run.info["seconds"] for run in members),
        steps=statistics.fmean(run.info["steps"] for run in members),
        signature=signature,
        seeds=[run.info["seed"] for run in members],
        runs=[run.id for run in members],
    )


def _name(info: Mapping[str, Any]) -> str:
    """What the run was called, or its recipe and the overrides that set it apart from others of it."""
    words = [word for word in info.get("words", ()) if word.partition("=")[0] not in _SAME]
    return info["name"] or " ".join([info["label"], *words])


def _direction(metric: str, goal: dict[str, str]) -> str:
    if metric == goal["metric"]:
        return goal["direction"]
    return "max" if any(word in metric for word in ("accuracy", "recall", "auc", "f1")) else "min"


def _rank(row: Group) -> tuple[str, bool, float]:
    sign = -1 if row.direction == "max" else 1
    return row.task, row.mean is None, sign * (row.mean or 0.0)
