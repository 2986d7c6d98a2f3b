"""Mixup, SamplePairing and label smoothing against numbers by hand."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from helpers.errors import usage_error
from torch import nn

from dlcli.core.errors import Mismatch
from dlcli.core.spec import IGNORED, Classes, Labels, Real, Spec
from dlcli.core.task import Loss
from dlcli.nn.stochastic.dropout import ElementDropout
from dlcli.objectives.answered import FixedOutput
from dlcli.objectives.dropped import Dropped
from dlcli.objectives.label_smoothing import LabelSmoothing
from dlcli.objectives.mixup import Mixup
from dlcli.objectives.sample_pairing import SamplePairing
from dlcli.objectives.supervised import Supervised
from dlcli.tasks.arrays import InMemoryTask, TensorSamples
from dlcli.tasks.targets.classification import Classification
from dlcli.tasks.targets.regression import Regression

IMAGE = Real((1, 2, 2))


def task(target, targets, part, inputs=(IMAGE,), rows=None):
    rows = torch.rand(len(target), 1, 2, 2, generator=torch.Generator().manual_seed(0)) if rows is None else rows
    arrays = TensorSamples((rows,), target)
    return InMemoryTask({"train": arrays, "valid": arrays}, Spec(inputs, part), targets, batch=4, order=0)


def classes(rows=6):
    return task(torch.arange(rows) % 3, Classification("abc"), Classes(3))


def values(rows=6):
    return task(torch.randn(rows, 3, generator=torch.Generator().manual_seed(1)), Regression(), Real((3,)))


class Steps(InMemoryTask):
    """A class at every of four steps, some of which do not count."""

    def __init__(self):
        target = torch.tensor([[0, 1, 2, 0], [1, 1, IGNORED, IGNORED], [2, 0, 1, IGNORED], [0, 0, 2, 1]])
        arrays = TensorSamples((torch.rand(4, 2, 4, generator=torch.Generator().manual_seed(2)),), target)
        spec = Spec((Real((2, 4)),), Classes(3, (4,)))
        super().__init__({"train": arrays, "valid": arrays}, spec, Classification("abc"), batch=4, order=0)


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))


def steps_model():
    torch.manual_seed(0)
    return nn.Conv1d(2, 3, 1)


def drawn(alpha, rows, per, seed=3):
    """The shares and the order that an objective draws from this seed."""
    torch.manual_seed(seed)
    share = torch.distributions.Beta(alpha, alpha).sample((rows,) if per == "sample" else ())
    other = torch.randperm(rows)
    torch.manual_seed(seed)
    return share, other


def mixture(x, share, other):
    share = share.view(-1, *[1] * (x.dim() - 1))
    return share * x + (1 - share) * x[other]


@pytest.mark.parametrize("per", ["batch", "sample"])
@pytest.mark.parametrize("rows", [1, 2, 3, 4])
def test_of_classes_it_is_cross_entropy_against_mixed_labels(per, rows):
    """One order for inputs and labels: -sum_k (share y_k + (1 - share) y'_k) log p_k."""
    made, network = classes(rows), model()
    batch = made.batch("train", 0)
    share, other = drawn(0.7, rows, per)
    loss = Mixup(made, base=Supervised, alpha=0.7, per=per)(network, batch)
    one_hot = F.one_hot(batch.target, 3).float()
    logits = network(mixture(batch.inputs[0], share, other))
    by_hand = F.cross_entropy(logits, mixture(one_hot, share, other))
    torch.testing.assert_close(loss.value, by_hand)
    assert float(loss.weight) == pytest.approx(rows)
    assert loss.terms["share"].item() == pytest.approx(share.mean().item())
    wanted = torch.autograd.grad(by_hand, list(network.parameters()))
    torch.testing.assert_close(torch.autograd.grad(loss.value, list(network.parameters())), wanted)


@pytest.mark.parametrize("per", ["batch", "sample"])
def test_of_values_it_is_the_mixture_of_squared_errors(per):
    made, network = values(), model()
    batch = made.batch("train", 0)
    share, other = drawn(2.0, 4, per)
    loss = Mixup(made, base=Supervised, alpha=2.0, per=per)(network, batch)
    output = network(mixture(batch.inputs[0], share, other))
    share = share.view(-1, 1)
    squares = share * (output - batch.target) ** 2 + (1 - share) * (output - batch.target[other]) ** 2
    torch.testing.assert_close(loss.value, squares.mean())


@pytest.mark.parametrize("per", ["batch", "sample"])
def test_of_steps_only_what_counts_is_mixed(per):
    made, network = Steps(), steps_model()
    batch = made.batch("train", 0)
    share, other = drawn(1.0, 4, per)
    loss = Mixup(made, base=Supervised, alpha=1.0, per=per)(network, batch)
    logits = network(mixture(batch.inputs[0], share, other))
    total = weight = 0.0
    for target, part in ((batch.target, share.view(-1, 1)), (batch.target[other], 1 - share.view(-1, 1))):
        nats = F.cross_entropy(logits, target, ignore_index=IGNORED, reduction="none")
        total, weight = total + (part * nats).sum(), weight + (part * (target != IGNORED)).sum()
    torch.testing.assert_close(loss.value, total / weight)
    assert float(loss.weight) == pytest.approx(weight.item())


def test_a_row_in_which_nothing_counts_leaves_gradients_finite():
    made, network = Steps(), steps_model()
    batch = made.batch("train", 0)
    target = batch.target.clone()
    target[1] = IGNORED
    for per in ("batch", "sample"):
        loss = Mixup(made, base=Supervised, alpha=1.0, per=per)(network, replace(batch, target=target))
        gradients = torch.autograd.grad(loss.value, list(network.parameters()))
        assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("per", ["batch", "sample"])
def test_a_share_of_one_is_no_mixing(per, monkeypatch):
    made, network = classes(), model()
    batch = made.batch("train", 0)
    objective = Mixup(made, base=Supervised, alpha=1.0, per=per)
    monkeypatch.setattr(objective.beta, "sample", lambda shape: torch.ones(shape))
    torch.testing.assert_close(objective(network, batch).value, made.loss(network, batch).value)


def test_the_model_is_called_once_and_the_inputs_stay():
    made, network, calls = classes(), model(), []
    network.register_forward_hook(lambda *_: calls.append(1))
    batch = made.batch("train", 0)
    before = batch.inputs[0].clone()
    Mixup(made, base=Supervised, alpha=1.0, per="batch")(network, batch)
    assert len(calls) == 1
    assert torch.equal(batch.inputs[0], before)


def test_shares_have_the_moments_of_the_beta_distribution():
    objective = Mixup(classes(), base=Supervised, alpha=0.4, per="sample")
    torch.manual_seed(0)
    share = objective.beta.sample((20_000,))
    assert share.mean().item() == pytest.approx(0.5, abs=0.01)
    assert share.var().item() == pytest.approx(1 / (4 * (2 * 0.4 + 1)), rel=0.03)


class Margin:
    """A loss of lengths, with a term of its own; or of something only this model has."""

    def __init__(self, task, part=None):
        self.part = part

    def __call__(self, model, batch, carry=None):
        output = model(*batch.inputs)
        if self.part:
            getattr(model, self.part)(output)
        present = F.one_hot(batch.target, 3)
        value = (present * F.relu(0.9 - output).square()).sum(1).mean()
        return Loss(value, {"missed": value.detach()}, float(len(batch)))


def test_a_base_that_needs_the_output_alone_is_mixed_with_its_terms():
    made, network = classes(), model()
    batch = made.batch("train", 0)
    share, other = drawn(1.0, 4, "batch")
    loss = Mixup(made, base=Margin, alpha=1.0, per="batch")(network, batch)
    stand_in = FixedOutput(network(mixture(batch.inputs[0], share, other)))
    one, two = (Margin(made)(stand_in, replace(batch, target=target)) for target in (batch.target, batch.target[other]))
    torch.testing.assert_close(loss.value, share * one.value + (1 - share) * two.value)
    torch.testing.assert_close(loss.terms["missed"], loss.value.detach())


def test_a_base_that_needs_more_is_refused_in_words():
    made = classes()
    with usage_error("unsupported", kind=Mismatch, subject="objective=mixup"):
        Mixup(made, base=lambda task: Margin(task, "decoder"), alpha=1.0, per="batch")(model(), made.batch("train", 0))
    assert not hasattr(FixedOutput(torch.zeros(1)), "start")

    def dropped(task):
        form = ElementDropout(rate=0.5)
        return Dropped(task, base=Supervised, variant=form, inputs=nn.Identity(), modules=["linear"])

    def mixup(task, base=Supervised):
        return Mixup(task, base=base, alpha=1.0, per="batch")

    for base in (dropped, pairing, mixup, lambda task: pairing(task, base=dropped)):
        with usage_error("unsupported", kind=Mismatch, subject="objective=mixup"):
            mixup(made, base)
    pairing(made, base=mixup)(model(), made.batch("train", 0))


def tokens():
    return task(torch.arange(6) % 3, Classification("abc"), Classes(3), inputs=(Classes(5, (4,)),))


def pairing(made, **other):
    return SamplePairing(made, **({"base": Supervised, "begin": 0, "paired": 1, "unpaired": 0, "end": None} | other))


@pytest.mark.parametrize("make", [lambda made: Mixup(made, base=Supervised, alpha=1.0, per="batch"), pairing])
def test_tokens_are_not_mixed(make):
    with usage_error("mismatch", kind=Mismatch, got="Classes(5, shape (4)) -> Classes(3)"):
        make(tokens())


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("nan")])
def test_impossible_alphas(alpha):
    with usage_error("invalid_value", key="objective.alpha"):
        Mixup(classes(), base=Supervised, alpha=alpha, per="batch")


