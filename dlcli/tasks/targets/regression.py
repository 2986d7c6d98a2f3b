"""Regression: mean squared error, and further errors in the units of the data."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dlcli.core.metric import Derived, Metric, PerSplit
from dlcli.core.task import Score
from dlcli.tasks.targets.adapter import of_output


def r2(outputs: Float[Tensor, "sample unit"], targets: Float[Tensor, "sample unit"]) -> float:
    """Coefficient of determination, mean over the units (`sklearn.metrics.r2_score`); NaN targets are missing."""
    from sklearn.metrics import r2_score

    values = []
    for output, target in zip(outputs.double().cpu().unbind(1), targets.double().cpu().unbind(1), strict=True):
        known = ~target.isnan()
        if int(known.sum()) >= 2 and bool(output.isfinite().all()):
            values.append(float(r2_score(target[known].numpy(), output[known].numpy())))
    return sum(values) / len(values) if values else math.nan


def _rmse(means: Any) -> float:
    return math.sqrt(means["mse"])


class Regression:
    """Real values per sample, or per step.

    The loss is the mean squared error in the units of the model; metrics and predictions are in the units of the
    data. Targets that are NaN are missing. The baseline predicts the mean of the training split.

    Args:
        scale: what one unit of the model is in the units of the data, by target unit.
        shift: the value in the data at the model's zero, by target unit.
        unit: unit of the data, for tables.
    """

    main = "mse"
    default: Sequence[str] = ("mse", "mae", "rmse")
    baseline_name = "mean"

    def __init__(self, scale: Sequence[float] = (1.0,), shift: Sequence[float] = (0.0,), unit: str = "") -> None:
        self.scale = torch.tensor(list(scale))
        self.shift = torch.tensor(list(shift))
        self.available: Sequence[Metric] = (
            Metric("mse", "min", f"{unit}^2" if unit else "", of_output(self.mean_of(torch.square))),
            Metric("mae", "min", unit, of_output(self.mean_of(torch.abs))),
            Metric("rmse", "min", unit, Derived(_rmse, ("mse",))),
            Metric("r2", "max", "", PerSplit(r2)),
        )

    def mean_of(self, function: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor], Score]:
        """The mean of a function of the error in the units of the data, over the known values."""

        def compute(output: Tensor, target: Tensor) -> Score:
            known = ~target.isnan()
            error = torch.where(known, (output - target) * self._by_unit(self.scale, output), 0.0)
            return Score(function(error).flatten(1).sum(1), known.flatten(1).sum(1).to(error.dtype))

        return compute

    def loss(
        self, output: Float[Tensor, "batch unit *time"], target: Float[Tensor, "batch unit *time"]
    ) -> tuple[Tensor, float | Tensor]:
        known = ~target.isnan()
        count = known.sum()
        return torch.where(known, output - target, 0.0).square().sum() / count.clamp(min=1), count

    def restore(self, values: Tensor) -> Tensor:
        """Values of the model in the units of the data."""
        return values * self._by_unit(self.scale, values) + self._by_unit(self.shift, values)

    @staticmethod
    def _by_unit(numbers: Tensor, values: Tensor) -> Tensor:
        return numbers.to(values).view(-1, *[1] * (values.dim() - 2))

    def collected(
        self, output: Float[Tensor, "batch unit *time"], target: Float[Tensor, "batch unit *time"]
    ) -> tuple[Float[Tensor, "sample unit"], Float[Tensor, "sample unit"]]:
        parts = [self.restore(part).movedim(1, -1).flatten(0, -2) for part in (output, target)]
        known = ~parts[1].isnan().all(1)
        return parts[0][known], parts[1][known]

    def constant(self, targets: Iterable[Tensor]) -> list[float]:
        """Mean per unit, in the units of the model."""
        total = count = torch.zeros((), dtype=torch.float64)
        for target in targets:
            rows = target.double().cpu().movedim(1, -1).flatten(0, -2)
            total, count = total + rows.nansum(0), count + (~rows.isnan()).sum(0)
        return (total / count.clamp(min=1)).tolist()

    def predicted(self, output: Tensor) -> dict[str, np.ndarray]:
        """Values in the units of the data, 7 significant digits (the precision of float32)."""
        restored = output.double() * self._by_unit(self.scale, output).double()
        values = significant((restored + self._by_unit(self.shift, output).double()).flatten(1).cpu().numpy())
        if values.shape[1] == 1:
            return {"prediction": values[:, 0]}
        return {f"prediction_{unit}": values[:, unit] for unit in range(values.shape[1])}

    def columns(self, output: Tensor, target: Tensor) -> dict[str, list[Any]]:
        predicted, true = self.restore(output).flatten(1), self.restore(target).flatten(1)
        if predicted.shape[1] == 1:
            return {"prediction": predicted[:, 0].tolist(), "target": true[:, 0].tolist()}
        return {f"prediction_{i}": predicted[:, i].tolist() for i in range(predicted.shape[1])} | {
            f"target_{i}": true[:, i].tolist() for i in range(true.shape[1])
        }


def significant(values: np.ndarray, digits: int = 7) -> np.ndarray:
    """Round to a number of significant digits; values that are not finite stay as they are."""
    with np.errstate(all="ignore"):
        scale = 10.0 ** (digits - 1 - np.floor(np.log10(np.abs(values))))
        rounded = np.round(values * scale) / scale
    return np.where(np.isfinite(rounded), rounded, values)
