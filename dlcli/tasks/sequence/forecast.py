"""The next values of a column."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.core.metric import Metric, PerSample
from dlcli.core.spec import Real
from dlcli.core.task import Baseline, Batch, Fitted, Score
from dlcli.data.table import is_numeric, numbers
from dlcli.data.timeline import Timeline
from dlcli.data.transforms import Scaling
from dlcli.tasks.sequence.window_targets import Wanted
from dlcli.tasks.sequence.windows import Rows, followed
from dlcli.tasks.targets.adapter import OutputTargets, of_output
from dlcli.tasks.targets.baselines import LastValue
from dlcli.tasks.targets.regression import Regression


class Forecast:
    """The next `horizon` values of a numeric column, which is the first channel of the inputs.

    The baseline repeats the last value (persistence).

    Args:
        line: the rows, nothing filled in.
        target: the column.
        horizon: how many values.
    """

    blank = float("nan")

    def __init__(self, line: Timeline, target: str, horizon: int) -> None:
        if not is_numeric(line.frame[target]):
            raise UsageError(f"task.kind=forecast wants numbers, and most values of {target!r} are none")
        self.line, self.target, self.horizon = line, target, horizon
        self.values = numbers(line.frame[target])

    def features(self, others: Sequence[str]) -> list[str]:
        return [self.target, *others]

    def known(self, ends: Rows) -> Bool[np.ndarray, "sample"]:
        return followed(self.line, ends, self.horizon, ~np.isnan(self.values))

    def span(self, ends: Rows) -> tuple[np.ndarray, np.ndarray]:
        return self.line.ticks[ends + 1], self.line.ticks[ends + self.horizon]

    def future(self, ends: Rows) -> Rows:
        """The last window of each series; rows below it may wait for their target."""
        ends = ends[~np.isnan(self.values[ends])]
        return ends[np.append(np.diff(self.line.series[ends]) != 0, True)[: len(ends)]]

    def learn(self, train: Rows, /) -> dict[str, Any]:
        """The mean absolute error of the one-step naive forecast on the training windows, the scale of MASE."""
        steps = np.abs(self.values[train + 1] - self.values[train])
        known = steps[~np.isnan(steps)]
        return {"kind": "forecast", "naive_error": float(known.mean()) if known.size else float("nan")}

    def wanted(self, fitted: Fitted) -> Wanted:
        mean, std = fitted["mean"][:1], fitted["std"][:1]
        scaled = Scaling(mean, std).apply(self.values[:, None])[:, 0]
        later = np.append(scaled[1:], np.full(self.horizon, np.nan, np.float32))
        windows = torch.from_numpy(later).unfold(0, self.horizon, 1)
        rule = Regression(std, mean)
        extra = _metrics(rule, float(fitted.get("naive_error", float("nan"))))
        default = ("mse", "mae", "rmse", "mse_last_value", "baseline_mse")
        return Wanted(Real((self.horizon,)), OutputTargets(rule, extra=extra, default=default), windows)

    def baseline(self, fitted: Fitted) -> Baseline:
        return Baseline("last value", LastValue(self.horizon))

    def columns(self, output: Tensor, target: Tensor, fitted: Fitted) -> dict[str, list[Any]]:
        """`NAME_prediction` and `NAME_target`, with `_1`, `_2` ... steps ahead where there are several."""
        mean, std = fitted["mean"][0], fitted["std"][0]
        table = {}
        for step in range(self.horizon):
            after = f"_{step + 1}" if self.horizon > 1 else ""
            for name, part in (("prediction", output), ("target", target)):
                values = (part[:, step].double().cpu() * std + mean).tolist()
                table[f"{self.target}_{name}{after}"] = [None if value != value else value for value in values]
        return table


def _metrics(rule: Regression, naive_error: float) -> tuple[Metric, ...]:
    """Metrics of forecasts beside those of every regression.

    MASE (Hyndman & Koehler 2006, International Journal of Forecasting 22) divides the absolute error by that of the
    one-step naive forecast on the training data; sMAPE is 200 |y - p| / (|y| + |p|) in percent, 0 if both are 0.
    """
    squared, absolute = rule.mean_of(torch.square), rule.mean_of(torch.abs)

    def last_value(model: nn.Module, batch: Batch, output: Tensor) -> Score:
        return squared(batch.inputs[0][:, 0, -1:].expand_as(batch.target), batch.target)

    def mase(output: Tensor, target: Tensor) -> Score:
        score = absolute(output, target)
        return Score(score.total / naive_error if naive_error else score.total * float("nan"), score.weight)

    def smape(output: Tensor, target: Tensor) -> Score:
        known = ~target.isnan()
        predicted, true = rule.restore(output), rule.restore(target.nan_to_num())
        size = predicted.abs() + true.abs()
        share = torch.where(known & (size > 0), 200 * (predicted - true).abs() / size.clamp(min=1e-30), 0.0)
        return Score(share.sum(1), known.sum(1).to(share.dtype))

    return (
        Metric("mse_last_value", "min", "", PerSample(last_value)),
        Metric("baseline_mse", "min", "", PerSample(last_value)),
        Metric("mase", "min", "", of_output(mase)),
        Metric("smape", "min", "%", of_output(smape)),
    )
