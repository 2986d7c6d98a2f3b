"""Macro space, supernet and standalone network."""

import pytest
import torch
from torch import nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.space import all_architectures, size
from dlcli.core.spec import Classes, Real, Spec
from dlcli.models.searched.macro_cnn import MacroCNN
from dlcli.models.searched.shared_macro import SharedMacro
from dlcli.nn.supernet.macro_space import OPERATIONS, MacroSpace

DIGITS = Spec((Real((1, 8, 8)),), Classes(10))
SIZES = {"layers": 4, "channels": 4, "reductions": 2, "dropout": 0.0}
EXAMPLES = [
    (0, 1, 1, 2, 0, 1, 3, 1, 1, 0),
    (5, 4, 0, 3, 0, 0, 2, 0, 0, 0),
    (1, 2, 0, 4, 1, 0, 5, 1, 0, 1),
    (3, 3, 1, 3, 1, 1, 3, 1, 1, 1),
]


class Fixed(nn.Module):
    """A controller that has chosen."""

    def __init__(self, space):
        super().__init__()
        self.chosen = tuple(0 for _ in space.decisions)

    def best(self):
        return self.chosen


def shared(**changed):
    torch.manual_seed(0)
    made = SharedMacro(DIGITS, controller=Fixed, **{**SIZES, **changed})
    for parameter in made.parameters():  # norms that scale and shift, so that forgetting one shows
        if parameter.dim() == 1:
            nn.init.normal_(parameter, 1.0, 0.3)
    return made


def alone(architecture, **changed):
    return MacroCNN(DIGITS, architecture=architecture, **{**SIZES, "stem": 4, **changed})


