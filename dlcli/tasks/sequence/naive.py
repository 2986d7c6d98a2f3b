"""Naive forecasts: last value, seasonal last value and drift, computed from the rows and not from a model's inputs."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from dlcli.core.task import Batch

METHODS = {"last_value": "last value", "seasonal": "seasonal last value", "drift": "drift"}
"""Keys of the naive forecasts, and their names."""

_LEAST_CYCLES = 3  # complete periods that the training rows must contain
_CORRELATION = 0.3  # smallest autocorrelation at the period


class NaiveForecasts(nn.Module):
    """Last value, seasonal last value and drift for any row of a series (Hyndman & Athanasopoulos, FPP3, section 5.2).

    Missing values are replaced by the last known value of the same series, so that the forecasts do not depend on
    `task.missing` or `task.window`. A row before the first known value forecasts 0.

    Args:
        values: the series by row, in the units of the model, NaN where missing.
        series: number of the series by row; the rows of a series are adjacent and in time order.
        horizon: number of forecast steps.
        season: period in rows; 1 equals the last value.
        method: key of `METHODS`: the forecast of `of_batch`.
    """

    last: Tensor
    begin: Tensor
    first: Tensor

    def __init__(
        self,
        values: Float[np.ndarray, "step"],
        series: Int[np.ndarray, "step"],
        *,
        horizon: int,
        season: int,
        method: str,
    ) -> None:
        super().__init__()
        self._horizon, self._season, self._method = horizon, season, method
        rows = np.arange(len(values))
        start = np.append(True, series[1:] != series[:-1])
        known = ~np.isnan(values)
        frame = pd.DataFrame({"value": values, "row": np.where(known, rows, np.nan)}).groupby(series)
        first = np.nan_to_num(frame["row"].transform("min").to_numpy(dtype=np.float64)).astype(np.int64)
        last = np.nan_to_num(frame["value"].ffill().to_numpy(dtype=np.float64)).astype(np.float32)
        self.register_buffer("last", torch.from_numpy(last))
        self.register_buffer("begin", torch.from_numpy(np.maximum.accumulate(np.where(start, rows, 0))))
        self.register_buffer("first", torch.from_numpy(first))

    def forward(self, *inputs: Tensor) -> Tensor:
        raise NotImplementedError("naive forecasts are computed from the batch: of_batch")

    def of_batch(self, batch: Batch) -> Float[Tensor, "batch step"]:
        """The declared forecast; `Batch.index` is the last row of each window."""
        return self.forecast(self._method, batch.index)

    def forecast(self, method: str, rows: Int[Tensor, " batch"]) -> Float[Tensor, "batch step"]:
        """The forecast of a method for the steps after the given rows."""
        self.to(rows.device)
        steps = torch.arange(1, self._horizon + 1, device=rows.device)
        last = self.last[rows].unsqueeze(1)
        if method == "seasonal":
            source = rows.unsqueeze(1) + steps - self._season * torch.ceil(steps / self._season).long()
            valid = source >= self.begin[rows].unsqueeze(1)
            return torch.where(valid, self.last[source.clamp(min=0)], last)
        if method == "drift":
            passed = (rows - self.first[rows]).clamp(min=1).unsqueeze(1)
            return last + steps * (last - self.last[self.first[rows]].unsqueeze(1)) / passed
        return last.expand(-1, self._horizon)


def find_season(
    values: Float[np.ndarray, "step"], series: Int[np.ndarray, "step"], train: Bool[np.ndarray, "step"]
) -> int:
    """The period of the longest training series, in rows; 1 if none is found.

    The period is the lag with the highest autocorrelation among the local maxima, after removal of the linear trend.
    The autocorrelation must be at least 0.3, and that of the first differences more than three standard errors.
    """
    rows = np.flatnonzero(train)
    if not rows.size:
        return 1
    longest = np.bincount(series[rows]).argmax()
    known = pd.Series(values[rows[series[rows] == longest]]).ffill().dropna().to_numpy()
    lags = len(known) // _LEAST_CYCLES
    if lags < 3:
        return 1
    steps = np.arange(len(known))
    whole = _autocorrelation(known - np.polyval(np.polyfit(steps, known, 1), steps))
    differences = _autocorrelation(np.diff(known))
    middle = whole[2:lags]
    peaks = (middle > whole[1 : lags - 1]) & (middle >= whole[3 : lags + 1]) & (middle >= _CORRELATION)
    peaks &= differences[2:lags] > 3 / np.sqrt(len(known))
    return int(2 + np.argmax(np.where(peaks, middle, -1))) if peaks.any() else 1


def _autocorrelation(values: Float[np.ndarray, "step"]) -> Float[np.ndarray, "lag"]:
    """Biased sample autocorrelation by the fast Fourier transform; 0 for a constant series."""
    centered = values - values.mean()
    spectrum = np.fft.rfft(centered, 2 * len(centered))
    covariance = np.fft.irfft(np.abs(spectrum) ** 2)[: len(centered)]
    return covariance / covariance[0] if covariance[0] > 0 else np.zeros_like(covariance)


def naive_error(values: Float[np.ndarray, "step"], series: Sequence[int] | np.ndarray, train: np.ndarray) -> float:
    """Mean absolute difference of neighboring training rows, the scale of MASE; NaN if it is unknown."""
    adjacent = train[1:] & train[:-1] & (np.asarray(series)[1:] == np.asarray(series)[:-1])
    steps = np.abs(np.diff(values))[adjacent]
    steps = steps[~np.isnan(steps)]
    return float(steps.mean()) if steps.size else float("nan")