@pytest.mark.parametrize("rows", [1, 3, 4])
def test_pairs_are_averages_with_the_first_label(rows):
    made, network = classes(rows), model()
    batch = made.batch("train", 0)
    torch.manual_seed(5)
    other = torch.randperm(rows)
    torch.manual_seed(5)
    loss = pairing(made)(network, batch)
    x = batch.inputs[0]
    torch.testing.assert_close(loss.value, F.cross_entropy(network((x + x[other]) / 2), batch.target))
    assert loss.terms["paired"] == 1


def test_pairs_come_and_go_by_the_epoch():
    objective = pairing(classes(), begin=2, paired=3, unpaired=2, end=13)
    on = [epoch for epoch in range(20) if objective.pairs(epoch)]
    assert on == [2, 3, 4, 7, 8, 9, 12]
    assert all(map(pairing(classes(), begin=0).pairs, range(50)))
    batch, network = objective.base.task.batch("train", 0), model()
    off = objective(network, batch)
    assert off.value == objective.base.task.loss(network, batch).value
    assert off.terms["paired"] == 0


@pytest.mark.parametrize("wrong", [{"begin": -1}, {"paired": 0}, {"unpaired": -1}, {"begin": 3, "end": 2}])
def test_impossible_epochs(wrong):
    with usage_error("invalid_value", key="objective (SamplePairing)"):
        pairing(classes(), **wrong)


