"""Routing against a reference implementation, values and gradients."""

from pathlib import Path

import pytest
import torch
import yaml

from dlcli.core.errors import UsageError
from dlcli.nn.capsule.prediction_vectors import PairwisePredictionVectors, SharedPredictionVectors
from dlcli.nn.capsule.routing import DynamicRouting, SuRouting, squash

BATCH, INPUTS, DIM, OUTPUTS, POSE = 3, 7, 4, 5, 6
KINDS = {"hinton": (DynamicRouting, 1.0), "su": (SuRouting, 0.5)}


def problem(shared, seed=0):
    """u [batch, input, dim] and W [input, output, pose, dim], without the input's axis where it is shared."""
    draw = torch.Generator().manual_seed(seed)
    u = torch.randn(BATCH, INPUTS, DIM, generator=draw, dtype=torch.float64)
    W = torch.randn(INPUTS, OUTPUTS, POSE, DIM, generator=draw, dtype=torch.float64)
    bias = torch.randn(OUTPUTS, POSE, generator=draw, dtype=torch.float64)
    return tuple(part.requires_grad_() for part in (u, W[0] if shared else W, bias))


def votes(u, W):
    laid_out = W.permute(2, 0, 1) if W.dim() == 3 else W.permute(3, 0, 1, 2)
    return (SharedPredictionVectors if W.dim() == 3 else PairwisePredictionVectors)(
        u.transpose(1, 2).contiguous(), laid_out
    )


def plain(u, W, bias, kind, iterations, gradient, coupling):
    """Procedure 1, word for word, every vote written out; also the last couplings."""
    half = KINDS[kind][1]
    said = torch.einsum("jkd,bid->bijk" if W.dim() == 3 else "ijkd,bid->bijk", W, u)
    b = torch.zeros(said.shape[:3], dtype=u.dtype)
    for iteration in range(iterations):
        last = iteration == iterations - 1
        if coupling == "leaky":
            b_and_none = torch.cat((b, torch.zeros_like(b[..., :1])), 2)
            c = b_and_none.softmax(2)[..., :-1]
        else:
            c = b.softmax(1 if coupling == "inputs" else 2)
        now = said if last or gradient == "all" else said.detach()
        s = (c[..., None] * now).sum(1) + (bias if last or gradient == "all" else bias.detach())
        norm2 = s.square().sum(-1, keepdim=True)
        v = norm2 / (half + norm2) * s / norm2.sqrt()
        agreement = (now * v[:, None]).sum(-1)
        if not last:
            b = b + agreement if kind == "hinton" else agreement
    return v, c


def fast(u, W, bias, kind, iterations, gradient, coupling):
    routing = KINDS[kind][0](iterations=iterations, gradient=gradient, coupling=coupling)
    return routing(votes(u, W), bias)


