"""MUT1-3 against their equations in NumPy."""

import numpy as np
import pytest
import torch

from dlcli.core.spec import Classes, Real, Spec
from dlcli.models.sequence.mut import MUT1, MUT2, MUT3

HIDDEN, WIDTH = 2, 3
HYPER = {"layers": 1, "dropout": 0.0, "embedding": 1, "embedding_dropout": 0.0, "tied": False}


def s(value):
    return 1 / (1 + np.exp(-value))


def build(model, width=WIDTH, hidden=HIDDEN):
    torch.manual_seed(0)
    built = model(Spec((Real((width, None)),), Classes(2, (None,))), hidden=hidden, **HYPER).double()
    cell = built.memory.layers[0].cell
    for parameter in cell.parameters():
        torch.nn.init.normal_(parameter)
    return built, {name: value.detach().numpy() for name, value in cell.named_parameters()}


def parts(array, count):
    return np.split(array, count)


def states(model, inputs):
    x = torch.tensor(inputs).T[None]
    after = [model(x[..., : t + 1], carry=model.start(1))[1] for t in range(len(inputs))]
    return np.stack([carry[0][0][0].detach().numpy() for carry in after])


INPUTS = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75], [-2.0, 0.1, 0.3]])


def test_mut1_matches_equations():
    model, w = build(MUT1)
    (Wxz, Wxr), (bz, br) = parts(w["inputs.weight"], 2), parts(w["inputs.bias"], 2)
    Whr, Whh, bh = w["reset"].T, w["candidate"].T, w["bias"]
    h, wanted = np.zeros(HIDDEN), []
    for u in INPUTS:
        x = w["embed.weight"] @ u
        z = s(Wxz @ x + bz)
        r = s(Wxr @ x + Whr @ h + br)
        h = np.tanh(Whh @ (r * h) + np.tanh(x) + bh) * z + h * (1 - z)
        wanted.append(h)
    np.testing.assert_allclose(states(model, INPUTS), wanted, rtol=1e-12)


def test_mut2_matches_equations():
    model, w = build(MUT2)
    (Wxz, Wxh), (bz, bh) = parts(w["inputs.weight"], 2), parts(w["inputs.bias"], 2)
    (Whz, Whr), Whh, br = parts(w["gates"].T, 2), w["candidate"].T, w["bias"]
    h, wanted = np.zeros(HIDDEN), []
    for u in INPUTS:
        x = w["embed.weight"] @ u
        z = s(Wxz @ x + Whz @ h + bz)
        r = s(x + Whr @ h + br)
        h = np.tanh(Whh @ (r * h) + Wxh @ x + bh) * z + h * (1 - z)
        wanted.append(h)
    np.testing.assert_allclose(states(model, INPUTS), wanted, rtol=1e-12)


def test_mut3_matches_equations():
    model, w = build(MUT3)
    (Wxz, Wxr, Wxh), (bz, br, bh) = parts(w["inputs.weight"], 3), parts(w["inputs.bias"], 3)
    Whz, Whr, Whh = w["update"].T, w["reset"].T, w["candidate"].T
    h, wanted = np.zeros(HIDDEN), []
    for x in INPUTS:
        z = s(Wxz @ x + Whz @ np.tanh(h) + bz)
        r = s(Wxr @ x + Whr @ h + br)
        h = np.tanh(Whh @ (r * h) + Wxh @ x + bh) * z + h * (1 - z)
        wanted.append(h)
    np.testing.assert_allclose(states(model, INPUTS), wanted, rtol=1e-12)


@pytest.mark.parametrize(("model", "matrices"), [(MUT1, 4), (MUT2, 5), (MUT3, 6)])
def test_mut_number_of_matrices(model, matrices):
    _, weights = build(model, width=5, hidden=5)
    assert "embed.weight" not in weights
    assert sum(value.size for value in weights.values()) == matrices * 25 + 3 * 5
