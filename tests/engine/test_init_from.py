"""`--init-from RUN`: fine-tuning on other classes, and networks that are too unlike."""

import json

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from dlcli.cli.app import app
from dlcli.core.errors import Mismatch
from dlcli.engine.init_from import initialize_from
from dlcli.runs.run import Run

SMALL = ("model=macro_cnn", "model.channels=4", "model.layers=2", "model.architecture=[0,0,1]", "steps=2", "threads=1")
HEAD = "parts.answer.3"


def dlcli(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def newest(out):
    return max((Run.open(path.parent) for path in out.rglob("run.json")), key=lambda run: (run.started, run.id))


def weights(run):
    return torch.load(run.path / "checkpoints/best.pt", weights_only=True)["model"]


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A run of ten classes, and a file of images of three."""
    out = tmp_path_factory.mktemp("digits")
    assert dlcli("train", "task=digits", *SMALL, "-q", "--out", out).exit_code == 0
    draw = np.random.default_rng(0)
    x, y = draw.random((60, 1, 8, 8), dtype=np.float32), np.arange(60) % 3
    np.savez(out / "three.npz", x=x, y=y, class_names=np.array(["a", "b", "c"]))
    return newest(out), out


def test_init_from_keeps_the_initial_output_layer_for_other_classes(digits):
    source, out = digits
    overrides = ("task=npz", f"task.path={out}/three.npz", *SMALL, "lr=1e-12")
    result = dlcli("train", *overrides, "--init-from", source.id, "--out", out)
    assert result.exit_code == 0, result.stderr
    run = newest(out)
    assert run.info["init_from"]["run"] == source.id
    assert run.info["init_from"]["anew"] == [HEAD]
    count = f"15 of {sum(value.numel() for value in weights(run).values()):,}"
    for text in (result.stderr, (run.path / "log.txt").read_text()):
        assert any(source.id in line and count in line and HEAD in line for line in text.splitlines())
    old, new = weights(source), weights(run)
    learned = [name for name in old if name.endswith(("weight", "bias")) and not name.startswith(HEAD)]
    assert all(torch.allclose(old[name], new[name], atol=1e-6) for name in learned)
    assert new[f"{HEAD}.weight"].shape[0] == 3


def test_init_from_with_equal_shapes_loads_all_weights_silently(digits):
    source, out = digits
    result = dlcli("train", "task=digits", *SMALL, "lr=1e-12", "--init-from", source.id, "--out", out)
    assert result.exit_code == 0, result.stderr
    assert newest(out).info["init_from"]["anew"] == []
    assert "init-from" not in result.stderr


def test_init_from_freezes_modules_outside_the_player(digits):
    source, out = digits
    overrides = ("task=npz", f"task.path={out}/three.npz", *SMALL, f"learner.players.model.parts=[{HEAD}]")
    assert dlcli("train", *overrides, "-q", "--init-from", source.id, "--out", out).exit_code == 0
    old, new = weights(source), weights(newest(out))
    learned = [name for name in old if name.endswith(("weight", "bias")) and not name.startswith(HEAD)]
    assert all(torch.equal(old[name], new[name]) for name in learned)


def test_compare_separates_runs_with_other_initial_weights(digits):
    source, out = digits
    for arguments in ((), ("--init-from", source.id)):
        assert dlcli("train", "task=digits", *SMALL, "seed=5", "-q", *arguments, "--out", out).exit_code == 0
    table = json.loads(dlcli("compare", "runs", "1:2", "--out", out, "--json").stdout)
    assert len(table["groups"]) == 2


def test_init_from_rejects_another_network_without_creating_a_run(digits):
    source, out = digits
    before = len(list(out.rglob("run.json")))
    result = dlcli("train", "task=digits", *SMALL, "model.channels=7", "--init-from", source.id, "--out", out)
    assert result.exit_code == 2
    assert f"--init-from {source.id}" in result.stderr
    assert len(list(out.rglob("run.json"))) == before


def saved(tmp_path, network):
    run = Run.create(tmp_path, "train", "x", "")
    torch.save({"model": network.state_dict()}, run.checkpoint_path("best"))
    run.finish("completed", 0)
    return run


def test_inherit_loads_modules_completely_or_not_at_all(tmp_path):
    source = nn.Sequential(nn.Linear(20, 20), nn.Linear(20, 3))
    network = nn.Sequential(nn.Linear(20, 20), nn.Linear(20, 3, bias=False), nn.Linear(3, 3))
    network[1] = nn.Linear(5, 3)  # its bias alone would fit
    before = network[1].bias.clone()
    origin = initialize_from(network, saved(tmp_path, source))
    assert torch.equal(network[0].weight, source[0].weight)
    assert torch.equal(network[1].bias, before)
    assert origin["anew"] == ["1", "2"]


def test_inherit_requires_half_of_the_values(tmp_path):
    run = saved(tmp_path, nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 5)))
    initialize_from(nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)), run)  # 20 of 40
    with pytest.raises(Mismatch) as error:
        initialize_from(nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 1)), run)
    assert error.value.code == "mismatch"
    assert "20 of 45" in error.value.fields["got"]


def test_inherit_logs_unused_modules(tmp_path, caplog):
    run = saved(tmp_path, nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 5)))
    with caplog.at_level("INFO", "dlcli"):
        assert initialize_from(nn.Sequential(nn.Linear(4, 4)), run)["anew"] == []
    assert run.id in caplog.text
    assert "unused modules: 1" in caplog.text