@pytest.mark.parametrize("coupling", ["softmax", "leaky", "inputs"])
@pytest.mark.parametrize("gradient", ["all", "last"])
@pytest.mark.parametrize("iterations", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shared", [False, True])
def test_routing_matches_reference_values_and_gradients(shared, kind, iterations, gradient, coupling):
    given, options = problem(shared), (kind, iterations, gradient, coupling)
    wanted, got = plain(*given, *options)[0], fast(*given, *options)
    torch.testing.assert_close(got, wanted)
    slope = torch.randn(wanted.shape, dtype=wanted.dtype, generator=torch.Generator().manual_seed(1))
    theirs = torch.autograd.grad((wanted * slope).sum(), given)
    torch.testing.assert_close(torch.autograd.grad((got * slope).sum(), given), theirs)


def test_prediction_vectors_gradcheck():
    u, W, _ = problem(shared=False)
    draw = torch.Generator().manual_seed(2)
    c = torch.rand(OUTPUTS, BATCH, INPUTS, generator=draw, dtype=torch.float64).requires_grad_()
    v = torch.randn(BATCH, OUTPUTS, POSE, generator=draw, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda c, u, W: votes(u, W).combine(c), (c, u, W))
    assert torch.autograd.gradcheck(lambda v, u, W: votes(u, W).agree(v), (v, u, W))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shared", [False, True])
def test_routing_is_permutation_invariant(shared, kind):
    u, W, bias = problem(shared)
    order = torch.randperm(INPUTS, generator=torch.Generator().manual_seed(3))
    turned = W if shared else W[order]
    options = (kind, 3, "all", "softmax")
    torch.testing.assert_close(fast(u[:, order], turned, bias, *options), fast(u, W, bias, *options))
    if not shared:  # the matrices belong to the inputs
        assert (fast(u[:, order], W, bias, *options) - fast(u, W, bias, *options)).abs().max() > 1e-2


@pytest.mark.parametrize("kind", KINDS)
def test_couplings_sum_to_one_over_outputs(kind):
    routing = KINDS[kind][0](iterations=3, gradient="all", coupling="softmax")
    seen = []
    routing.couple = lambda logits, couple=routing.couple: seen.append(couple(logits)) or seen[-1]
    u, W, bias = problem(shared=False)
    routing(votes(u, W), bias)
    assert len(seen) == 2
    for c in seen:
        assert c.shape == (OUTPUTS, BATCH, INPUTS)
        torch.testing.assert_close(c.sum(0), torch.ones_like(c[0]))
        assert (c.sum(2) - 1).abs().min() > 1e-3
    torch.testing.assert_close(seen[-1].permute(1, 2, 0), plain(u, W, bias, kind, 3, "all", "softmax")[1])


def test_leaky_couplings_sum_to_less_than_one():
    routing = DynamicRouting(iterations=3, gradient="all", coupling="leaky")
    logits = torch.tensor([1.0, -2.0, 0.5]).view(3, 1, 1)
    c = routing.couple(logits)
    torch.testing.assert_close(c, logits.exp() / (logits.exp().sum() + 1))
    assert routing.couple(logits - 50).sum() < 1e-10


@pytest.mark.parametrize("kind", KINDS)
def test_routing_of_an_example_is_independent_of_its_batch(kind):
    u, W, bias = problem(shared=False)
    options = (kind, 3, "all", "softmax")
    together = fast(u, W, bias, *options)
    assert torch.equal(fast(u, W, bias, *options), together)  # nothing is remembered
    for row in range(BATCH):
        torch.testing.assert_close(fast(u[row : row + 1], W, bias, *options), together[row : row + 1])


def test_dynamic_routing_accumulates_and_su_routing_replaces_agreement():
    one, two = torch.rand(2, 1, 3), torch.rand(2, 1, 3)
    hinton, su = (kind(iterations=3, gradient="all", coupling="softmax") for kind, _ in KINDS.values())
    torch.testing.assert_close(hinton.update(one, two), one + two)
    assert su.update(one, two) is two


@pytest.mark.parametrize("half", [1.0, 0.5])
def test_squash_closed_form(half):
    s = torch.tensor([[3.0, 4.0], [0.0, half**0.5], [0.0, 0.0], [1e4, 0.0]], dtype=torch.float64)
    wanted = [[0.6 * 25 / (25 + half), 0.8 * 25 / (25 + half)], [0.0, 0.5], [0.0, 0.0], [1e8 / (1e8 + half), 0.0]]
    torch.testing.assert_close(squash(s, half), torch.tensor(wanted, dtype=torch.float64))


@pytest.mark.parametrize("shared", [False, True])
def test_routing_gradients_are_finite_at_zero(shared):
    u, W, bias = problem(shared)
    u, bias = torch.zeros_like(u).requires_grad_(), torch.zeros_like(bias).requires_grad_()
    v = fast(u, W, bias, "hinton", 3, "all", "softmax")
    assert not v.any()
    assert all(part.isfinite().all() for part in torch.autograd.grad(v.sum(), (u, W, bias)))


def test_routing_supports_vmap():
    u, W, bias = (part.detach() for part in problem(shared=False))
    many = torch.stack((W, 2 * W))
    options = ("hinton", 3, "all", "softmax")
    together = torch.vmap(lambda one: fast(u, one, bias, *options))(many)
    torch.testing.assert_close(together, torch.stack([fast(u, one, bias, *options) for one in many]))


@pytest.mark.parametrize("name", KINDS)
def test_routing_yaml_lists_constructor_keywords(name):
    node = yaml.safe_load((Path(__file__).parents[2] / "conf" / "routing" / f"{name}.yaml").read_text())
    assert node.pop("_target_") == f"dlcli.nn.capsule.routing.{KINDS[name][0].__name__}"
    KINDS[name][0](**node)


def test_routing_rejects_zero_iterations():
    with pytest.raises(UsageError) as raised:
        DynamicRouting(iterations=0, gradient="all", coupling="softmax")
    assert raised.value.fields["key"] == "routing.iterations"
