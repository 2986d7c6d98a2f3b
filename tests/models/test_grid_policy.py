"""A policy of cells: it answers with the best point of a grid."""

import pytest
import torch
from torch.func import functional_call, stack_module_state, vmap

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.spec import Classes, Real, Spec
from dlcli.models.policy.grid_policy import GridPolicy

MAZE = Spec((Real((11,)),), Real((2,)))
OPTIONS = {"hidden": [16], "activation": "tanh", "grid": [-0.5, 0.0, 0.5]}


def test_three_values_and_two_units_make_nine_cells():
    model = GridPolicy(MAZE, **OPTIONS)
    assert sorted(map(tuple, model.cells.tolist())) == [(a, b) for a in (-0.5, 0.0, 0.5) for b in (-0.5, 0.0, 0.5)]
    assert sum(value.numel() for value in model.parameters()) == 11 * 16 + 16 + 16 * 9 + 9


def test_the_answer_is_the_cell_of_the_highest_score():
    model = GridPolicy(MAZE, **OPTIONS)
    x = torch.randn(50, 11)
    scores = model.q(x).tolist()
    for row, answer in zip(scores, model(x), strict=True):
        assert torch.equal(answer, model.cells[row.index(max(row))])
    assert len({tuple(cell) for cell in model(10 * x).tolist()}) > 1


def test_a_population_answers_in_one_call():
    models = [GridPolicy(MAZE, **OPTIONS) for _ in range(4)]
    parameters, buffers = stack_module_state(models)
    x = torch.randn(4, 3, 11)
    together = vmap(lambda p, b, x: functional_call(models[0], (p, b), (x,)))(parameters, buffers, x)
    assert torch.equal(together, torch.stack([model(part) for model, part in zip(models, x, strict=True)]))


def test_what_it_cannot_be_is_said():
    with pytest.raises(Mismatch, match="model=mlp"):
        GridPolicy(Spec((Real((4,)),), Classes(2)), **OPTIONS)
    with pytest.raises(UsageError, match="two different values"):
        GridPolicy(MAZE, **{**OPTIONS, "grid": [0.5]})
    with pytest.raises(UsageError, match="cells"):
        GridPolicy(Spec((Real((4,)),), Real((9,))), **OPTIONS)
