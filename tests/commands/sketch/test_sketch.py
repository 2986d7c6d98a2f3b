"""dlcli sketch and dlcli sketch query, on a tiny network: what they leave, answer and refuse."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from dlcli import api
from dlcli.cli.app import app
from dlcli.commands.sketch.store import open_store
from dlcli.commands.sketch.writer import Sketcher
from dlcli.runs.run import Run
from dlcli.sketching.recursive import erasure_metrics
from dlcli.sketching.recursive.object_graphs import counts

QUICK = ("threads=1", "device=cpu")
TINY = ("model.pose=4", "scenes.rows=2", "scenes.columns=2")  # of the network's own training and scenes


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
    result = dlcli("sketch", "--smoke", "-q", *QUICK, *TINY, "--out", out)
    assert result.exit_code == 0, result.stderr
    return Run.open(next((out / "sketch/recursive").iterdir()))


@pytest.fixture(scope="module")
def trained(run):
    """What a run of sketches says to read the same network, and cells as it does."""
    (child,) = (run.path / "runs/train").glob("*/*")
    return (f"from={child}", "network.threshold=0.05", "scenes.rows=2", "scenes.columns=2", *QUICK)


def written(folder):
    return sorted(folder.rglob("run.json"))


def ask(run, *words):
    result = dlcli("sketch", "query", run.path, *words, "--json")
    assert result.exit_code == 0, (result.stderr, result.exception)
    return json.loads(result.stdout)


def test_without_a_network_one_is_trained_below_and_the_store_holds_every_scene(run):
    (child,) = (Run.open(path) for path in (run.path / "runs/train").glob("*/*"))
    assert (child.info["parent"], child.status) == (run.id, "completed")
    store = open_store(run).store
    assert len(store) == run.info["sketch"]["scenes"] == 8
    assert store.sketches.shape == (8, 256)
    assert run.info["metrics"]["test"]["attribute_error"] < 1e-2
    picture = Image.open(run.path / "artifacts/recovered.png")
    assert picture.height == 1 + 3 * (1 + 64)  # pixels, what the network saw, what the sketch kept
    assert (picture.width - 1) % 65 == 0


def test_questions_are_answered_beside_what_the_network_saw(run):
    store = open_store(run).store
    seen = counts(store.structure).sum(0)
    most = int(seen[:10].argmax())
    found = ask(run, "count", f"module={most}", "decoder=identity")
    assert found["network"] == int(seen[most])
    assert found["truth"] == int(store.truth[:, most].sum())
    assert found["weighed"] == pytest.approx(found["network"], rel=0.1)
    assert len(ask(run, "mean", f"module=digit {most}")["mean"]) == store.about["width"]
    place = int((counts(store.structure)[:, most] > 0).nonzero()[0])
    assert max(ask(run, "attribute", f"scene={place}", f"module={most}")["error"]) < 1e-2
    close = ask(run, "similar", "0", "k=3")["similar"]
    assert len(close) == 3
    assert close[0]["cosine"] >= close[-1]["cosine"]
    kept = ask(run, "erase", "0.5")
    assert kept["dimension"] == 128
    assert [one["keep"] for one in kept["each"]] == [0.5]


def test_a_scene_is_shown_whole_where_no_module_is_named(run):
    store = open_store(run).store
    found = ask(run, "attribute", "0")
    assert found["modules"] == [store.modules[k] for k in store.structure.module[store.structure.scene == 0].tolist()]
    assert max(found["error"]) < 1e-2
    assert any("attribute_0_lsq" in path for path in found["files"])


def test_any_question_is_asked_of_what_is_left(run):
    whole, part = (ask(run, "attribute", "0", "decoder=identity", f"keep={keep}")["error"] for keep in ("1", "0.25"))
    assert sum(part) > sum(whole)
    assert ask(run, "similar", "0", "keep=0.5")["similar"]
    refused(dlcli("sketch", "query", run.path, "similar", "0", "keep=2"), "(0, 1]")


def test_what_is_nowhere_is_counted_as_none_and_has_no_mean(run):
    store = open_store(run).store
    absent = store.modules[int((counts(store.structure).sum(0) == 0).nonzero()[0])]
    assert ask(run, "count", f"module={absent}")["count"] == 0
    refused(dlcli("sketch", "query", run.path, "mean", f"module={absent}"), "no mean")


def test_python_asks_as_the_command_does(run):
    assert api.query(run, "count", module="scene")["count"] == ask(run, "count", "scene")["count"]
    assert api.query(run, "similar", index=0, k=2)["scene"] == 0


def test_a_store_is_appended_to_and_a_scene_is_in_it_once(run, out):
    result = dlcli("sketch", f"append={run.id}", "skip=8", "most=4", "scenes.batch=4", "-q", *QUICK, "--out", out)
    assert result.exit_code == 0, result.stderr
    last = open_store(Run.open(sorted((out / "sketch/recursive").iterdir())[-1])).store
    assert last.row.tolist() == list(range(12))
    assert torch.equal(last.sketches[:8], open_store(run).store.sketches)
    before = written(out)
    refused(dlcli("sketch", f"append={run.id}", "most=4", "-q", *QUICK, "--out", out), "scene 0", "skip=8")
    refused(dlcli("sketch", f"append=[{run.id},{run.id}]", "skip=99", "-q", *QUICK, "--out", out), "scene 0", "both")
    other = dlcli("sketch", f"append={run.id}", "skip=8", "sketch_seed=1", "-q", *QUICK, "--out", out)
    refused(other, "cannot be put together", "matrices")
    assert written(out) == before


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
        (("mean", "3", "decoder=identity", "scenes=0"), ("no mean",)),
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


def test_a_trained_run_brings_its_network_and_python_makes_sketches_with_it(run, trained, out):
    made = api.sketch(*trained, "most=4", "dimension=256", out=out, progress="none")
    assert len(open_store(made).store) == 4
    words = (*trained, "most=4", "-q", "--out", out)
    for more in (["lr=0.1"], ["--seeds", "2"]):
        refused(dlcli("sketch", *more, *words), "from=", "trained network")
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


@pytest.mark.parametrize("network", [["capsules", "model.types=2"], ["channels", "network.top=3"]])
def test_other_recipes_leave_stores_that_can_be_asked(network, tmp_path):
    result = dlcli("sketch", *network, "--smoke", "-q", *QUICK, "most=4", "--out", tmp_path)
    assert result.exit_code == 0, (result.stderr, result.exception)
    run = Run.open(next((tmp_path / "sketch" / network[0]).iterdir()))
    assert ask(run, "similar", "0", "k=2")["scene"] == 0
    store = open_store(run).store
    most = store.modules[int(counts(store.structure).sum(0).argmax())]
    assert ask(run, "count", f"module={most}")["network"] > 0


def test_flat_sketches_give_their_network_away_where_its_attributes_are_known(trained, out):
    words = (*trained, "scenes.repeats=1", "most=240", "kind=flat", "matrix=block", "dimension=64", "-q", "--out", out)
    assert dlcli("sketch", *words).exit_code == 0
    run = Run.open(sorted((out / "sketch/recursive").iterdir())[-1])
    found = ask(run, "recover-network", "samples=240", "columns=20", "active=2")
    assert found["from_store"]
    assert found["known_error"] < 1e-2
    assert 0 <= found["recovered"] <= found["recovered_sparse"]
    refused(dlcli("sketch", "query", run.path, "count", "3"), "signatures")
    refused(dlcli("sketch", "query", run.path, "attribute", "0", "decoder=lsq"), "flat")


def test_a_dry_run_with_a_network_is_of_scenes_alone(trained, tmp_path):
    (row,) = json.loads(dlcli("sketch", "--dry-run", "--json", "most=10", *trained, "--out", tmp_path).stdout)
    assert row["scenes"] == 10
    assert "steps" not in row
    assert row["seconds"] == pytest.approx(10 * row["milliseconds_a_scene"] / 1000)
    told = dlcli("sketch", "--dry-run", "most=10", *trained, "--out", tmp_path).stdout
    assert "10 scenes of" in told
    assert "until" not in told
    assert not list(tmp_path.iterdir())


def test_a_signal_while_scenes_are_read_leaves_no_half_of_a_store(trained, tmp_path, monkeypatch):
    see = Sketcher.see

    def killed(self, *seen):
        os.kill(os.getpid(), signal.SIGTERM)
        see(self, *seen)

    monkeypatch.setattr(Sketcher, "see", killed)
    assert dlcli("sketch", *trained, "most=4", "-q", "--out", tmp_path).exit_code == 143
    (path,) = written(tmp_path)
    assert (Run.open(path.parent).status, Run.open(path.parent).info["exit_code"]) == ("stopped", 143)
    assert not list(tmp_path.rglob("store.npz*"))


@pytest.mark.slow
def test_seeds_are_networks_and_finished_ones_are_covered(tmp_path):
    words = ("sketch", "--smoke", "-q", *QUICK, *TINY, "most=2", "--out", tmp_path)
    assert dlcli(*words, "seed=1").exit_code == 0
    result = dlcli(*words, "--seeds", "1:3", "--needed")
    assert result.exit_code == 0, result.stderr
    assert "1 of 2 covered" in result.stderr
    found = [Run.open(path.parent).info for path in tmp_path.glob("sketch/recursive/*/run.json")]
    assert {info["seed"] for info in found} == {1, 2}
    assert len({info["signature"] for info in found}) == 1


@pytest.mark.slow
def test_jobs_make_the_stores_that_one_process_makes(trained, tmp_path):
    words = ("sketch", "sketch_seed=1,2", *trained, "most=4", "-q")
    for jobs, folder in ((1, "alone"), (2, "together")):
        assert dlcli(*words, "--jobs", jobs, "--out", tmp_path / folder).exit_code == 0
    one, two = (
        {
            open_store(Run.open(path.parent)).store.sketches.sum().item()
            for path in (tmp_path / folder).rglob("run.json")
        }
        for folder in ("alone", "together")
    )
    assert one == two


def test_the_bench_writes_slopes_for_claims(tmp_path, monkeypatch):
    monkeypatch.setattr(erasure_metrics, "_SAMPLES", 300)
    result = dlcli("sketch", "bench", "--smoke", "--json", "--out", tmp_path)
    info = json.loads(result.stdout)
    assert set(info["slopes"]) == {"identity", "matched"}
    assert (Path(info["path"]) / "environment.json").is_file()
    assert info["metrics"]["test"]["slope_identity"] == info["slopes"]["identity"]
    refused(dlcli("sketch", "query", info["path"], "count", "3"), "bench")


def test_a_network_that_breaks_the_rules_is_told_before_there_is_a_run(trained, tmp_path, monkeypatch):
    (tmp_path / "negative.py").write_text(
        "from dataclasses import replace\n"
        "from dlcli.sketching.networks.cell_grid import Cells\n"
        "class Negative(Cells):\n"
        "    def objects(self, x):\n"
        "        seen = super().objects(x)\n"
        "        return replace(seen, objects=replace(seen.objects, attributes=-seen.objects.attributes))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    words = ("plugins=[negative]", "network._target_=negative.Negative", *trained)
    refused(dlcli("sketch", *words, "--out", tmp_path / "runs"), "at least 0", "split_signs")
    assert not written(tmp_path)


def test_it_is_said_what_a_scene_takes(run):
    assert "8 scenes sketched" in run.info["reason"]
    assert "1,024 bytes each" in run.info["reason"]


def test_a_word_that_is_nearly_one_behind_the_verb_is_told():
    refused(dlcli("sketch", "qurey", "last"), 'did you mean "query"')
    refused(dlcli("sketch", "steram", "-"), 'did you mean "stream"')