def test_smoothed_labels_by_hand():
    """Two classes with log-odds 1: p = s(1), s(-1); half of the smoothing goes to each."""

    class Odds(nn.Module):
        def forward(self, x):
            return torch.tensor([[1.0, 0.0]]).expand(len(x), -1)

    made = task(torch.zeros(3, dtype=torch.int64), Classification("ab"), Classes(2))
    right, wrong = math.log1p(math.exp(-1)), math.log1p(math.exp(1))
    loss = LabelSmoothing(made, smoothing=0.2)(Odds(), made.batch("train", 0))
    assert loss.value.item() == pytest.approx(0.9 * right + 0.1 * wrong)
    assert loss.terms["nll"].item() == pytest.approx(right)


@pytest.mark.parametrize(("made", "network"), [(classes(), model()), (Steps(), steps_model())])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_smoothing_is_pytorchs(made, network, smoothing):
    batch = made.batch("train", 0)
    loss = LabelSmoothing(made, smoothing=smoothing)(network, batch)
    wanted = F.cross_entropy(network(*batch.inputs), batch.target, ignore_index=IGNORED, label_smoothing=smoothing)
    torch.testing.assert_close(loss.value, wanted)
    assert loss.weight == (batch.target != IGNORED).sum()
    if smoothing == 0:
        torch.testing.assert_close(loss.value, made.loss(network, batch).value)


def test_of_labels_each_is_a_class_and_its_absence():
    class Present(Regression):
        """Cross-entropy of labels, each by itself."""

        def loss(self, output, target):
            return F.binary_cross_entropy_with_logits(output, target), float(target.numel())

    target = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    made, network = task(target, Present(), Labels(3)), model()
    batch = made.batch("valid", 0)
    wanted = torch.tensor([[0.95, 0.05, 0.95], [0.05, 0.05, 0.95]])
    loss = LabelSmoothing(made, smoothing=0.1)(network, batch)
    torch.testing.assert_close(loss.value, F.binary_cross_entropy_with_logits(network(*batch.inputs), wanted))


def test_smoothing_wants_classes_and_less_than_all():
    with usage_error("mismatch", kind=Mismatch, subject="objective=label_smoothing", got="Real(1, 2, 2) -> Real(3)"):
        LabelSmoothing(values(), smoothing=0.1)
    with usage_error("invalid_value", key="objective.smoothing", got=1.0):
        LabelSmoothing(classes(), smoothing=1.0)


def test_mixup_of_smoothed_labels():
    made, network = classes(), model()
    batch = made.batch("train", 0)
    share, other = drawn(1.0, 4, "batch")
    loss = Mixup(made, base=lambda task: LabelSmoothing(task, smoothing=0.3), alpha=1.0, per="batch")(network, batch)
    target = mixture(F.one_hot(batch.target, 3).float(), share, other) * 0.7 + 0.1
    torch.testing.assert_close(loss.value, F.cross_entropy(network(mixture(batch.inputs[0], share, other)), target))