IMAGES = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("layers", "count"), [(1, 6), (2, 72), (3, 1728), (4, 82944)])
def test_macro_space_size(layers, count):
    space = MacroSpace(layers)
    assert size(space) == count == 6**layers * 2 ** (layers * (layers - 1) // 2)
    if layers < 3:
        assert len(set(all_architectures(space))) == count


def test_macro_space_plan():
    space = MacroSpace(3)
    assert [decision.name for decision in space.decisions] == [
        "layer 1 operation",
        "layer 2 operation",
        "layer 2 reads layer 1",
        "layer 3 operation",
        "layer 3 reads layer 1",
        "layer 3 reads layer 2",
    ]
    assert space.plan((5, 0, 1, 2, 1, 0)) == [(5, ()), (0, (1,)), (2, (1,))]


def test_macro_space_graph_edges():
    graph = MacroSpace(3).graph((5, 0, 1, 2, 1, 0))
    assert [node.label for node in graph.nodes] == ["", OPERATIONS[5], OPERATIONS[0], OPERATIONS[2], ""]
    assert graph.edges == (
        ("image", "layer 1", ""),
        ("layer 1", "layer 2", "and skip"),
        ("layer 2", "layer 3", ""),
        ("layer 1", "layer 3", "skip"),
        ("layer 3", "classes", ""),
    )


@pytest.mark.parametrize("reductions", [0, 1, 2])
@pytest.mark.parametrize("architecture", EXAMPLES)
def test_macro_cnn_equals_supernet_child_with_copied_weights(architecture, reductions):
    super_network, network = shared(reductions=reductions), alone(architecture, reductions=reductions)
    super_network.copy_weights(architecture, network)
    assert torch.equal(network(IMAGES), super_network.child(architecture)(IMAGES))


def test_macro_cnn_has_modules_of_its_architecture_only():
    super_network = shared()
    for architecture in EXAMPLES:
        names = {name for name, _ in alone(architecture).named_parameters()}
        assert names == {name for name, _ in super_network.child(architecture).named_parameters()}


def test_macro_supernet_output_depends_on_every_decision():
    super_network = shared()
    for architecture in EXAMPLES:
        base = super_network.child(architecture)(IMAGES)
        for place, decision in enumerate(super_network.space.decisions):
            outputs = [
                super_network.child((*architecture[:place], choice, *architecture[place + 1 :]))(IMAGES)
                for choice in range(len(decision.choices))
            ]
            assert torch.equal(outputs[architecture[place]], base)
            assert torch.pdist(torch.stack(outputs).flatten(1)).min() > 1e-3, decision.name


def test_macro_supernet_gradients_only_for_child():
    super_network = shared()
    for architecture in EXAMPLES:
        used = {id(parameter) for parameter in super_network.child(architecture).parameters()}
        parameters = list(super_network.shared.parameters())
        loss = super_network.child(architecture)(IMAGES).square().sum()
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        touched = {id(one) for one, found in zip(parameters, gradients, strict=True) if found is not None}
        assert touched == used
        assert len(used) < len(parameters) / 2


def test_macro_supernet_evaluates_with_batch_statistics():
    super_network = shared()
    before = super_network.child(EXAMPLES[0])(IMAGES)
    assert torch.equal(super_network.eval().child(EXAMPLES[0])(IMAGES), before)


def test_macro_supernet_evaluates_best_architecture():
    super_network = shared()
    super_network.controller.chosen = EXAMPLES[2]
    assert torch.equal(super_network(IMAGES), super_network.child(EXAMPLES[2])(IMAGES))


def test_macro_supernet_child_shares_weights():
    super_network = shared()
    state = {name: value.clone() for name, value in super_network.state_dict().items()}
    member = super_network.child(EXAMPLES[1])
    assert {id(one) for one in member.parameters()} <= {id(one) for one in super_network.shared.parameters()}
    member(IMAGES)
    after = super_network.state_dict()
    assert state.keys() == after.keys()
    assert all(torch.equal(state[name], after[name]) for name in state)


def test_macro_first_layer_matches_hand_computation():
    network = alone((0,), layers=1, reductions=0).eval()
    parts = network.parts
    x = parts["stem"][1](parts["stem"][0](IMAGES))
    one, norm, _, conv, last, _ = parts["operation_1_0"]
    x = last(conv(norm(one(x)).relu())).relu()
    torch.testing.assert_close(network(IMAGES), parts["answer"][-1](x.mean((2, 3))))


def test_macro_supernet_standalone_overrides_rebuild_child():
    words = shared().standalone_overrides(EXAMPLES[0])
    assert words[0] == "model=macro_cnn"
    assert "model.architecture=[0,1,1,2,0,1,3,1,1,0]" in words
    assert {"model.layers=4", "model.channels=4", "model.stem=4", "model.reductions=2", "model.dropout=0.0"} <= set(
        words
    )


@pytest.mark.parametrize(
    ("error", "code", "fields", "build_model"),
    [
        (
            Mismatch,
            "mismatch",
            {"subject": "MacroCNN", "requirement": "an image that can be halved 3 times (this one: at most 2)"},
            lambda: alone(EXAMPLES[0], reductions=3),
        ),
        (
            Mismatch,
            "mismatch",
            {"subject": "MacroCNN", "requirement": "one image (channel, height, width)"},
            lambda: MacroCNN(Spec((Real((1, 64)),), Classes(10)), architecture=EXAMPLES[0], stem=5, **SIZES),
        ),
        (
            UsageError,
            "invalid_value",
            {"key": "model.architecture", "must": "a list of 10 integers"},
            lambda: alone(EXAMPLES[0][:-1]),
        ),
        (
            UsageError,
            "invalid_value",
            {"key": "model.architecture", "got": 6, "must": "from 0 to 5 (layer 1 operation)"},
            lambda: alone((6, *EXAMPLES[0][1:])),
        ),
        (
            UsageError,
            "invalid_value",
            {"key": "model.layers", "got": 2, "must": "greater than model.reductions"},
            lambda: alone((0, 0, 0), layers=2, reductions=2),
        ),
    ],
)
def test_macro_cnn_rejects_invalid_input(error, code, fields, build_model):
    with pytest.raises(error) as raised:
        build_model()
    assert raised.value.code == code
    assert fields.items() <= raised.value.fields.items()


def test_macro_cnn_accepts_odd_sizes_and_rgb():
    spec = Spec((Real((3, 15, 11)),), Classes(4))
    network = MacroCNN(spec, architecture=EXAMPLES[0], stem=5, **SIZES)
    assert network(torch.rand(2, 3, 15, 11)).shape == (2, 4)
