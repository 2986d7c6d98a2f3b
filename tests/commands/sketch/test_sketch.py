"""`dlcli sketch` and `dlcli sketch query` on a tiny network: stores, queries and usage errors."""

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
from dlcli.commands.sketch.queries.query import ask
from dlcli.commands.sketch.store import open_store
from dlcli.commands.sketch.writer import SketchWriter
from dlcli.core.errors import UsageError
from dlcli.runs.run import Run
from dlcli.sketching.recursive import erasure_metrics
from dlcli.sketching.recursive.object_graphs import module_counts

QUICK = ("threads=1", "device=cpu")
TINY = ("model.pose=4", "scenes.rows=2", "scenes.columns=2")


def dlcli(*args):
    return CliRunner().invoke(app, [str(arg) for arg in args])


def refused(result, *values):
    """Check a usage error: exit code 2, no traceback, and the given keys and names in the message."""
    assert result.exit_code == 2, (result.exit_code, result.stderr, result.exception)
    assert "Traceback" not in result.stderr
    assert all(value in result.stderr for value in values), (values, result.stderr)


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
    """Overrides that sketch the network of the fixture `run` with the same cells."""
    (child,) = (run.path / "runs/train").glob("*/*")
    return (f"from={child}", "network.threshold=0.05", "scenes.rows=2", "scenes.columns=2", *QUICK)


def runs_in(folder):
    return sorted(folder.rglob("run.json"))


def query(run, *args):
    result = dlcli("sketch", "query", run.path, *args, "--json")
    assert result.exit_code == 0, (result.stderr, result.exception)
    return json.loads(result.stdout)


def test_sketch_trains_network_in_child_run(run):
    (child,) = (Run.open(path) for path in (run.path / "runs/train").glob("*/*"))
    assert (child.info["parent"], child.status) == (run.id, "completed")
    store = open_store(run).store
    assert len(store) == run.info["sketch"]["scenes"] == 8
    assert store.sketches.shape == (8, 256)
    assert run.info["metrics"]["test"]["attribute_error"] < 1e-2
    grid = Image.open(run.path / "artifacts/recovered.png")
    assert grid.height == 1 + 3 * (1 + 64)  # pixels, attributes of the network, recovered attributes
    assert (grid.width - 1) % 65 == 0


def test_query_results_agree_with_the_network(run):
    store = open_store(run).store
    counts = module_counts(store.structure).sum(0)
    most = int(counts[:10].argmax())
    result = query(run, "count", f"module={most}", "decoder=identity")
    assert result["network"] == int(counts[most])
    assert result["truth"] == int(store.truth[:, most].sum())
    assert result["weighed"] == pytest.approx(result["network"], rel=0.1)
    assert len(query(run, "mean", f"module=digit {most}")["mean"]) == store.about["width"]
    scene = int((module_counts(store.structure)[:, most] > 0).nonzero()[0])
    assert max(query(run, "attribute", f"scene={scene}", f"module={most}")["error"]) < 1e-2
    similar = query(run, "similar", "0", "k=3")["similar"]
    assert len(similar) == 3
    assert similar[0]["cosine"] >= similar[-1]["cosine"]
    erased = query(run, "erase", "0.5")
    assert erased["dimension"] == 128
    assert [row["keep"] for row in erased["each"]] == [0.5]


def test_query_attribute_of_all_modules(run):
    store = open_store(run).store
    result = query(run, "attribute", "0")
    assert result["modules"] == [store.modules[k] for k in store.structure.module[store.structure.scene == 0].tolist()]
    assert max(result["error"]) < 1e-2
    assert any("attribute_0_lsq" in path for path in result["files"])


def test_query_after_erasure(run):
    complete, erased = (
        query(run, "attribute", "0", "decoder=identity", f"keep={keep}")["error"] for keep in ("1", "0.25")
    )
    assert sum(erased) > sum(complete)
    assert query(run, "similar", "0", "keep=0.5")["similar"]
    refused(dlcli("sketch", "query", run.path, "similar", "0", "keep=2"), "keep")


def test_query_of_absent_module(run):
    store = open_store(run).store
    absent = store.modules[int((module_counts(store.structure).sum(0) == 0).nonzero()[0])]
    assert query(run, "count", f"module={absent}")["count"] == 0
    refused(dlcli("sketch", "query", run.path, "mean", f"module={absent}"), "mean", absent)


def test_api_query(run):
    assert api.query(run, "count", module="scene")["count"] == query(run, "count", "scene")["count"]
    assert api.query(run, "similar", index=0, k=2)["scene"] == 0


