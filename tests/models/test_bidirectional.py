"""Bidirectional networks."""

import itertools

import pytest
import torch
import torch.nn.functional as F

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.spec import Classes, Real, Spec
from dlcli.core.task import Recurrent
from dlcli.models.sequence.bidirectional import BiGRU, BiLSTM
from dlcli.models.sequence.gru import GRU

HYPER = {"hidden": 8, "layers": 1, "dropout": 0.0, "embedding": 4, "embedding_dropout": 0.0}
PER_STEP = Spec((Real((2, None)),), Classes(3, (None,)))
BOTH = pytest.mark.parametrize("make", [lambda s, **h: BiLSTM(s, forget_bias=1.0, **h), BiGRU])


def accuracy_at_the_first_step(model):
    """Train to name a sequence's last token at every step; how often that succeeds at the first."""
    x = torch.tensor(list(itertools.product((0, 1), repeat=5)))
    target = x[:, -1:].expand_as(x)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(60):
        optimizer.zero_grad()
        F.cross_entropy(model(x), target).backward()
        optimizer.step()
    return (model(x)[:, :, 0].argmax(1) == target[:, 0]).double().mean().item()


@BOTH
def test_bidirectional_first_step_depends_on_last(make):
    spec = Spec((Classes(2, (None,)),), Classes(2, (None,)))
    torch.manual_seed(0)
    assert accuracy_at_the_first_step(make(spec, **HYPER)) == 1.0
    assert accuracy_at_the_first_step(GRU(spec, tied=False, **HYPER)) == 0.5


@BOTH
def test_bidirectional_every_step_depends_on_all_steps(make):
    torch.manual_seed(0)
    model, x = make(PER_STEP, **HYPER).double(), torch.randn(2, 2, 7, dtype=torch.float64)
    for place in (0, 6):
        other = x.clone()
        other[:, :, place] += 1.0
        assert (model(x) - model(other)).abs().amax((0, 1)).min() > 0


@BOTH
def test_bidirectional_single_output_reads_both_final_states(make):
    torch.manual_seed(0)
    model = make(Spec((Real((2, 7)),), Classes(3)), **HYPER | {"layers": 2}).double()
    x = torch.randn(4, 2, 7, dtype=torch.float64)
    _, final = model.cells(x.permute(2, 0, 1))
    final = final[0] if isinstance(final, tuple) else final
    torch.testing.assert_close(model(x), model.head.linear(torch.cat((final[-2], final[-1]), 1)))


@BOTH
def test_bidirectional_mirrored_network_on_mirrored_sequence(make):
    torch.manual_seed(0)
    model, mirror = (make(PER_STEP, **HYPER).double() for _ in range(2))
    state = model.state_dict()
    swapped = {
        name: state[name.removesuffix("_reverse") if name.endswith("_reverse") else f"{name}_reverse"]
        for name in state
        if name.startswith("cells")
    }
    weight = state["head.linear.weight"].roll(8, dims=1)
    mirror.load_state_dict(state | swapped | {"head.linear.weight": weight})
    x = torch.randn(2, 2, 6, dtype=torch.float64)
    torch.testing.assert_close(mirror(x.flip(2)).flip(2), model(x))


def test_bilstm_forget_bias_in_every_layer_and_direction():
    cells = BiLSTM(PER_STEP, forget_bias=3.0, **HYPER | {"layers": 2}).cells
    names = [f"l{layer}{way}" for layer in range(2) for way in ("", "_reverse")]
    for name in names:
        assert (getattr(cells, f"bias_ih_{name}")[8:16] == 3.0).all()
        assert (getattr(cells, f"bias_hh_{name}")[8:16] == 0.0).all()
        assert (getattr(cells, f"bias_ih_{name}")[:8] != 3.0).all()


@BOTH
def test_bidirectional_rejects_invalid_input(make):
    assert not isinstance(make(PER_STEP, **HYPER), Recurrent)
    with pytest.raises(Mismatch) as raised:
        make(Spec((Real((1, 28, 28)),), Classes(10)), **HYPER)
    assert raised.value.fields["subject"] in ("BiLSTM", "BiGRU")
    for key, value in (("hidden", 0), ("dropout", 1.5)):
        with pytest.raises(UsageError) as raised:
            make(PER_STEP, **HYPER | {key: value})
        assert (raised.value.fields["key"], raised.value.fields["got"]) == (f"model.{key}", value)
