"""Dropout of values and of weights in models that have none: while the loss is taken, and never after."""

from functools import partial
from typing import ClassVar

import pytest
import torch
from helpers.errors import usage_error
from torch import nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.task import Batch, Loss
from dlcli.models.policy.mlp import MLP
from dlcli.models.searched.macro_cnn import MacroCNN
from dlcli.models.sequence.lstm import LSTM
from dlcli.models.sequence.sru import SRU
from dlcli.models.sequence.tcn import TCN
from dlcli.models.sequence.transformer import Transformer
from dlcli.nn.recurrent.network import RecurrentLayer
from dlcli.nn.stochastic.dropout import ChannelDropout, DropPath, ElementDropout, TimeDropout
from dlcli.objectives.drop_connect import DropConnect
from dlcli.objectives.dropped import Dropped
from dlcli.objectives.supervised import Supervised
from dlcli.tasks.image.digits import Digits
from dlcli.tasks.sequence.sequential_digits import SequentialDigits

IMAGES, STEPS = Digits(batch=24, order=0), SequentialDigits(batch=24, order=0)
NONE = nn.Identity()
RECURRENT = {"hidden": 8, "layers": 2, "dropout": 0.0, "embedding": 1, "embedding_dropout": 0.0, "tied": False}


def mlp():
    return MLP(IMAGES.spec, hidden=[16], activation="relu"), IMAGES


def macro_cnn():
    sizes = {"layers": 2, "channels": 4, "stem": 4, "reductions": 1, "dropout": 0.0}
    return MacroCNN(IMAGES.spec, architecture=[0, 2, 1], **sizes), IMAGES


def lstm():
    return LSTM(STEPS.spec, **RECURRENT, forget_bias=1.0), STEPS


def sru():
    return SRU(STEPS.spec, **RECURRENT), STEPS


def tcn():
    sizes = {"kernel_size": 3, "dropout": 0.0, "noise": "element", "embedding": 1, "embedding_dropout": 0.0}
    return TCN(STEPS.spec, channels=[6, 6], tied=False, **sizes), STEPS


def transformer():
    sizes = {"head_width": 4, "heads": 2, "feedforward": 8, "layers": 2, "dropout": 0.0}
    return Transformer(STEPS.spec, **sizes, embedding=1, embedding_dropout=0.0, tied=False), STEPS


MODELS = (mlp, macro_cnn, lstm, sru, tcn, transformer)
KINDS = ("linear", "convolution", "recurrent")


def made(model):
    torch.manual_seed(0)
    network, task = model()
    return network, task, task.batch("train", 0)


def dropped(task, variant, *, inputs=NONE, modules=KINDS, base=Supervised):
    return Dropped(task, base=base, variant=variant, inputs=inputs, modules=modules)


def connect(task, rate, *, modules=KINDS, per="batch", base=Supervised):
    return DropConnect(task, base=base, rate=rate, modules=modules, per=per)


def nothing_is_left(model, before):
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in model.modules())
    after = model.state_dict()
    assert list(after) == list(before)
    assert all(after[name] is value or torch.equal(after[name], value) for name, value in before.items())


class Broken:
    """A base objective that fails after the model has answered."""

    def __init__(self, task):
        pass

    def __call__(self, model, batch, carry=None):
        model(*batch.inputs)
        raise RuntimeError("broken")


def objectives(task, base=Supervised):
    sampled = partial(connect, modules=["linear"], per="sample")
    return [
        dropped(task, ElementDropout(rate=0.5), base=base),
        connect(task, 0.5, base=base),
        sampled(task, 0.5, base=base),
    ]


@pytest.mark.parametrize("model", MODELS)
def test_the_loss_changes_with_every_draw_and_nothing_is_left(model):
    network, task, batch = made(model)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    parameters, plain = list(network.parameters()), task.loss(network, batch).value
    network.load_state_dict(before)
    for objective in objectives(task):
        losses = []
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            losses.append(objective(network, batch).value)
            gradients = torch.autograd.grad(losses[-1], parameters, allow_unused=True)
            assert sum(gradient is not None for gradient in gradients) > len(parameters) / 2
            network.load_state_dict(before)  # batch norm's averages
        assert losses[0] == losses[1] != losses[2]
        assert losses[0] != plain
        nothing_is_left(network, before)
        assert all(one is other for one, other in zip(network.parameters(), parameters, strict=True))
        torch.testing.assert_close(task.loss(network, batch).value, plain, rtol=0.0, atol=0.0)
        network.load_state_dict(before)


