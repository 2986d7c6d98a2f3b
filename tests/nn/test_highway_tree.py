"""Highway tree against a reference implementation, values and gradients."""

import itertools

import pytest
import torch

from dlcli.nn.supernet.highway_tree import concatenate_matrices, group_siblings, highway_tree

FUNCTIONS = (torch.tanh, torch.relu, torch.sigmoid, lambda x: x)
TREES = {
    "chain": ((0, 1, 2, 3), (0, 1, 2, 3)),
    "star": ((0, 0, 0, 0), (3, 2, 1, 0)),
    "bush": ((0, 0, 1, 1, 3, 0, 3), (1, 0, 2, 2, 3, 1, 3)),
    "one": ((0,), (2,)),
}
trees = pytest.mark.parametrize(("previous", "functions"), TREES.values(), ids=TREES)


def by_definition(previous, functions, drive, state, mask, recurrent, matrices):
    mask = torch.ones_like(state) if mask is None else mask
    states = []
    for entering in drive:
        h, t = (entering + (state * mask) @ recurrent).chunk(2, 1)
        nodes = [state + t.sigmoid() * (h.tanh() - state)]
        for read, function, matrix in zip(previous, functions, matrices, strict=True):
            h, t = ((nodes[read] * mask) @ matrix).chunk(2, 1)
            nodes.append(nodes[read] + t.sigmoid() * (FUNCTIONS[function](h) - nodes[read]))
        state = torch.stack(nodes[1:]).mean(0)
        states.append(state)
    return torch.stack(states)


def fused(previous, functions, drive, state, mask, recurrent, matrices):
    families = group_siblings(previous, functions)
    side_by_side = [concatenate_matrices([matrices[node - 1] for node in family.nodes]) for family in families]
    return highway_tree(families, drive, state, mask, recurrent, side_by_side)


def example(nodes, time=5, batch=3, unit=4):
    draw = torch.Generator().manual_seed(nodes)
    sizes = ((time, batch, 2 * unit), (batch, unit), (unit, 2 * unit), *[(unit, 2 * unit)] * nodes)
    return [torch.randn(*size, dtype=torch.float64, generator=draw).requires_grad_() for size in sizes]


def masks(batch=3, unit=4):
    drawn = torch.rand(batch, unit, dtype=torch.float64, generator=torch.Generator().manual_seed(9))
    return None, (drawn > 0.3).double() / 0.7


@trees
@pytest.mark.parametrize("mask", masks(), ids=["plain", "masked"])
@pytest.mark.parametrize("time", [1, 8, 19])
def test_highway_tree_matches_reference_values_and_gradients(previous, functions, mask, time):
    drive, state, recurrent, *matrices = leaves = example(len(previous), time)
    slope = torch.randn(time, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(7))
    both = [made(previous, functions, drive, state, mask, recurrent, matrices) for made in (by_definition, fused)]
    torch.testing.assert_close(both[1], both[0], rtol=1e-12, atol=1e-12)
    wanted, got = (torch.autograd.grad(states, leaves, slope) for states in both)
    for one, other in zip(got, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


@trees
def test_highway_tree_gradcheck(previous, functions):
    mask = masks()[1]

    def of(drive, state, recurrent, *matrices):
        return fused(previous, functions, drive, state, mask, recurrent, matrices)

    assert torch.autograd.gradcheck(of, example(len(previous), time=3))


def test_group_siblings_orders_parents_first():
    for previous in itertools.product((0,), (0, 1), (0, 1, 2), (0, 1, 2, 3)):
        functions = (1, 0, 1, 0)
        families = group_siblings(previous, functions)
        nodes = [node for family in families for node in family.nodes]
        assert sorted(nodes) == [1, 2, 3, 4]
        for family in families:
            assert family.offset == nodes.index(family.nodes[0])
            assert all(previous[node - 1] == family.parent for node in family.nodes)
            assert family.parent == 0 or nodes.index(family.parent) < family.offset
            for function, first, end in family.runs:
                assert {functions[node - 1] for node in family.nodes[first:end]} == {function}


def test_highway_tree_node_with_zero_weights_halves_its_input():
    drive, state, recurrent, *matrices = (part.detach() for part in example(3))
    drive[..., 4:] = -1e3  # the gate of node 1 is shut: it is the state
    none = [torch.zeros_like(matrix) for matrix in matrices]
    states = fused((0, 0, 1), (3, 0, 1), drive, state, None, torch.zeros_like(recurrent), none)
    rate = (1 / 2 + 1 / 2 + 1 / 4) / 3
    wanted = torch.stack([state * rate**step for step in range(1, 6)])
    torch.testing.assert_close(states, wanted)


def test_highway_tree_rejects_second_derivative():
    drive, state, recurrent, *matrices = example(1)
    states = fused((0,), (0,), drive, state, None, recurrent, matrices)
    (first,) = torch.autograd.grad(states.square().sum(), [drive], create_graph=True)
    with pytest.raises(RuntimeError, match="differentiable"):
        first.sum().backward()
