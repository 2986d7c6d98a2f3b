"""A policy of real values that chooses among the points of a grid."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.spec import Real, Spec
from dlcli.nn.shapes import flat_width
from dlcli.nn.checks import at_least

_ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU}
_MOST = 4096  # cells


class GridPolicy(nn.Module):
    """Multilayer perceptron that scores every point of a grid of real values and answers with the best one.

    So that a learner of discrete actions (`learner=dqn`) plays what wants real values, and is scored and kept as any
    other policy. With two real values and a grid of three there are 9 cells.

    Args:
        spec: one Real input of any shape; target Real of one position.
        hidden: units of each hidden layer; none is a linear model.
        activation: after each hidden layer.
        grid: values that each unit of the answer may have.

    Raises:
        UsageError: a layer has no unit, or the grid has fewer than two values or too many cells.
        Mismatch: the input is not real values of a known size, or the target is not real values of one position.
    """

    cells: Tensor

    def __init__(
        self, spec: Spec, *, hidden: Sequence[int], activation: Literal["tanh", "relu"], grid: Sequence[float]
    ) -> None:
        super().__init__()
        if not isinstance(spec.target, Real):
            raise Mismatch(f"GridPolicy answers with real values: {spec.describe()}; for scores of actions model=mlp")
        for width in hidden:
            at_least(1, hidden=width)
        _check(grid, spec.target.width)
        cells = torch.cartesian_prod(*[torch.tensor(grid, dtype=torch.float32)] * spec.target.width)
        self.register_buffer("cells", cells.view(-1, spec.target.width))
        widths = [flat_width(spec, "GridPolicy"), *hidden]
        layers = [part for ends in pairwise(widths) for part in (nn.Linear(*ends), _ACTIVATIONS[activation]())]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], len(self.cells)))

    def q(self, x: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch action"]:
        """The score of every cell."""
        return self.layers(x.flatten(1))

    def forward(self, x: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch unit"]:
        return self.cells[self.q(x).argmax(1)]


def _check(grid: Sequence[float], units: int) -> None:
    if len(set(grid)) < 2 or len(set(grid)) != len(grid):
        raise UsageError(f"model.grid is two different values or more, not {list(grid)}")
    if len(grid) ** units > _MOST:
        raise UsageError(f"model.grid: {len(grid)} values for each of {units} units are more than {_MOST:,} cells")