@pytest.mark.parametrize("model", MODELS)
def test_after_an_exception_nothing_is_left(model):
    network, task, batch = made(model)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    for objective in objectives(task, Broken):
        with pytest.raises(RuntimeError, match="broken"):
            objective(network, batch)
        network.load_state_dict(before)
        nothing_is_left(network, before)
        assert all(isinstance(value, nn.Parameter) for value in network.parameters())


@pytest.mark.parametrize("model", MODELS)
def test_a_network_in_evaluation_mode_is_left_alone(model):
    network, task, batch = made(model)
    network.eval()
    plain = task.loss(network, batch).value
    assert all(objective(network, batch).value == plain for objective in objectives(task))


def watched(model, objective):
    """What modules read under an objective, as (module, before its dropout, after it)."""
    network, task, batch = made(model)
    batch = batch.with_inputs(batch.inputs[0] + 1)
    before, after = [], []
    for module in network.modules():
        module.register_forward_pre_hook(lambda module, given: before.extend(given[:1]))

    class Watching:
        def __init__(self, task):
            pass

        def __call__(self, model, batch, carry=None):
            for module in model.modules():
                module.register_forward_pre_hook(
                    lambda module, given: after.extend((module, value) for value in given[:1])
                )
            return task.loss(model, batch)

    objective(task, base=Watching)(network, batch)
    return batch, [(module, old, new) for old, (module, new) in zip(before, after, strict=True)]


def test_data_have_a_form_of_their_own():
    objective = partial(dropped, variant=ElementDropout(rate=1.0), modules=["linear"])
    batch, found = watched(mlp, objective)
    first, last = (value for module, _, value in found if isinstance(module, nn.Linear))
    assert torch.equal(first, batch.inputs[0].flatten(1))
    assert not last.any()
    _, found = watched(mlp, partial(objective, variant=NONE, inputs=ElementDropout(rate=1.0)))
    first, last = (value for module, _, value in found if isinstance(module, nn.Linear))
    assert not first.any()
    assert last.any()


LAYOUTS = {
    lstm: (nn.LSTM, "tbc"),
    sru: (RecurrentLayer, "tbc"),
    tcn: (nn.Conv2d, "bcxt"),
    transformer: (nn.Linear, "btc"),
}


@pytest.mark.parametrize("form", [ChannelDropout, TimeDropout])
@pytest.mark.parametrize("model", LAYOUTS)
def test_a_sequence_has_one_mask_for_all_steps_and_every_row_and_channel_its_own(model, form):
    _, found = watched(model, partial(dropped, variant=form(rate=0.5), inputs=form(rate=0.5)))
    kind, layout = LAYOUTS[model]
    read = [(old, new) for module, old, new in found if isinstance(module, kind) and old.dim() == len(layout)]
    pairs = [(old, new) for old, new in read if not torch.equal(old, new)]
    assert pairs
    for old, new in pairs:
        factor = torch.where(old == 0, torch.nan, new / old).movedim([layout.index(axis) for axis in "tbc"], [0, 1, 2])
        factor = factor.reshape(*factor.shape[:3])
        mask = factor.nan_to_num(-1.0).amax(0)
        assert ((factor - mask).abs().nan_to_num(0.0) < 1e-5).all()
        assert {round(value) for value in mask.unique().tolist()} <= {-1, 0, 2}  # -1: always zero, as after a ReLU
        assert len(mask.unique(dim=0)) > 1
        assert mask.shape[1] == 1 or len(mask.unique(dim=1).T) > 1


def test_drop_path_leaves_a_sample_its_shortcut():
    objective = partial(dropped, variant=DropPath(rate=1.0), modules=["branch"])
    network, task, batch = made(transformer)
    loss = objective(task)(network, batch).value
    for block in network.blocks:
        for branch in (block.attend, block.think):
            nn.init.zeros_(branch[-2].output.weight if branch is block.attend else branch[-2].weight)
            nn.init.zeros_(branch[-2].output.bias if branch is block.attend else branch[-2].bias)
    torch.testing.assert_close(task.loss(network, batch).value, loss)


