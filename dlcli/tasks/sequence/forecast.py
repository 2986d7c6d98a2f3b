"""Forecast target: the next values of a column."""

import logging
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
from dlcli.tasks.sequence.naive import METHODS, NaiveForecasts, find_season, naive_error
from dlcli.tasks.sequence.window_targets import WindowTargets
from dlcli.tasks.sequence.windows import Rows, followed
from dlcli.tasks.targets.adapter import OutputTargets, of_output
from dlcli.tasks.targets.regression import Regression, significant


class Forecast:
    """The next `horizon` values of a numeric column, which is the first channel of the inputs.

    Args:
        line: the rows, without filled values.
        target: the column.
        horizon: number of values.
        season: period in rows; None: found in the training rows.
        baseline: key of `naive.METHODS`.

    Raises:
        UsageError: most values of the column are not numbers.
    """

    blank = float("nan")

    def __init__(
        self, line: Timeline, target: str, horizon: int, *, season: int | None = None, baseline: str = "last_value"
    ) -> None:
        if not is_numeric(line.frame[target]):
            problem = "task.kind=forecast requires numbers, but most values are text"
            raise UsageError("invalid_data", path=f"column {target!r}", problem=problem, hint="Use task.kind=label.")
        self.line, self.target, self.horizon = line, target, horizon
        self._season, self._baseline = season, baseline
        self.values = numbers(line.frame[target])
        self.present = ~np.isnan(self.values) & line.observed

    def features(self, others: Sequence[str]) -> list[str]:
        return [self.target, *others]

    def known(self, ends: Rows) -> Bool[np.ndarray, "sample"]:
        return followed(self.line, ends, self.horizon, self.present)

    def span(self, ends: Rows) -> tuple[np.ndarray, np.ndarray]:
        return self.line.ticks[ends + 1], self.line.ticks[ends + self.horizon]

    def future(self, ends: Rows) -> Rows:
        """The last window of each series that ends at a known value."""
        ends = ends[~np.isnan(self.values[ends])]
        return ends[np.append(np.diff(self.line.series[ends]) != 0, True)[: len(ends)]]

    def learn(self, train: Bool[np.ndarray, "step"], /) -> dict[str, Any]:
        """The scale of MASE, and the period of the seasonal baseline."""
        season = self._season or find_season(self.values, self.line.series, train & self.line.observed)
        if self._season is None:
            found = f"period of {season} rows found" if season > 1 else "no period found"
            logging.getLogger("dlcli").info("seasonal baseline: %s (task.season=N sets it)", found)
        error = naive_error(self.values, self.line.series, train & self.line.observed)
        return {"kind": "forecast", "naive_error": error, "season": season, "baseline": self._baseline}

    def encoded(self, fitted: Fitted) -> WindowTargets:
        mean, std = fitted["mean"][:1], fitted["std"][:1]
        scaled = Scaling(mean, std).apply(self.values[:, None])[:, 0]
        later = np.append(scaled[1:], np.full(self.horizon, np.nan, np.float32))
        windows = torch.from_numpy(later).unfold(0, self.horizon, 1)
        rule = Regression(std, mean)
        extra = _metrics(rule, float(fitted.get("naive_error", float("nan"))), self._naive(fitted))
        default = ("mse", "mae", "rmse", "mase", "smape", "mse_last_value", "mse_seasonal", "mse_drift", "baseline_mse")
        return WindowTargets(Real((self.horizon,)), OutputTargets(rule, extra=extra, default=default), windows)

    def _naive(self, fitted: Fitted) -> NaiveForecasts:
        """The naive forecasts; runs of dlcli 0.1.0 have no period and the last value as their baseline."""
        scaled = Scaling(fitted["mean"][:1], fitted["std"][:1]).apply(self.values[:, None])[:, 0]
        season, method = int(fitted.get("season", 1)), str(fitted.get("baseline", "last_value"))
        return NaiveForecasts(scaled, self.line.series, horizon=self.horizon, season=season, method=method)

    def baseline(self, fitted: Fitted) -> Baseline:
        return Baseline(METHODS[str(fitted.get("baseline", "last_value"))], self._naive(fitted))

    def predicted(self, output: Tensor, fitted: Fitted) -> dict[str, np.ndarray]:
        values = output.double().cpu().numpy() * fitted["std"][0] + fitted["mean"][0]
        return {"prediction": significant(values).ravel()}

    def columns(self, output: Tensor, target: Tensor, fitted: Fitted) -> dict[str, list[Any]]:
        """`NAME_prediction` and `NAME_target`, followed by `_1`, `_2`, ... (steps ahead) if there are several."""
        mean, std = fitted["mean"][0], fitted["std"][0]
        table = {}
        for step in range(self.horizon):
            after = f"_{step + 1}" if self.horizon > 1 else ""
            for name, part in (("prediction", output), ("target", target)):
                values = (part[:, step].double().cpu() * std + mean).tolist()
                table[f"{self.target}_{name}{after}"] = [None if value != value else value for value in values]
        return table


def _metrics(rule: Regression, scale: float, naive: NaiveForecasts) -> tuple[Metric, ...]:
    """Metrics of forecasts beside those of every regression.

    MASE (Hyndman & Koehler 2006, International Journal of Forecasting 22) divides the absolute error by that of the
    one-step naive forecast on the training data; sMAPE is 200 |y - p| / (|y| + |p|) in percent, 0 if both are 0.

    Args:
        rule: the regression target.
        scale: mean absolute error of the one-step naive forecast on the training rows.
        naive: the naive forecasts.
    """
    squared, absolute = rule.mean_of(torch.square), rule.mean_of(torch.abs)

    def mse_of(method: str) -> PerSample:
        def compute(model: nn.Module, batch: Batch, output: Tensor) -> Score:
            return squared(naive.forecast(method, batch.index), batch.target)

        return PerSample(compute)

    def baseline_mse(model: nn.Module, batch: Batch, output: Tensor) -> Score:
        return squared(naive.of_batch(batch), batch.target)

    def mase(output: Tensor, target: Tensor) -> Score:
        score = absolute(output, target)
        return Score(score.total / scale if scale else score.total * float("nan"), score.weight)

    def smape(output: Tensor, target: Tensor) -> Score:
        known = ~target.isnan()
        predicted, true = rule.restore(output), rule.restore(target.nan_to_num())
        size = predicted.abs() + true.abs()
        share = torch.where(known & (size > 0), 200 * (predicted - true).abs() / size.clamp(min=1e-30), 0.0)
        return Score(share.sum(1), known.sum(1).to(share.dtype))

    return (
        Metric("mse_last_value", "min", "", mse_of("last_value")),
        Metric("mse_seasonal", "min", "", mse_of("seasonal")),
        Metric("mse_drift", "min", "", mse_of("drift")),
        Metric("baseline_mse", "min", "", PerSample(baseline_mse)),
        Metric("mase", "min", "", of_output(mase)),
        Metric("smape", "min", "%", of_output(smape)),
    )
