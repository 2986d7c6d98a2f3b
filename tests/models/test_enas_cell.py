"""Recurrent cells of the ENAS space, standalone and on shared weights."""

import pytest
import torch
from torch import nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.space import SharesWeights, all_architectures, size
from dlcli.core.spec import Classes, Real, Spec
from dlcli.core.task import Batch, Recurrent, call
from dlcli.models.searched.enas_cell import EnasCell
from dlcli.models.searched.shared_cell import SharedCell
from dlcli.nn.supernet.cell_space import FUNCTIONS, CellSpace

SERIES = Spec((Real((2, None)),), Classes(3))
TOKENS = Spec((Classes(7, (None,)),), Classes(7, (None,)), causal=True)
NO_DROPOUT = dict.fromkeys([f"{name}_dropout" for name in ("word", "embedding", "input", "layer", "output")], 0.0)
SIZES = {"hidden": 5, "init_range": 0.8, "embedding": 5, "tied": False, **NO_DROPOUT}
EXAMPLES = [
    (0, 0, 1, 1, 2, 2, 3, 3),  # a chain
    (0, 3, 0, 2, 0, 1, 0, 0),  # a star
    (0, 1, 1, 1, 1, 3, 0, 2),
]


class Fixed(nn.Module):
    """A controller that has chosen."""

    def __init__(self, space):
        super().__init__()
        self.chosen = (0,) * len(space.decisions)

    def best(self):
        return self.chosen


def shared(spec=TOKENS, **changed):
    torch.manual_seed(0)
    made = SharedCell(spec, controller=Fixed, nodes=5, **{**SIZES, **changed}).double()
    nn.init.normal_(made.shared.network.head.linear.bias)  # so that forgetting it shows
    return made


def alone(architecture, spec=TOKENS, **changed):
    return EnasCell(spec, architecture=architecture, **{**SIZES, **changed}).double()


def tokens(time=9):
    return torch.randint(7, (3, time), generator=torch.Generator().manual_seed(1))


def series(time=9):
    return torch.randn(3, 2, time, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("nodes", "count"), [(2, 4), (3, 32), (4, 384), (10, 4**9 * 362880)])
def test_cell_space_size(nodes, count):
    assert size(CellSpace(nodes)) == count
    if count < 100:
        assert len(set(all_architectures(CellSpace(nodes)))) == count


def test_cell_space_decision_order():
    names = [(decision.name, len(decision.choices)) for decision in CellSpace(4).decisions]
    assert names == [
        ("node 2 reads", 1),
        ("node 2 function", 4),
        ("node 3 reads", 2),
        ("node 3 function", 4),
        ("node 4 reads", 3),
        ("node 4 function", 4),
    ]


def test_cell_space_graph_edges():
    graph = CellSpace(4).graph((0, 1, 0, 3, 2, 2))
    assert [node.label for node in graph.nodes[2:-1]] == ["1: tanh", "2: relu", "3: identity", "4: sigmoid"]
    reads = {(source, target) for source, target, _ in graph.edges}
    assert {("node 1", "node 2"), ("node 1", "node 3"), ("node 3", "node 4")} < reads
    assert {source for source, target in reads if target == "after"} == {"node 2", "node 3", "node 4"}
    assert {source for source, target in reads if target == "node 1"} == {"x", "before"}


def test_enas_cell_matches_hand_computation():
    spec = Spec((Real((1, None)),), Real((1,)))
    model = EnasCell(spec, architecture=(0, 1, 1, 3), **SIZES | {"hidden": 1}).double()
    with torch.no_grad():
        for parameter, values in (
            (model.network.inputs.weight, [[1.0], [2.0]]),
            (model.network.recurrent, [[0.5, -1.0]]),
            (model.matrices[0], [[2.0, 1.0]]),
            (model.matrices[1], [[-1.0, 3.0]]),
            (model.network.head.linear.weight, [[1.0]]),
        ):
            parameter.copy_(torch.tensor(values))
    state = torch.zeros((), dtype=torch.float64)
    for x in (0.3, -0.7):
        one = state + (2 * x - state).sigmoid() * ((x + 0.5 * state).tanh() - state)
        two = one + one.sigmoid() * ((2 * one).relu() - one)
        three = two + (3 * two).sigmoid() * (-two - two)
        state = (two + three) / 2
    torch.testing.assert_close(model(torch.tensor([[[0.3, -0.7]]], dtype=torch.float64))[0, 0], state)