@pytest.mark.slow
def test_append_extends_store_with_new_scenes(run, out):
    result = dlcli("sketch", f"append={run.id}", "skip=8", "most=4", "scenes.batch=4", "-q", *QUICK, "--out", out)
    assert result.exit_code == 0, result.stderr
    last = open_store(Run.open(sorted((out / "sketch/recursive").iterdir())[-1])).store
    assert last.row.tolist() == list(range(12))
    assert torch.equal(last.sketches[:8], open_store(run).store.sketches)
    before = runs_in(out)
    refused(dlcli("sketch", f"append={run.id}", "most=4", "-q", *QUICK, "--out", out), "scene 0", "skip=8")
    refused(dlcli("sketch", f"append=[{run.id},{run.id}]", "skip=99", "-q", *QUICK, "--out", out), "scene 0")
    other = dlcli("sketch", f"append={run.id}", "skip=8", "sketch_seed=1", "-q", *QUICK, "--out", out)
    refused(other, run.id, "matrices")
    assert runs_in(out) == before


@pytest.mark.parametrize(
    ("args", "code", "fields"),
    [
        (("cont",), "unknown_name", {"name": "cont"}),
        (("count",), "required", {"key": "module="}),
        (("count", "module=digit 33"), "unknown_name", {"name": "digit 33"}),
        (("count", "3", "scenes=0:99"), "invalid_value", {"key": "scenes", "must": "within 0:8"}),
        (("count", "3", "scenes=a"), "invalid_value", {"key": "scenes"}),
        (("count", "3", "decoder=lsq"), "unknown_name", {"name": "lsq"}),
        (("count", "3", "module=4"), "conflict", {"first": "module=3"}),
        (("erase", "0"), "invalid_value", {"key": "keep"}),
        (("erase", "half"), "invalid_value", {"key": "keep"}),
        (("mean", "3", "decoder=identity", "scenes=0"), "mismatch", {"subject": "mean"}),
        (("similar", "0", "k=0"), "invalid_value", {"key": "k"}),
        (("recover-network",), "requires", {"key": "recover-network"}),
        (("mean", "3", "colour=red"), "unknown_name", {"name": "colour"}),
        (("bench", "3"), "invalid_value", {"key": "bench"}),
    ],
)
def test_query_usage_errors(run, args, code, fields):
    with pytest.raises(UsageError) as error:
        ask(str(run.path), args[0], args[1:], run.path.parent)
    assert error.value.code == code
    assert {name: error.value.fields[name] for name in fields} == fields
    refused(dlcli("sketch", "query", run.path, *args), str(next(iter(fields.values()))))


@pytest.mark.parametrize(
    ("overrides", "value"),
    [
        (("dimension=16",), "dimension"),
        (("kind=recursiv",), "recursive"),
        (("matrix=hadamar",), "hadamard"),
        (("network=channels", "network.top=999"), "network.top"),
        (("from=nobody",), "nobody"),
    ],
)
def test_invalid_configuration_creates_no_run(tmp_path, overrides, value):
    refused(dlcli("sketch", *overrides, *QUICK, "--out", tmp_path), value)
    assert not list(tmp_path.rglob("run.json"))


def test_sketch_of_a_trained_run(run, trained, out):
    sketched = api.sketch(*trained, "most=4", "dimension=256", out=out, progress="none")
    assert len(open_store(sketched).store) == 4
    args = (*trained, "most=4", "-q", "--out", out)
    for change in (["lr=0.1"], ["--seeds", "2"]):
        refused(dlcli("sketch", *change, *args), "from=")
    refused(dlcli("sketch", f"from={run.path}", "--out", out), "append=")
    refused(dlcli("sketch", "--resume", run.path), "append=")


