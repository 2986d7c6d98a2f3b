"""DARTS mixture: one-hot weights, derived architecture."""

import torch
import torch.nn.functional as F

from dlcli.core.space import check_architecture
from dlcli.core.spec import Classes, Real, Spec
from dlcli.models.searched.mixed_micro import MixedMicro

DIGITS = Spec((Real((1, 8, 8)),), Classes(10))
IMAGES = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def make(nodes=2):
    torch.manual_seed(0)
    return MixedMicro(DIGITS, nodes=nodes, cells=2, channels=4, reductions=1, dropout=0.0)


def test_mixed_micro_best_selects_two_strongest_states():
    model = make()
    with torch.no_grad():
        for logits in model.alpha.values():
            logits.zero_()
        normal = model.alpha["normal"]
        normal[0, 3] = normal[1, 1] = 1.0  # node 1: max pooling of input 1, separable 5x5 of input 2
        normal[2, 0], normal[3, 4], normal[4, 2] = 3.0, 1.0, 2.0  # node 2: input 1, input 2, node 1
    best = model.best()
    assert best[:8] == (0, 3, 1, 1, 0, 0, 2, 2)
    assert check_architecture(model.space, best) == best


def test_mixed_micro_strength_is_softmax_not_logit():
    model = make()
    with torch.no_grad():
        model.alpha["normal"].zero_()
        model.alpha["normal"][2] = 9.0  # every operation alike: a share of 0.2
        model.alpha["normal"][3, 1] = model.alpha["normal"][4, 0] = 1.0
    assert model.best()[4:8] == (1, 1, 2, 0)


def test_mixed_micro_with_one_hot_weights_is_one_operation():
    """Cell 0 with one node and all weight on identity, then on average pooling, normalized."""
    model = make(nodes=1)
    x = model.shared["stem"](IMAGES)
    one, two = (model.shared[f"input_0_{side}"](x) for side in (0, 1))

    def cell(choice):
        share = F.one_hot(torch.tensor([choice, choice]), 5).float()
        return model._cell(0, [share], x, x)

    def end(node):
        return model.shared["norm_0"](model.shared["end_0_2"](node.relu()))

    torch.testing.assert_close(cell(4), end(one + two))
    pooled = [F.avg_pool2d(state, 3, 1, 1, count_include_pad=False) for state in (one, two)]
    normal = [
        (y - y.mean((0, 2, 3), keepdim=True)) / (y.var((0, 2, 3), False, keepdim=True) + 1e-5).sqrt() for y in pooled
    ]
    torch.testing.assert_close(cell(2), end(sum(normal)), rtol=1e-4, atol=1e-4)


def test_mixed_micro_gradients_reach_all_parameters():
    model = make(nodes=2)
    loss = model(IMAGES).square().sum()
    assert all(
        gradient is not None
        for gradient in torch.autograd.grad(loss, list(model.shared.parameters()), retain_graph=True)
    )
    for gradient in torch.autograd.grad(loss, list(model.alpha.values())):
        assert (gradient != 0).all()
        torch.testing.assert_close(gradient.sum(1), torch.zeros(len(gradient)), atol=1e-4, rtol=0)  # of a softmax


def test_mixed_micro_norms_have_no_scale():
    model = make()
    assert not [name for name, value in model.shared.named_parameters() if value.dim() == 1 and "answer" not in name]
    assert model.standalone_overrides(model.best())[0] == "model=micro_cnn"


def test_mixed_micro_evaluates_with_batch_statistics():
    model = make()
    before = model(IMAGES)
    assert torch.equal(model.eval()(IMAGES), before)
