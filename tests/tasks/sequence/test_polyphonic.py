"""Polyphonic music: the next frame, pieces of unequal length, and the two averages."""

import math

import numpy as np
import pytest
import torch
from helpers.errors import usage_error
from scipy.io import savemat
from torch import nn

from dlcli.core.errors import Missing
from dlcli.core.evaluation import predict, score
from dlcli.tasks.sequence.polyphonic import Polyphonic

LENGTHS = {"traindata": [5, 9, 2, 7, 3], "validdata": [4, 12, 2], "testdata": [6, 3]}


def cells(rolls):
    packed = np.empty((1, len(rolls)), dtype=object)
    for i, roll in enumerate(rolls):
        packed[0, i] = roll
    return packed


@pytest.fixture
def content(tmp_path, monkeypatch):
    monkeypatch.setenv("DLCLI_DATA", str(tmp_path))
    (tmp_path / "poly-music").mkdir()
    random = np.random.default_rng(0)
    made = {
        cell: [(random.random((length, 88)) < 0.1).astype(np.uint8) for length in lengths]
        for cell, lengths in LENGTHS.items()
    }
    write(tmp_path, made)
    return made


def write(root, made):
    savemat(root / "poly-music" / "Made.mat", {cell: cells(rolls) for cell, rolls in made.items()})


def music(batch=1):
    return Polyphonic(corpus="Made", batch=batch, order=0)


class Constant(nn.Module):
    """The same logit for every key."""

    def __init__(self, logit=0.0):
        super().__init__()
        self.logit = nn.Parameter(torch.tensor(logit))

    def forward(self, x):
        return self.logit.expand_as(x)


def test_the_target_is_the_next_frame(content):
    batch = music().batch("valid", 0)
    for row, roll in enumerate(content["validdata"]):
        frames = torch.from_numpy(roll).float().T
        assert torch.equal(batch.inputs[0][row, :, : len(roll) - 1], frames[:, :-1])
        assert torch.equal(batch.target[row, :, : len(roll) - 1], frames[:, 1:])
        assert batch.target[row, :, len(roll) - 1 :].isnan().all()
        assert (batch.inputs[0][row, :, len(roll) :] == 0).all()


def test_an_epoch_plays_every_piece_once(content):
    task = music(batch=2)
    assert task.size("train") == 3
    for epoch in range(2):
        played = torch.cat([task.batch("train", 3 * epoch + i).index for i in range(3)])
        assert sorted(played.tolist()) == [0, 1, 2, 3, 4]


def test_a_coin_for_every_key_costs_88_bits_a_frame(content):
    task = music()
    assert task.main.metric == "nll"
    assert score(Constant(), task, "valid")["nll"] == pytest.approx(88 * math.log(2))
    loss = task.loss(Constant(), task.batch("train", 0))
    assert loss.value.item() == pytest.approx(88 * math.log(2))


def piece_nats(roll, logit):
    """By hand: a key that sounds costs log(1 + e^-logit), one that does not log(1 + e^logit)."""
    sounding = roll[1:].sum()
    silent = roll[1:].size - sounding
    return sounding * math.log1p(math.exp(-logit)) + silent * math.log1p(math.exp(logit))


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_both_averages_by_hand_however_pieces_are_batched(content, batch):
    pieces = content["validdata"]
    nats, frames = [piece_nats(roll, -1.5) for roll in pieces], [len(roll) - 1 for roll in pieces]
    found = score(Constant(-1.5), music(batch), "valid")
    assert found["nll"] == pytest.approx(sum(nats) / sum(frames), rel=1e-5)
    by_piece = np.mean([a / b for a, b in zip(nats, frames, strict=True)])
    assert found["nll_per_piece"] == pytest.approx(by_piece, rel=1e-5)
    assert found["nll"] != pytest.approx(by_piece, rel=1e-4)


def test_the_loss_weighs_by_frames_and_padding_has_no_gradient(content):
    task, model = music(batch=5), Constant(-1.0)
    batch = task.batch("train", 0)
    loss = task.loss(model, batch)
    frames = sum(LENGTHS["traindata"]) - 5
    assert loss.weight == frames
    (slope,) = torch.autograd.grad(loss.value, [model.logit])
    sounding = sum(int(roll[1:].sum()) for roll in content["traindata"])
    wanted = (88 * frames * torch.sigmoid(torch.tensor(-1.0)) - sounding) / frames
    assert slope.item() == pytest.approx(wanted.item(), rel=1e-5)


def test_predictions_have_one_row_a_piece(content):
    task = music()
    table = predict(Constant(), task, [task.batch("test", 0)])
    assert table["sample"] == [0, 1]
    assert table["frames"] == [5, 2]
    assert table["nll"] == pytest.approx([88 * math.log(2)] * 2)


def test_what_is_wrong_with_a_file_is_said(content, tmp_path):
    with usage_error("invalid_value", key="task.batch", got=0):
        music(batch=0)
    with usage_error("missing_file", kind=Missing, path="None.mat"):
        Polyphonic(corpus="None", batch=1, order=0)
    write(tmp_path, {**content, "testdata": [np.zeros((1, 88))]})
    with usage_error("invalid_data", path="Made.mat"):
        music()
    write(tmp_path, {"traindata": content["traindata"]})
    with usage_error("invalid_data", path="Made.mat"):
        music()
    (tmp_path / "poly-music" / "Made.mat").write_bytes(b"MATLAB 5.0, or so it says" * 20)
    with usage_error("damaged", path="Made.mat"):
        music()


@pytest.mark.parametrize(
    ("corpus", "pieces", "frames"),
    [
        ("JSB_Chorales", (229, 76, 77), (13807, 4602, 4725)),
        ("Nottingham", (694, 173, 170), (176561, 45513, 44463)),
    ],
)
def test_the_published_corpora(real_data, corpus, pieces, frames):
    real_data("poly-music", f"{corpus}.mat")
    task = Polyphonic(corpus=corpus, batch=1, order=0)
    splits = [task._split(split) for split in ("train", "valid", "test")]
    assert tuple(len(split) for split in splits) == pieces
    assert tuple(len(split.frames) for split in splits) == frames
    assert task.size("train") == pieces[0]
