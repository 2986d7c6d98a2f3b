"""Grid policy."""

import pytest
import torch
from torch.func import functional_call, stack_module_state, vmap

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.spec import Classes, Real, Spec
from dlcli.models.policy.grid_policy import GridPolicy

MAZE = Spec((Real((11,)),), Real((2,)))
OPTIONS = {"hidden": [16], "activation": "tanh", "grid": [-0.5, 0.0, 0.5]}


def test_grid_policy_number_of_cells():
    model = GridPolicy(MAZE, **OPTIONS)
    assert sorted(map(tuple, model.cells.tolist())) == [(a, b) for a in (-0.5, 0.0, 0.5) for b in (-0.5, 0.0, 0.5)]
    assert sum(value.numel() for value in model.parameters()) == 11 * 16 + 16 + 16 * 9 + 9


def test_grid_policy_outputs_best_cell():
    model = GridPolicy(MAZE, **OPTIONS)
    x = torch.randn(50, 11)
    scores = model.q(x).tolist()
    for row, answer in zip(scores, model(x), strict=True):
        assert torch.equal(answer, model.cells[row.index(max(row))])
    assert len({tuple(cell) for cell in model(10 * x).tolist()}) > 1


def test_grid_policy_supports_vmap():
    models = [GridPolicy(MAZE, **OPTIONS) for _ in range(4)]
    parameters, buffers = stack_module_state(models)
    x = torch.randn(4, 3, 11)
    together = vmap(lambda p, b, x: functional_call(models[0], (p, b), (x,)))(parameters, buffers, x)
    assert torch.equal(together, torch.stack([model(part) for model, part in zip(models, x, strict=True)]))


@pytest.mark.parametrize(
    ("error", "code", "fields", "build_model"),
    [
        (
            Mismatch,
            "mismatch",
            {"subject": "GridPolicy", "requirement": "a target of real values"},
            lambda: GridPolicy(Spec((Real((4,)),), Classes(2)), **OPTIONS),
        ),
        (
            UsageError,
            "invalid_value",
            {"key": "model.grid", "got": [0.5]},
            lambda: GridPolicy(MAZE, **{**OPTIONS, "grid": [0.5]}),
        ),
        (
            UsageError,
            "invalid_value",
            {"key": "model.grid", "must": "small enough for at most 4,096 cells"},
            lambda: GridPolicy(Spec((Real((4,)),), Real((9,))), **OPTIONS),
        ),
    ],
)
def test_grid_policy_rejects_invalid_input(error, code, fields, build_model):
    with pytest.raises(error) as raised:
        build_model()
    assert raised.value.code == code
    assert fields.items() <= raised.value.fields.items()
