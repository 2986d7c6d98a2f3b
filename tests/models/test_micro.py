"""Micro space, supernet and standalone network."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.space import sample, size
from dlcli.core.spec import Classes, Real, Spec
from dlcli.models.searched.micro_cnn import MicroCNN
from dlcli.models.searched.shared_micro import SharedMicro
from dlcli.nn.supernet.cell_stack import CellStack
from dlcli.nn.supernet.micro_space import MicroSpace

DIGITS = Spec((Real((1, 8, 8)),), Classes(10))
SIZES = {"nodes": 2, "cells": 2, "channels": 4, "reductions": 1, "dropout": 0.0}
BY_HAND = (0, 0, 1, 4, 2, 2, 1, 1, 0, 3, 0, 4, 0, 1, 0, 2)
EXAMPLES = [BY_HAND, *sample(MicroSpace(2), 5, torch.Generator().manual_seed(5))]
IMAGES = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(1))


class Fixed(nn.Module):
    """A controller that has chosen."""

    def __init__(self, space):
        super().__init__()
        self.chosen = BY_HAND

    def best(self):
        return self.chosen


@pytest.fixture(scope="module")
def shared():
    torch.manual_seed(0)
    made = SharedMicro(DIGITS, controller=Fixed, **SIZES)
    for parameter in made.parameters():  # norms that scale and shift, so that forgetting one shows
        if parameter.dim() == 1:
            nn.init.normal_(parameter, 1.0, 0.3)
    return made


def alone(architecture, **changed):
    return MicroCNN(DIGITS, architecture=architecture, **{**SIZES, "stem": 12, **changed})


def test_micro_space_size():
    assert size(MicroSpace(1)) == 10**4
    assert size(MicroSpace(2)) == (10**2 * 15**2) ** 2
    names = [decision.name for decision in MicroSpace(2).decisions]
    assert names[:4] == [
        "normal node 1 first input",
        "normal node 1 first operation",
        "normal node 1 second input",
        "normal node 1 second operation",
    ]
    assert names[-1] == "reduction node 2 second operation"
    assert MicroSpace(2).decisions[4].choices == ("input 1", "input 2", "node 1")


def test_micro_space_cell_plan():
    normal, reduction = MicroSpace(2).cells(BY_HAND)
    assert normal.nodes == (((0, 0), (1, 4)), ((2, 2), (1, 1)))
    assert normal.ends == (3,)
    assert reduction.nodes == (((0, 3), (0, 4)), ((0, 1), (0, 2)))
    assert reduction.ends == (1, 2, 3)


def test_micro_space_graph_edges():
    graph = MicroSpace(1).graph((0, 1, 0, 4, 1, 3, 0, 2))
    assert graph.edges == (
        ("normal input 1", "normal node 1", "separable 5x5"),
        ("normal input 1", "normal node 1", "identity"),
        ("normal input 2", "normal cell", ""),
        ("normal node 1", "normal cell", ""),
        ("reduction input 2", "reduction node 1", "max pooling 3x3"),
        ("reduction input 1", "reduction node 1", "average pooling 3x3"),
        ("reduction node 1", "reduction cell", ""),
    )


def test_cell_stack_order_matches_published_code():
    chain = CellStack(cells=6, channels=20, stem=60, reductions=2)
    assert [cell for cell, reduces in enumerate(chain.reducing) if reduces] == [2, 5]
    assert chain.width == [20, 20, 40, 40, 40, 80, 80, 80]
    assert chain.read(3, 0) == (20, True)
    assert chain.read(3, 1) == (40, False)


@pytest.mark.parametrize("architecture", EXAMPLES)
def test_micro_cnn_equals_supernet_child_with_copied_weights(shared, architecture):
    network = alone(architecture)
    shared.copy_weights(architecture, network)
    assert torch.equal(network(IMAGES), shared.child(architecture)(IMAGES))
    assert {name for name, _ in network.named_parameters()} == {
        name for name, _ in shared.child(architecture).named_parameters()
    }


def test_micro_supernet_output_depends_on_every_decision(shared):
    for architecture in EXAMPLES[:2]:
        for place, decision in enumerate(shared.space.decisions):
            outputs = [
                shared.child((*architecture[:place], choice, *architecture[place + 1 :]))(IMAGES)
                for choice in range(len(decision.choices))
            ]
            assert torch.pdist(torch.stack(outputs).flatten(1)).min() > 1e-4, decision.name


def test_micro_supernet_gradients_only_for_child(shared):
    for architecture in EXAMPLES:
        used = {id(parameter) for parameter in shared.child(architecture).parameters()}
        parameters = list(shared.shared.parameters())
        loss = shared.child(architecture)(IMAGES).square().sum()
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        touched = {id(one) for one, found in zip(parameters, gradients, strict=True) if found is not None}
        assert touched == used
        assert len(used) < len(parameters) / 2


def test_micro_supernet_evaluates_with_batch_statistics(shared):
    before = shared.child(BY_HAND)(IMAGES)
    assert torch.equal(shared.eval()(IMAGES), before)
    shared.train()


def test_micro_cell_matches_hand_computation(shared):
    """The first cell: node 1 = separable(input 1) + input 2, node 2 = mean pooling(node 1) + separable 5x5(input 2)."""
    parts, member = shared.shared, shared.child(BY_HAND)
    x = parts["stem"](IMAGES)
    one, two = parts["input_0_0"](x), parts["input_0_1"](x)
    node1 = parts["operation_0_0_0_0_0"](one) + two
    node2 = F.avg_pool2d(node1, 3, 1, 1, count_include_pad=False) + parts["operation_0_1_1_1_1"](two)
    wanted = parts["norm_0"](parts["end_0_3"](node2.relu()))
    torch.testing.assert_close(member._cell(0, member._plans[0], x, x), wanted)


def test_micro_supernet_standalone_overrides_rebuild_child(shared):
    words = shared.standalone_overrides(BY_HAND)
    assert words[0] == "model=micro_cnn"
    assert words[-1] == "model.architecture=[0,0,1,4,2,2,1,1,0,3,0,4,0,1,0,2]"
    assert {"model.nodes=2", "model.cells=2", "model.channels=4", "model.stem=12", "model.reductions=1"} <= set(words)


@pytest.mark.parametrize(
    ("error", "code", "fields", "build_model"),
    [
        (
            Mismatch,
            "mismatch",
            {"subject": "MicroCNN", "requirement": "an image that can be halved 3 times (this one: at most 2)"},
            lambda: alone(BY_HAND, cells=4, reductions=3),
        ),
        (
            UsageError,
            "invalid_value",
            {"key": "model.architecture", "got": 2, "must": "from 0 to 1 (normal node 1 first input)"},
            lambda: alone((2, *BY_HAND[1:])),
        ),
        (
            UsageError,
            "invalid_value",
            {"key": "model.cells", "got": 1, "must": "greater than model.reductions"},
            lambda: alone(BY_HAND, cells=1),
        ),
    ],
)
def test_micro_cnn_rejects_invalid_input(error, code, fields, build_model):
    with pytest.raises(error) as raised:
        build_model()
    assert raised.value.code == code
    assert fields.items() <= raised.value.fields.items()


def test_micro_cnn_accepts_odd_sizes_and_rgb():
    spec = Spec((Real((3, 15, 11)),), Classes(4))
    network = MicroCNN(spec, architecture=BY_HAND, **{**SIZES, "cells": 3, "reductions": 2, "stem": 5})
    assert network(torch.rand(2, 3, 15, 11)).shape == (2, 4)