def linear():
    torch.manual_seed(0)
    return nn.Linear(3, 2), torch.randn(1, 3)


class Kept:
    """Keeps the outputs it sees."""

    outputs: ClassVar = []

    def __init__(self, task):
        pass

    def __call__(self, model, batch, carry=None):
        self.outputs.append(model(*batch.inputs).detach())
        return Loss(torch.zeros(()))


@pytest.mark.parametrize("per", ["sample", "batch"])
def test_dropped_weights_have_the_mean_of_all_and_the_variance_of_a_sum(per):
    """Var = p / (1 - p) sum_i (w_i x_i)^2, as each weight is drawn by itself; the bias never is."""
    model, x = linear()
    rows, draws = (20_000, 1) if per == "sample" else (1, 3000)
    inputs = x.expand(rows, -1)
    batch = Batch((inputs,), torch.zeros(rows), torch.ones(rows, dtype=torch.bool), 0, 0, torch.arange(rows))
    Kept.outputs = []
    torch.manual_seed(1)
    for _ in range(draws):
        connect(IMAGES, 0.3, modules=["linear"], per=per, base=Kept)(model, batch)
    drawn = torch.cat(Kept.outputs).double()
    variance = (0.3 / 0.7 * (model.weight * x).square().sum(1)).double()
    assert ((drawn.mean(0) - model(x)[0]).abs() < 4 * (variance / len(drawn)).sqrt()).all()
    torch.testing.assert_close(drawn.var(0), variance, rtol=0.1, atol=0.0)


def test_all_weights_dropped_leave_the_bias():
    model, x = linear()
    batch = Batch((x,), torch.zeros(1), torch.ones(1, dtype=torch.bool), 0, 0, torch.arange(1))
    for per in ("sample", "batch"):
        Kept.outputs = []
        connect(IMAGES, 1.0, modules=["linear"], per=per, base=Kept)(model, batch)
        assert torch.equal(Kept.outputs[0][0], model.bias)


def test_a_mask_a_sample_is_applied_along_the_right_axis():
    """Rows of (time, batch, channel) as rows of (batch, time, channel)."""
    torch.manual_seed(0)
    model, x = nn.Linear(4, 3), torch.randn(5, 9, 4)
    batch = Batch((x,), torch.zeros(9), torch.ones(9, dtype=torch.bool), 0, 0, torch.arange(9))
    Kept.outputs = []
    for inputs in (x, x.transpose(0, 1)):
        torch.manual_seed(1)
        connect(IMAGES, 0.5, modules=["linear"], per="sample", base=Kept)(model, batch.with_inputs(inputs))
    torch.testing.assert_close(Kept.outputs[0].transpose(0, 1), Kept.outputs[1])


def test_weight_normalised_weights_are_masked_as_a_whole():
    network, task, batch = made(tcn)
    taps = network.blocks[0].first.taps
    whole, found = taps.weight.clone(), []

    class Reading(Supervised):
        def __call__(self, model, batch, carry=None):
            found.extend([taps.weight, taps.weight])
            return super().__call__(model, batch, carry)

    connect(task, 0.5, base=Reading)(network, batch)
    assert torch.equal(found[0], found[1])
    assert 0.2 < (found[0] == 0).float().mean() < 0.8
    torch.testing.assert_close(found[0], torch.where(found[0] == 0, 0.0, whole * 2))
    assert torch.equal(taps.weight, whole)


def test_what_does_not_go_together():
    network, task, batch = made(mlp)
    for form, modules in ((DropPath(rate=0.5), ["linear"]), (ElementDropout(rate=0.5), ["branch"])):
        with usage_error("requires", key="drop path (objective.variant=path)"):
            dropped(task, form, modules=modules)
    with usage_error("requires", key="objective.per=sample"):
        connect(task, 0.5, per="sample")
    with pytest.raises(UsageError) as raised:
        connect(task, 0.5, modules=["branch"])
    assert (raised.value.code, raised.value.fields["name"]) == ("unknown_name", "branch")
    with pytest.raises(UsageError) as raised:
        connect(task, 2.0)
    assert raised.value.fields["key"] == "dropout.rate"
    with pytest.raises(Mismatch) as raised:
        dropped(task, ElementDropout(rate=0.5), modules=["convolution"])(network, batch)
    assert (raised.value.code, raised.value.fields["got"]) == ("mismatch", "MLP")
