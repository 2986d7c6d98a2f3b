"""The next values of a column."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.core.spec import Real
from dlcli.core.task import Batch, Fitted, Score
from dlcli.tasks.aim import Wanted
from dlcli.tasks.scaling import Scaling
from dlcli.tasks.table import is_numeric, numbers
from dlcli.tasks.timeline import Timeline
from dlcli.tasks.windows import Rows, followed
from dlcli.tasks.yardstick import Regression


class Forecast:
    """The next `horizon` values of a numeric column, which is the first channel of the inputs.

    The guess without learning repeats the last value (persistence).

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

    def learn(self, _train: Rows, /) -> dict[str, Any]:
        return {"kind": "forecast"}

    def wanted(self, fitted: Fitted) -> Wanted:
        mean, std = fitted["mean"][:1], fitted["std"][:1]
        scaled = Scaling(mean, std).apply(self.values[:, None])[:, 0]
        later = np.append(scaled[1:], np.full(self.horizon, np.nan, np.float32))
        windows = torch.from_numpy(later).unfold(0, self.horizon, 1)
        return Wanted(Real((self.horizon,)), Regression(std, mean), windows)

    def baseline(self, batch: Batch, fitted: Fitted) -> dict[str, Score]:
        error = (batch.target - batch.inputs[0][:, 0, -1:]) * fitted["std"][0]
        return {"mse_persistence": Score(error.square().sum(1), torch.full_like(error[:, 0], self.horizon))}

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