@pytest.mark.parametrize("architecture", EXAMPLES)
@pytest.mark.parametrize(("spec", "x"), [(TOKENS, tokens()), (SERIES, series())], ids=["tokens", "series"])
@pytest.mark.parametrize("tied", [False, True])
def test_enas_cell_equals_shared_cell_with_copied_weights(architecture, spec, x, tied):
    if tied and spec is SERIES:
        return
    lender, borrower = shared(spec, tied=tied), alone(architecture, spec, tied=tied)
    lender.copy_weights(architecture, borrower)
    member = lender.child(architecture)
    torch.testing.assert_close(borrower(x), member(x), rtol=0, atol=0)
    for one, other in zip(borrower(x, carry=borrower.start(3)), member(x, carry=member.start(3)), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


@pytest.mark.parametrize("place", range(1, 8))
def test_shared_cell_output_depends_on_every_decision(place):
    model, x, base = shared(), tokens(), list(EXAMPLES[2])
    count = len(model.space.decisions[place].choices)
    outputs = []
    for choice in range(count):
        base[place] = choice
        outputs.append(model.child(tuple(base))(x))
    for first in range(count):
        for second in range(first):
            assert (outputs[first] - outputs[second]).abs().max() > 1e-3


def test_enas_cell_functions_differ_with_equal_matrices():
    base, x, outputs = alone(EXAMPLES[0]), tokens(), []
    for function in range(len(FUNCTIONS)):
        other = alone((0, function, *EXAMPLES[0][2:]))
        other.load_state_dict(base.state_dict())
        outputs.append(other(x))
    for first in range(4):
        for second in range(first):
            assert (outputs[first] - outputs[second]).abs().max() > 1e-3


@pytest.mark.parametrize("architecture", EXAMPLES)
def test_shared_cell_gradients_only_for_sampled_architecture(architecture):
    model = shared()
    model.child(architecture)(tokens()).square().sum().backward()
    touched = {name for name, part in model.shared.matrices.items() if part.grad is not None}
    pairs = enumerate(zip(architecture[::2], architecture[1::2], strict=True), 1)
    assert touched == {f"{node}_{function}_{previous}" for node, (previous, function) in pairs}
    assert all(model.shared.matrices[name].grad.abs().max() > 0 for name in touched)
    assert all(part.grad is not None for part in model.shared.network.parameters())


def test_shared_cell_number_of_matrices():
    model = shared()
    assert len(model.shared.matrices) == 4 * (1 + 2 + 3 + 4)
    assert all(part.shape == (5, 10) for part in model.shared.matrices.values())


@pytest.mark.parametrize("make", [lambda: alone(EXAMPLES[2]), shared, lambda: shared().child(EXAMPLES[2])])
def test_enas_cell_carry_equals_full_sequence(make):
    model, x = make().eval(), tokens(12)
    assert isinstance(model, Recurrent)
    carry, parts = None, []
    for place, window in enumerate(x.split(4, 1)):
        first = torch.full((3,), place == 0)
        output, carry = call(model, Batch((window,), window, first, place, 0, torch.arange(3)), carry)
        parts.append(output)
    torch.testing.assert_close(torch.cat(parts, 2), model(x))


def test_shared_cell_evaluates_best_architecture():
    model, x = shared(), tokens()
    assert isinstance(model, SharesWeights)
    model.controller.chosen = EXAMPLES[1]
    torch.testing.assert_close(model(x), model.child(EXAMPLES[1])(x))


def test_shared_cell_child_shares_weights_and_mode():
    model = shared(layer_dropout=0.5)
    assert {part.data_ptr() for part in model.child(EXAMPLES[0]).parameters()} == {
        part.data_ptr() for part in model.shared.parameters()
    }
    x = tokens()
    assert not torch.equal(model.child(EXAMPLES[0])(x), model.child(EXAMPLES[0])(x))
    model.eval()
    assert torch.equal(model.child(EXAMPLES[0])(x), model.child(EXAMPLES[0])(x))


@pytest.mark.parametrize("name", list(NO_DROPOUT))
def test_enas_cell_dropout_in_training_only(name):
    plain, dropped = alone(EXAMPLES[2]), alone(EXAMPLES[2], **{name: 0.5})
    dropped.load_state_dict(plain.state_dict())
    x = tokens()
    assert not torch.allclose(dropped(x), plain(x))
    torch.testing.assert_close(dropped.eval()(x), plain(x))


def test_enas_cell_dropout_mask_is_shared_over_steps():
    model = alone(EXAMPLES[2], output_dropout=0.5)
    nn.init.eye_(model.network.head.linear.weight)
    zero = (model(tokens())[:, :5] == 0).double().mean(2)
    assert set(zero.unique().tolist()) == {0.0, 1.0}


def test_enas_cell_initialization_range():
    model = alone(EXAMPLES[0], init_range=0.04)
    assert max(part.abs().max() for part in model.parameters()) <= 0.04
    assert [name for name, part in model.named_parameters() if part.dim() == 1] == ["network.head.linear.bias"]


def test_shared_cell_standalone_overrides():
    words = shared(layer_dropout=0.25).standalone_overrides(EXAMPLES[0])
    assert words[0] == "model=enas_cell"
    assert "model.architecture=[0,0,1,1,2,2,3,3]" in words
    assert {"model.hidden=5", "model.layer_dropout=0.25", "model.tied=False"} < set(words)


@pytest.mark.parametrize(
    ("error", "code", "fields", "build_model"),
    [
        (
            UsageError,
            "invalid_value",
            {"key": "model.architecture", "got": 4, "must": "from 0 to 3 (node 2 function)"},
            lambda: alone((0, 4)),
        ),
        (
            UsageError,
            "invalid_value",
            {"key": "model.architecture", "got": 2, "must": "from 0 to 1 (node 3 reads)"},
            lambda: alone((0, 0, 2, 0)),
        ),
        (
            UsageError,
            "invalid_value",
            {"key": "model.architecture", "got": [0, 0, 1], "must": "a list of 2 integers"},
            lambda: alone((0, 0, 1)),
        ),
        (UsageError, "invalid_value", {"key": "model.nodes", "got": 1}, lambda: alone(())),
        (UsageError, "invalid_value", {"key": "model.hidden", "got": 0}, lambda: alone((0, 0), hidden=0)),
        (
            UsageError,
            "invalid_value",
            {"key": "model.layer_dropout", "got": 1.0},
            lambda: alone((0, 0), layer_dropout=1.0),
        ),
        (UsageError, "requires", {"key": "model.tied=true"}, lambda: alone((0, 0), tied=True, embedding=4)),
        (Mismatch, "mismatch", {"subject": "EnasCell"}, lambda: alone((0, 0), Spec((Real((1, 8, 8)),), Classes(10)))),
    ],
)
def test_enas_cell_rejects_invalid_input(error, code, fields, build_model):
    with pytest.raises(error) as raised:
        build_model()
    assert raised.value.code == code
    assert fields.items() <= raised.value.fields.items()
