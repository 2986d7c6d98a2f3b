"""Integrated gradients."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dlcli.attribution.gradients import input_gradient, scores
from dlcli.core.evaluation_mode import input_gradients

_ROWS = 512  # rows per forward pass
_INITIAL_STEPS = 32


@dataclass(frozen=True)
class Attribution:
    """Attribution of a score difference to the input values, with its completeness error.

    Args:
        values: signed attributions, shaped as the input.
        difference: score of the input minus score of the baseline, per row; the attributions of a row sum to it.
        steps: number of integration steps.
    """

    values: Float[Tensor, "batch *axes"]
    difference: Float[Tensor, " batch"]
    steps: int

    @property
    def missing(self) -> Float[Tensor, " batch"]:
        """Absolute difference between the sum of the attributions of a row and its score difference."""
        return (self.values.flatten(1).sum(1) - self.difference).abs()

    @property
    def incompleteness(self) -> float:
        """Relative completeness error over all rows; absolute if the baseline has the same scores as the input."""
        missing, whole = float(self.missing.sum()), float(self.difference.abs().sum())
        return missing / whole if whole else missing


def integrated_gradients(
    model: nn.Module, x: Float[Tensor, "batch *axes"], unit: Int[Tensor, " batch"], *, steps: int
) -> Attribution:
    """Input gradients averaged along the straight line from a zero baseline, times the input.

    Paper: Sundararajan, Taly & Yan 2017, arXiv:1703.01365, equation 3. Differs: midpoint rule, whose error is of second
    order.

    Args:
        model: returns class scores [batch, unit].
        x: inputs.
        unit: output unit of each row.
        steps: number of gradients.
    """
    total, chunk = torch.zeros_like(x), max(1, _ROWS // len(x))
    for middle in ((torch.arange(steps, device=x.device, dtype=x.dtype) + 0.5) / steps).split(chunk):
        path = middle.view(-1, *[1] * x.dim()) * x
        gradient = input_gradient(model, path.flatten(0, 1), unit.repeat(len(middle)))
        total += gradient.view_as(path).sum(0)
    with input_gradients(model):
        difference = scores(model, x.clone(), unit) - scores(model, torch.zeros_like(x), unit)
    return Attribution(total / steps * x, difference, steps)


def complete_attribution(
    model: nn.Module, x: Float[Tensor, "batch *axes"], unit: Int[Tensor, " batch"], *, share: float, most: int
) -> Attribution:
    """Integrated gradients with the number of steps doubled until the completeness error is below a tolerance.

    Args:
        model: returns class scores [batch, unit].
        x: inputs.
        unit: output unit of each row.
        share: tolerated relative completeness error.
        most: maximum number of steps.
    """
    steps = min(_INITIAL_STEPS, most)
    attribution = integrated_gradients(model, x, unit, steps=steps)
    while attribution.incompleteness >= share and steps < most:
        steps = min(2 * steps, most)
        attribution = integrated_gradients(model, x, unit, steps=steps)
    return attribution
