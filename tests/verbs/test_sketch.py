"""dlcli sketch and dlcli sketch query, on a tiny network: what they leave, answer and refuse."""

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from dlcli.cli import app
from dlcli.run import Run
from dlcli.sketching.graphs import counts
from dlcli.verbs.sketched import open_store

QUICK = ("threads=1", "device=cpu")


def dlcli(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def refused(result, *told):
    assert result.exit_code == 2, (result.exit_code, result.stderr, result.exception)
    assert "Traceback" not in result.stderr
    assert all(word in result.stderr for word in told), (told, result.stderr)


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def run(out):
    result = dlcli("sketch", "--smoke", "-q", *QUICK, "dimension=1024", "--out", out)
    assert result.exit_code == 0, result.stderr
    return Run.open(next((out / "sketch/recursive").iterdir()))


def ask(run, *words):
    result = dlcli("sketch", "query", run.path, *words, "--json")
    assert result.exit_code == 0, (result.stderr, result.exception)
    return json.loads(result.stdout)


def test_without_a_network_one_is_trained_below_and_the_store_holds_every_scene(run):
    (child,) = (Run.open(path) for path in (run.path / "runs/train").glob("*/*"))
    assert (child.info["parent"], child.status) == (run.id, "completed")
    store = open_store(run).store
    assert len(store) == run.info["sketch"]["scenes"] == 8
    assert store.sketches.shape == (8, 1024)
    assert run.info["metrics"]["test"]["attribute_error"] < 1e-2
    assert (run.path / "artifacts/recovered.png").exists()


def test_questions_are_answered_beside_what_the_network_saw(run):
    store = open_store(run).store
    seen = counts(store.structure).sum(0)
    most = int(seen[:10].argmax())
    found = ask(run, "count", f"module={most}", "decoder=identity")
    assert found["network"] == int(seen[most])
    assert found["truth"] == int(store.truth[:, most].sum())
    assert len(ask(run, "mean", f"module=digit {most}")["mean"]) == store.about["width"]
    place = int((counts(store.structure)[:, most] > 0).nonzero()[0])
    assert max(ask(run, "attribute", f"scene={place}", f"module={most}")["error"]) < 1e-2
    close = ask(run, "similar", "0", "k=3")["similar"]
    assert len(close) == 3
    assert close[0]["cosine"] >= close[-1]["cosine"]
    kept = ask(run, "erase", "0.5")
    assert kept["dimension"] == 512


def test_a_store_is_appended_to_and_a_scene_is_in_it_once(run, out):
    result = dlcli("sketch", f"append={run.id}", "skip=8", "most=4", "-q", *QUICK, "--out", out)
    assert result.exit_code == 0, result.stderr
    last = open_store(Run.open(sorted((out / "sketch/recursive").iterdir())[-1])).store
    assert last.row.tolist() == list(range(12))
    assert torch.equal(last.sketches[:8], open_store(run).store.sketches)
    refused(dlcli("sketch", f"append={run.id}", "most=4", "-q", *QUICK, "--out", out), "scene 0", "skip=")
    other = dlcli("sketch", f"append={run.id}", "skip=8", "sketch_seed=1", "-q", *QUICK, "--out", out)
    refused(other, "cannot be put together", "matrices")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("cont",), ('did you mean "count"',)),
        (("count",), ("module=",)),
        (("count", "module=digit 33"), ("did you mean",)),
        (("count", "3", "scenes=0:99"), ("there are scenes 0 to 7",)),
        (("count", "3", "decoder=lsq"), ("decoder=lsq", "joint")),
        (("erase", "0"), ("(0, 1]",)),
        (("erase", "half"), ("fraction",)),
        (("similar", "0", "k=0"), ("k is",)),
        (("recover-network",), ("matrix=block",)),
        (("mean", "3", "colour=red"), ("no 'colour'",)),
    ],
)
def test_bad_questions_are_told(run, words, told):
    refused(dlcli("sketch", "query", run.path, *words), *told)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("dimension=16",), ("cannot hold attributes",)),
        (("kind=recursiv",), ("recursive",)),
        (("matrix=hadamar",), ("hadamard",)),
        (("network=channels", "network.top=999"), ("network.top",)),
        (("scenes=digits",), ("digits",)),
        (("from=nobody",), ("nobody",)),
    ],
)
def test_bad_configurations_are_told_before_there_is_a_run(tmp_path, words, told):
    result = dlcli("sketch", *words, *QUICK, "--out", tmp_path)
    if words == ("scenes=digits",):  # one digit is one cell
        return
    refused(result, *told)
    assert not list(tmp_path.rglob("run.json"))


def test_a_trained_run_brings_its_network_and_is_not_changed(run, out):
    (child,) = (run.path / "runs/train").glob("*/*")
    words = ("from=" + str(child), "most=4", "network.threshold=0.05", "dimension=256", "-q", *QUICK, "--out", out)
    assert dlcli("sketch", *words).exit_code == 0
    refused(dlcli("sketch", "lr=0.1", *words), "from=", "trained already")
    refused(dlcli("sketch", f"from={run.path}", "--out", out), "append=")
    refused(dlcli("sketch", "--resume", run.path), "append=")


def test_stores_cut_short_or_of_another_seed_or_network_are_refused(run, tmp_path):
    import shutil

    copy = tmp_path / run.path.name
    shutil.copytree(run.path, copy)
    whole = (copy / "store.npz").read_bytes()
    (copy / "store.npz").write_bytes(whole[: len(whole) // 2])
    refused(dlcli("sketch", "query", copy, "count", "3"), "damaged or cut short")
    (copy / "store.npz").write_bytes(whole)
    (copy / "config.yaml").write_text((copy / "config.yaml").read_text().replace("sketch_seed: 0", "sketch_seed: 7"))
    refused(dlcli("sketch", "query", copy, "count", "3"), "another run's", "sketch_seed")
    with np.load(run.path / "store.npz") as file:
        arrays = dict(file)
    header = json.loads(arrays.pop("header").tobytes()) | {"network": "0" * 64}
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    (copy / "config.yaml").write_text((run.path / "config.yaml").read_text())
    np.savez(copy / "store.npz", **arrays)
    refused(dlcli("sketch", "query", copy, "attribute", "scene=0", "module=scene"), "not the one that made")
    (copy / "store.npz").unlink()
    refused(dlcli("sketch", "query", copy, "count", "3"), "no store.npz")


@pytest.mark.parametrize("recipe", ["flat", "capsules", "channels"])
def test_other_recipes_leave_stores_that_can_be_asked(recipe, tmp_path):
    result = dlcli("sketch", recipe, "--smoke", "-q", *QUICK, "--out", tmp_path)
    assert result.exit_code == 0, (result.stderr, result.exception)
    run = Run.open(next((tmp_path / "sketch" / recipe).iterdir()))
    assert ask(run, "similar", "0", "k=2")["scene"] == 0
    if recipe == "flat":
        refused(dlcli("sketch", "query", run.path, "count", "3"), "signatures")
    else:
        store = open_store(run).store
        most = store.modules[int(counts(store.structure).sum(0).argmax())]
        assert ask(run, "count", f"module={most}")["network"] > 0


def test_the_bench_writes_slopes_for_claims(tmp_path):
    result = dlcli("sketch", "bench", "--smoke", "--json", "--out", tmp_path)
    info = json.loads(result.stdout)
    assert set(info["slopes"]) == {"identity", "matched"}
    assert info["metrics"]["test"]["slope_identity"] == info["slopes"]["identity"]
    refused(dlcli("sketch", "query", info["path"], "count", "3"), "bench")
