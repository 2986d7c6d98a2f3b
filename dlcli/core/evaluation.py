"""Evaluate models on a split: metrics, baselines and predictions. The only loop over the batches of a split."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dlcli.core.errors import Mismatch
from dlcli.core.evaluation_mode import evaluation_mode
from dlcli.core.metric import Derived, Metric, PerModel, PerSplit
from dlcli.core.rng import reseed
from dlcli.core.task import (
    Batch,
    Carry,
    HasBaseline,
    Metrics,
    Predicts,
    ReportsMetrics,
    Task,
    declared_metrics,
    first_rows,
)

_SCORING = 0x5C02E  # random stream of evaluation, independent of that of training


BatchCallback = Callable[[Batch, Metrics], None]
"""Callback that receives every batch with its metrics."""


@dataclass(frozen=True)
class Estimate:
    """Mean of a metric over a split.

    Args:
        mean: mean over all units.
        deviation: standard deviation over rows; NaN if rows have unequal weights, if there is only one row, or if the
            metric is not a mean over rows.
        rows: number of rows.
    """

    mean: float
    deviation: float = math.nan
    rows: int = 0


def score(model: nn.Module, task: Task, split: str, see: BatchCallback | None = None) -> dict[str, float]:
    """Compute every metric of the task on a complete split, in evaluation mode; module modes are restored.

    Random draws of the model during evaluation are a function of the batch index.

    Args:
        model: the model to evaluate.
        task: provides batches and metrics.
        split: "train", "valid", "test" or "all".
        see: receives every batch, for statistics that are not means.

    Returns:
        value by metric name.
    """
    return {name: estimate.mean for name, estimate in estimates(model, task, split, see).items()}


def estimates(
    model: nn.Module,
    task: Task,
    split: str,
    see: BatchCallback | None = None,
    *,
    rows: int | None = None,
    whole: bool = True,
) -> dict[str, Estimate]:
    """Compute every metric as `score` does, with the standard deviation over rows.

    Args:
        model: the model to evaluate.
        task: provides batches and metrics.
        split: "train", "valid", "test" or "all".
        see: receives every batch, for statistics that are not means.
        rows: number of rows to score, from the beginning of the split; None for all.
        whole: True to compute metrics of the model as a unit (`PerModel`).
    """
    reported = tuple(declared_metrics(task).values())
    sums: dict[str, Tensor] = {}
    collected: list[tuple[Tensor, Tensor]] = []
    with evaluation_mode(model):
        carry: Carry = None
        for index, batch in enumerate(_batches(task, split, rows)):
            reseed(batch.target.device, _SCORING, index)
            metrics = task.metrics(model, batch, carry)
            carry = metrics.carry
            _add(sums, metrics)
            if see is not None:
                see(batch, metrics)
            if metrics.collected is not None:
                collected.append(metrics.collected)
        results = {name: _estimate(*values.tolist()) for name, values in sums.items()}
        means = {name: estimate.mean for name, estimate in results.items()} | _per_split(reported, collected)
        if whole:
            means |= _whole(reported, model, task, split)
    means |= _derived(reported, means)
    omitted = getattr(task, "omitted", ())  # see `select_metrics`
    return {
        name: results[name] if name in results else Estimate(float(value))
        for name, value in means.items()
        if name not in omitted
    }


def _batches(task: Task, split: str, rows: int | None) -> Iterator[Batch]:
    """The batches of a split, up to a number of rows."""
    count = 0
    for index in range(task.size(split)):
        batch = task.batch(split, index)
        if rows is not None and count + len(batch) >= rows:
            yield first_rows(batch, rows - count)
            return
        count += len(batch)
        yield batch


def _add(sums: dict[str, Tensor], metrics: Metrics) -> None:
    """Accumulate totals, weights, squared totals, number of rows, and number of rows whose weight is not 1."""
    for name, value in metrics.values.items():
        total, weight = value.total.double(), value.weight.double()
        rows = total.new_tensor(len(total))
        added = torch.stack((total.sum(), weight.sum(), (total * total).sum(), rows, (weight != 1).sum().double()))
        sums[name] = sums[name] + added if name in sums else added


def _estimate(total: float, weight: float, squares: float, rows: float, uneven: float) -> Estimate:
    mean = total / weight if weight else math.nan
    if uneven or rows < 2:
        return Estimate(mean, rows=round(rows))
    return Estimate(mean, math.sqrt(max(0.0, squares - rows * mean * mean) / (rows - 1)), round(rows))


def _per_split(reported: Iterable[Metric], collected: list[tuple[Tensor, Tensor]]) -> dict[str, float]:
    """Metrics of the joint distribution; NaN if the split has no labeled unit."""
    rules = {metric.name: metric.compute.compute for metric in reported if isinstance(metric.compute, PerSplit)}
    if not rules or not collected:
        return dict.fromkeys(rules, math.nan)
    outputs, targets = (torch.cat(parts) for parts in zip(*collected, strict=True))
    if not len(targets):
        return dict.fromkeys(rules, math.nan)
    return {name: float(compute(outputs, targets)) for name, compute in rules.items()}


def _whole(reported: Iterable[Metric], model: nn.Module, task: Task, split: str) -> dict[str, float]:
    return {
        metric.name: float(metric.compute.compute(model, task, split))
        for metric in reported
        if isinstance(metric.compute, PerModel)
    }


def _derived(reported: Iterable[Metric], means: Mapping[str, float]) -> dict[str, float]:
    """Metrics that are functions of other means, if all of these are available."""
    return {
        metric.name: float(metric.compute.compute(means))
        for metric in reported
        if isinstance(metric.compute, Derived) and all(name in means for name in metric.compute.needs)
    }


def check_reported(task: Task, names: Iterable[str]) -> None:
    """Check the names of reported metrics against those that the task declares.

    Args:
        task: the evaluated task.
        names: names of the metrics that its evaluation reports.

    Raises:
        Mismatch: a declared metric is missing, or a reported one has no declared direction.
    """
    subject, names = type(task).__name__, list(names)
    if task.main.metric not in names:
        raise Mismatch(
            "unreported_metric", subject=subject, name=task.main.metric, known=names,
            hint=f"{task.main.metric} is the task's main metric; its evaluation reports: {', '.join(names) or 'none'}",
        )  # fmt: skip
    known = declared_metrics(task)
    for name in known:
        if name not in names:
            hint = f"The task declares {name}, and its evaluations report: {', '.join(names)}"
            raise Mismatch("unreported_metric", subject=subject, name=name, hint=hint)
    for name in names if isinstance(task, ReportsMetrics) else ():
        if name not in known:
            hint = f'Add Metric("{name}", "max") or Metric("{name}", "min") to the metrics that the task reports.'
            raise Mismatch("undeclared_metric", subject=subject, name=name, hint=hint)


def describe_metrics(task: Task, split: str) -> dict[str, Any]:
    """Return the entries of run.json about the metrics that the task declares.

    Returns:
        `metric_info`: direction, unit and baseline of each metric; `baseline`: the name of the trivial predictor.
        Baselines are the scores of that predictor on the split, unless the metric declares a value; they are None for
        metrics of the model as a unit, and if the task has no trivial predictor.
    """
    trivial = task.baseline() if isinstance(task, HasBaseline) else None
    measured: dict[str, Estimate] = {}
    if trivial is not None:
        measured = estimates(trivial.predictor, task, split, rows=trivial.rows, whole=False)
    known = declared_metrics(task)
    info = {
        name: metric.info(measured[name].mean if metric.baseline is None and name in measured else None)
        for name, metric in known.items()
    }
    return {"metric_info": info, "baseline": None if trivial is None else trivial.name}


def predict(model: nn.Module, task: Predicts, batches: Iterable[Batch]) -> dict[str, list[Any]]:
    """Compute predictions: columns of equal length by name, one row per sample in the order of the batches."""
    columns: dict[str, list[Any]] = {}
    with evaluation_mode(model):
        carry: Carry = None
        for batch in batches:
            part, carry = task.predictions(model, batch, carry)
            for name, values in part.items():
                columns.setdefault(name, []).extend(values)
    return columns
