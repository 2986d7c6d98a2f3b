"""Integrated gradients: the difference that an input makes, divided among its values."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dlcli.core.modes import still
from dlcli.attribution.gradients import input_gradient, scores

_ROWS = 512  # that go through the network at once
_FIRST = 32  # steps of the first try


@dataclass(frozen=True)
class Attribution:
    """What each value adds to the score, and how well the sum is right.

    Args:
        values: signed, as the input.
        difference: the score of the input less that of the baseline, which the values of a row should add up to.
        steps: places of the path that were looked at.
    """

    values: Float[Tensor, "batch *axes"]
    difference: Float[Tensor, " batch"]
    steps: int

    @property
    def missing(self) -> Float[Tensor, " batch"]:
        """By how much the sum of a row is beside the difference."""
        return (self.values.flatten(1).sum(1) - self.difference).abs()

    @property
    def incompleteness(self) -> float:
        """What is missing, as a share of the differences; 0 where the baseline scores as the input does."""
        missing, whole = float(self.missing.sum()), float(self.difference.abs().sum())
        return missing / whole if whole else missing


def integrated_gradients(
    model: nn.Module, x: Float[Tensor, "batch *axes"], unit: Int[Tensor, " batch"], *, steps: int
) -> Attribution:
    """Gradients averaged along the straight line from a baseline of zeros, times the input.

    Paper: Sundararajan, Taly & Yan 2017, arXiv:1703.01365, equation 3. Differs: the gradient is taken in the middle of
    each step (midpoint rule), where the sum is right to the second order.

    Args:
        steps: how many gradients are averaged.
    """
    total, chunk = torch.zeros_like(x), max(1, _ROWS // len(x))
    for middle in ((torch.arange(steps, device=x.device, dtype=x.dtype) + 0.5) / steps).split(chunk):
        path = middle.view(-1, *[1] * x.dim()) * x
        gradient = input_gradient(model, path.flatten(0, 1), unit.repeat(len(middle)))
        total += gradient.view_as(path).sum(0)
    with still(model):
        difference = scores(model, x.clone(), unit) - scores(model, torch.zeros_like(x), unit)
    return Attribution(total / steps * x, difference, steps)


def complete_attribution(
    model: nn.Module, x: Float[Tensor, "batch *axes"], unit: Int[Tensor, " batch"], *, share: float, most: int
) -> Attribution:
    """Integrated gradients with as many steps as it takes: doubled until less than a share is missing.

    Args:
        share: of the difference that may be missing.
        most: steps at which it is left as it is.
    """
    steps = min(_FIRST, most)
    found = integrated_gradients(model, x, unit, steps=steps)
    while found.incompleteness >= share and steps < most:
        steps = min(2 * steps, most)
        found = integrated_gradients(model, x, unit, steps=steps)
    return found
