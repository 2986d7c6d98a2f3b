"""Non-local blocks: the four pairwise functions against a double loop, and common properties."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F

from dlcli.core.errors import UsageError
from dlcli.nn.attention.non_local import NonLocalBlock
from dlcli.nn.attention.pairwise import FORMS
from dlcli.nn.initializers import GaussianInitializer, HeInitializer

PAPERS = GaussianInitializer(deviation=0.01)
SPACES = [(7,), (3, 4), (2, 3, 3)]
CHANNELS = 6


def block(form, *, pool=1, scale=1.0, channels=CHANNELS, trained=True):
    """A block as it may be after training: no weight is zero."""
    torch.manual_seed(0)
    made = NonLocalBlock(channels, variant=form, scale=scale, pool=pool, gamma=0.0, initializer=PAPERS)
    if trained:
        for parameter in made.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
    return made


def images(*space, channels=CHANNELS, batch=3):
    return torch.randn(batch, channels, *space, generator=torch.Generator().manual_seed(1))


def pair(made, form, i, j):
    """f(x_i, x_j) of two vectors, from the equations of the paper."""
    parts = made.pairs
    if form == "gaussian":
        return math.exp(parts.scale * float(i @ j))
    theta, phi = parts.theta(i), parts.phi(j)
    if form == "embedded_gaussian":
        return math.exp(parts.scale * float(theta @ phi))
    if form == "dot_product":
        return parts.scale * float(theta @ phi)
    return max(0.0, parts.scale * float(parts.w.weight[0] @ torch.cat((theta, phi))))


def by_hand(made, form, x, others):
    """W_z y before the norm, from a loop over all pairs of positions."""
    flat, small = x.flatten(2).transpose(1, 2), others.flatten(2).transpose(1, 2)
    y = torch.zeros(len(x), flat.shape[1], made.g.out_features)
    for row, i in itertools.product(range(len(x)), range(flat.shape[1])):
        f = [pair(made, form, flat[row, i], one) for one in small[row]]
        total = sum(f) if "gaussian" in form else len(f)
        y[row, i] = sum(value / total * made.g(one) for value, one in zip(f, small[row], strict=True))
    return made.w_z(y).transpose(1, 2).reshape(x.shape)


@pytest.mark.parametrize("scale", [1.0, None])
@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("form", FORMS)
def test_non_local_block_matches_double_loop(form, space, scale):
    made, x = block(form, scale=scale), images(*space)
    seen = []
    made.norm.register_forward_hook(lambda _, given, out: seen.append(given[0]))
    with torch.no_grad():
        made(x)
        torch.testing.assert_close(seen[0].reshape(x.shape), by_hand(made, form, x, x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("space", "size"), [((7,), 4), ((3, 4), 4), ((2, 3, 3), 8)])
@pytest.mark.parametrize("form", FORMS)
def test_non_local_block_pools_space_but_not_time(form, space, size):
    made, x = block(form, pool=2), images(*space)
    pooling = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}[len(space)]
    small = pooling(x, (1, 2, 2)[-len(space) :], ceil_mode=True)
    assert small[0, 0].numel() == size
    seen = []
    made.norm.register_forward_hook(lambda _, given, out: seen.append(given[0]))
    with torch.no_grad():
        made(x)
        torch.testing.assert_close(seen[0].reshape(x.shape), by_hand(made, form, x, small), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("form", FORMS)
def test_non_local_block_is_initially_the_identity(form, space):
    made, x = block(form, trained=False), images(*space)
    assert torch.equal(made(x), x)
    assert torch.equal(made.eval()(x), x)


@pytest.mark.parametrize("form", FORMS)
def test_non_local_block_first_update_changes_gamma_only(form):
    made, x = block(form, trained=False), images(3, 4)
    wanted = torch.randn(x.shape, generator=torch.Generator().manual_seed(2))
    optimizer = torch.optim.SGD(made.parameters(), lr=0.1)
    (made(x) - wanted).square().mean().backward()
    assert made.norm.weight.grad.abs().min() > 0
    assert made.w_z.weight.grad.abs().max() == 0
    optimizer.step()
    optimizer.zero_grad()
    (made(x) - wanted).square().mean().backward()
    for name, parameter in made.named_parameters():
        if name != "w_z.bias" and not name.endswith("phi.bias"):  # the norm and the softmax take a constant away
            assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("form", FORMS)
def test_non_local_block_is_permutation_equivariant(form):
    made, x = block(form), images(12)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(made(x[..., order]), made(x)[..., order], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_non_local_block_is_equal_in_1d_2d_and_3d(form):
    made, x = block(form), images(12)
    for space in ((3, 4), (2, 2, 3)):
        torch.testing.assert_close(made(x.unflatten(2, space)).flatten(2), made(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("form", ["gaussian", "embedded_gaussian"])
def test_non_local_softmax_rows_sum_to_one(form):
    made, x = block(form, pool=2), images(2, 3, 4)
    maps = made.attention(x, torch.tensor([[0, 23], [5, 6], [1, 1]]))
    assert maps.shape == (3, 2, 2, 2, 2)
    torch.testing.assert_close(maps.flatten(2).sum(2), torch.ones(3, 2))


@pytest.mark.parametrize("form", FORMS)
def test_non_local_attention_matches_forward(form):
    made, x = block(form), images(3, 4)
    queries = torch.arange(12).expand(3, -1)
    maps = made.attention(x, queries).flatten(2)
    flat = x.flatten(2).transpose(1, 2)
    values = made.g(flat)
    torch.testing.assert_close(maps @ values, made.pairs(flat, flat, values), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_non_local_block_gradients_match_full_matrix(form):
    made, x = block(form), images(20).transpose(1, 2).requires_grad_()
    others = images(9, batch=3).transpose(1, 2).requires_grad_()
    slope = torch.randn(3, 20, 3, generator=torch.Generator().manual_seed(4))
    wanted = [x, others, *made.pairs.parameters(), *made.g.parameters()]
    results = []
    for gathered in (
        made.pairs(x, others, made.g(others)),
        made.pairs.weights(x, others) @ made.g(others),
    ):
        results.append(torch.autograd.grad(gathered, wanted, slope))
    for fast, full in zip(*results, strict=True):
        torch.testing.assert_close(fast, full, rtol=1e-4, atol=1e-5)


def test_dot_product_is_equal_in_both_orders_of_products():
    few, many = (block("dot_product", channels=channels) for channels in (4, 64))
    for made, space in ((few, (50,)), (many, (3,))):
        x = images(*space, channels=made.g.in_features).transpose(1, 2)
        torch.testing.assert_close(
            made.pairs(x, x, made.g(x)), made.pairs.weights(x, x) @ made.g(x), rtol=1e-3, atol=1e-3
        )


def test_non_local_initial_attention_is_uniform_with_published_initializer():
    """Of what one position sees of 64 others: the deviation of the weights over their mean, which is 1/64."""
    seen = {}
    for name, initial in (("published", PAPERS), ("he", HeInitializer())):
        torch.manual_seed(0)
        made = NonLocalBlock(32, variant="embedded_gaussian", scale=None, pool=1, gamma=0.0, initializer=initial)
        seen[name] = made.attention(images(8, 8, channels=32), torch.zeros(3, 1, dtype=torch.long))[:, 0].flatten(1)
    spread = {name: weights.std(1).mean() * 64 for name, weights in seen.items()}
    assert spread["published"] < 0.01 < 0.3 < spread["he"]


def test_non_local_block_rejects_invalid_values():
    with pytest.raises(UsageError) as raised:
        NonLocalBlock(4, variant="gausian", scale=1.0, pool=1, gamma=0.0, initializer=PAPERS)
    assert (raised.value.code, raised.value.fields["name"]) == ("unknown_name", "gausian")
    with pytest.raises(UsageError) as raised:
        NonLocalBlock(4, variant="gaussian", scale=1.0, pool=0, gamma=0.0, initializer=PAPERS)
    assert raised.value.fields["key"] == "model.nonlocal_pool"