def test_query_rejects_damaged_and_foreign_stores(run, tmp_path):
    import shutil

    copy = tmp_path / run.path.name
    shutil.copytree(run.path, copy)
    content = (copy / "store.npz").read_bytes()
    (copy / "store.npz").write_bytes(content[: len(content) // 2])
    refused(dlcli("sketch", "query", copy, "count", "3"), "store.npz is damaged")
    (copy / "store.npz").write_bytes(content)
    (copy / "config.yaml").write_text((copy / "config.yaml").read_text().replace("sketch_seed: 0", "sketch_seed: 7"))
    refused(dlcli("sketch", "query", copy, "count", "3"), "sketch_seed=0", "sketch_seed=7")
    with np.load(run.path / "store.npz") as file:
        arrays = dict(file)
    header = json.loads(arrays.pop("header").tobytes()) | {"network": "0" * 64}
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    (copy / "config.yaml").write_text((run.path / "config.yaml").read_text())
    np.savez(copy / "store.npz", **arrays)
    refused(dlcli("sketch", "query", copy, "attribute", "scene=0", "module=scene"), run.id, "weights")
    (copy / "store.npz").unlink()
    refused(dlcli("sketch", "query", copy, "count", "3"), "store.npz")


@pytest.mark.slow
@pytest.mark.parametrize("network", [["capsules", "model.types=2"], ["channels", "network.top=3"]])
def test_query_of_other_networks(network, tmp_path):
    result = dlcli("sketch", *network, "--smoke", "-q", *QUICK, "most=4", "--out", tmp_path)
    assert result.exit_code == 0, (result.stderr, result.exception)
    run = Run.open(next((tmp_path / "sketch" / network[0]).iterdir()))
    assert query(run, "similar", "0", "k=2")["scene"] == 0
    store = open_store(run).store
    most = store.modules[int(module_counts(store.structure).sum(0).argmax())]
    assert query(run, "count", f"module={most}")["network"] > 0


def test_recover_network_from_flat_sketches(trained, out):
    args = (*trained, "scenes.repeats=1", "most=240", "kind=flat", "matrix=block", "dimension=64", "-q", "--out", out)
    assert dlcli("sketch", *args).exit_code == 0
    run = Run.open(sorted((out / "sketch/recursive").iterdir())[-1])
    result = query(run, "recover-network", "samples=240", "columns=20", "active=2")
    assert result["from_store"]
    assert result["known_error"] < 1e-2
    assert 0 <= result["recovered"] <= result["recovered_sparse"]
    refused(dlcli("sketch", "query", run.path, "count", "3"), "kind=flat")
    refused(dlcli("sketch", "query", run.path, "attribute", "0", "decoder=lsq"), "flat")


def test_dry_run_with_trained_network(trained, tmp_path):
    (row,) = json.loads(dlcli("sketch", "--dry-run", "--json", "most=10", *trained, "--out", tmp_path).stdout)
    assert row["scenes"] == 10
    assert "steps" not in row
    assert row["seconds"] == pytest.approx(10 * row["milliseconds_a_scene"] / 1000)
    text = dlcli("sketch", "--dry-run", "most=10", *trained, "--out", tmp_path).stdout
    assert "10 scenes" in text
    assert "until" not in text
    assert not list(tmp_path.iterdir())


def test_signal_leaves_no_partial_store(trained, tmp_path, monkeypatch):
    see = SketchWriter.see

    def see_and_terminate(self, *args):
        os.kill(os.getpid(), signal.SIGTERM)
        see(self, *args)

    monkeypatch.setattr(SketchWriter, "see", see_and_terminate)
    assert dlcli("sketch", *trained, "most=4", "-q", "--out", tmp_path).exit_code == 143
    (path,) = runs_in(tmp_path)
    assert (Run.open(path.parent).status, Run.open(path.parent).info["exit_code"]) == ("stopped", 143)
    assert not list(tmp_path.rglob("store.npz*"))


@pytest.mark.slow
def test_seeds_train_networks_and_skip_finished_runs(tmp_path):
    args = ("sketch", "--smoke", "-q", *QUICK, *TINY, "most=2", "--out", tmp_path)
    assert dlcli(*args, "seed=1").exit_code == 0
    result = dlcli(*args, "--seeds", "1:3", "--needed")
    assert result.exit_code == 0, result.stderr
    assert "1 of 2 covered" in result.stderr
    infos = [Run.open(path.parent).info for path in tmp_path.glob("sketch/recursive/*/run.json")]
    assert {info["seed"] for info in infos} == {1, 2}
    assert len({info["signature"] for info in infos}) == 1


@pytest.mark.slow
def test_jobs_create_the_same_stores(trained, tmp_path):
    args = ("sketch", "sketch_seed=1,2", *trained, "most=4", "-q")
    for jobs, folder in ((1, "sequential"), (2, "parallel")):
        assert dlcli(*args, "--jobs", jobs, "--out", tmp_path / folder).exit_code == 0
    sequential, parallel = (
        {
            open_store(Run.open(path.parent)).store.sketches.sum().item()
            for path in (tmp_path / folder).rglob("run.json")
        }
        for folder in ("sequential", "parallel")
    )
    assert sequential == parallel


def test_bench_records_slopes(tmp_path, monkeypatch):
    monkeypatch.setattr(erasure_metrics, "_SAMPLES", 300)
    result = dlcli("sketch", "bench", "--smoke", "--json", "--out", tmp_path)
    info = json.loads(result.stdout)
    assert set(info["slopes"]) == {"identity", "matched"}
    assert (Path(info["path"]) / "environment.json").is_file()
    assert info["metrics"]["test"]["slope_identity"] == info["slopes"]["identity"]
    refused(dlcli("sketch", "query", info["path"], "count", "3"), "store.npz")


def test_invalid_network_creates_no_run(trained, tmp_path, monkeypatch):
    (tmp_path / "negative.py").write_text(
        "from dataclasses import replace\n"
        "from dlcli.sketching.networks.cell_grid import Cells\n"
        "class Negative(Cells):\n"
        "    def objects(self, x):\n"
        "        seen = super().objects(x)\n"
        "        return replace(seen, objects=replace(seen.objects, attributes=-seen.objects.attributes))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    args = ("plugins=[negative]", "network._target_=negative.Negative", *trained)
    refused(dlcli("sketch", *args, "--out", tmp_path / "runs"), "attributes")
    assert not runs_in(tmp_path)


def test_reason_reports_cost_per_scene(run):
    assert "8 scenes sketched" in run.info["reason"]
    assert "1,024 bytes each" in run.info["reason"]


def test_sketch_suggests_subcommands():
    refused(dlcli("sketch", "qurey", "last"), 'did you mean "query"')
    refused(dlcli("sketch", "steram", "-"), 'did you mean "stream"')
