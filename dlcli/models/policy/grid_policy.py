"""Policy that selects continuous actions from a grid."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.spec import Real, Spec
from dlcli.nn.checks import each_at_least
from dlcli.nn.shapes import flat_width

_ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU}
_MAX_CELLS = 4096


class GridPolicy(nn.Module):
    """Multilayer perceptron that scores the points of a grid of continuous actions and outputs the best one.

    Allows a learner of discrete actions (`learner=dqn`) to act in an environment with continuous actions. Two action
    dimensions with three grid values each give 9 cells.

    Args:
        spec: one Real input of any shape; target Real of one position.
        hidden: units of each hidden layer; empty for a linear model.
        activation: after each hidden layer, "tanh" or "relu".
        grid: possible values of each action dimension.

    Raises:
        UsageError: a width is smaller than 1, or the grid has fewer than two distinct values or too many cells.
        Mismatch: the input is not real-valued and of known size, or the target is not real-valued with one position.
    """

    cells: Tensor

    def __init__(
        self, spec: Spec, *, hidden: Sequence[int], activation: Literal["tanh", "relu"], grid: Sequence[float]
    ) -> None:
        super().__init__()
        if not isinstance(spec.target, Real):
            raise Mismatch(
                "mismatch",
                subject="GridPolicy",
                requirement="a target of real values",
                got=spec,
                hint="for discrete actions: model=mlp",
            )
        each_at_least(1, "hidden", hidden)
        _check(grid, spec.target.width)
        cells = torch.cartesian_prod(*[torch.tensor(grid, dtype=torch.float32)] * spec.target.width)
        self.register_buffer("cells", cells.view(-1, spec.target.width))
        widths = [flat_width(spec, "GridPolicy"), *hidden]
        layers = [part for ends in pairwise(widths) for part in (nn.Linear(*ends), _ACTIVATIONS[activation]())]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], len(self.cells)))

    def q(self, x: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch action"]:
        """Scores of all cells."""
        return self.layers(x.flatten(1))

    def forward(self, x: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch unit"]:
        return self.cells[self.q(x).argmax(1)]


def _check(grid: Sequence[float], units: int) -> None:
    if len(set(grid)) < 2 or len(set(grid)) != len(grid):
        raise UsageError("invalid_value", key="model.grid", must="two or more distinct values", got=list(grid))
    if len(grid) ** units > _MAX_CELLS:
        must = f"small enough for at most {_MAX_CELLS:,} cells"
        raise UsageError("invalid_value", key="model.grid", must=must, got=f"{len(grid)} values ** {units} units")
