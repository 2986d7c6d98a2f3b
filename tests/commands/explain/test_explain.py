"""`dlcli show RUN --explain`: images and values of a completed run, and invalid input."""

import csv
import json
import struct

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from dlcli.cli.app import app
from dlcli.report.figures import sheet
from dlcli.runs.run import Run

IMAGES = {"saliency.png", "integrated_gradients.png", "grad_cam.png", "filters.png", "confusion.png"}
ALL = IMAGES | {"confusion.csv", "explain.json"}


def dlcli(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def trained(out, *words):
    result = dlcli("train", *words, "threads=1", "-q", "--out", out)
    assert result.exit_code == 0, result.stderr
    return Run.open(max(out.rglob("run.json"), key=lambda path: path.stat().st_mtime).parent)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("digits"), "macro_cnn", "epochs=1", "task.batch=100", "model.channels=4")


def explained(run, *words):
    result = dlcli("show", run.path, "--explain", *words)
    assert result.exit_code == 0, (result.stderr, result.exception)
    folder = run.path / "artifacts" / "explain"
    return folder, json.loads((folder / "explain.json").read_text()), result


def size(path):
    content = path.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", content[16:24])


def refused(*words):
    result = dlcli(*words)
    assert result.exit_code == 2
    assert len(result.stderr.strip().splitlines()) <= 3
    return result.stderr


def test_explain_writes_images_and_values(digits):
    folder, facts, result = explained(digits)
    assert {path.name for path in folder.iterdir()} == ALL
    assert all(min(size(folder / name)) > 90 for name in IMAGES)
    assert len(facts["samples"]) == 16
    assert facts["rows"] == 300
    assert facts["metrics"] == digits.info["metrics"]["test"]
    assert facts["integrated_gradients"]["incompleteness"] < 0.01
    assert f"{facts['integrated_gradients']['incompleteness']:.2%}" in result.stdout
    assert facts["grad_cam"] == {"layer": "parts.operation_4_0.3", "places": [4, 4]}
    assert facts["filters"] == {"layer": "parts.stem.0", "shape": [8, 1, 3, 3]}
    assert str(folder / "saliency.png") in result.stdout


def test_explain_confusion_matrix_equals_predictions(digits, tmp_path):
    folder, facts, _ = explained(digits, "--samples", 1)
    assert (folder / "confusion.csv").read_bytes() == (digits.path / "artifacts/confusion.csv").read_bytes()
    scored = dlcli("eval", digits.path, "--predictions", tmp_path / "p.csv", "--out", tmp_path, "--json")
    path = json.loads(scored.stdout)["path"]
    table = list(csv.reader((folder / "confusion.csv").open()))
    with open(f"{path}/artifacts/confusion.csv") as file:
        assert list(csv.reader(file)) == table
    counts = np.zeros((10, 10), int)
    for row in csv.DictReader((tmp_path / "p.csv").open()):
        counts[int(row["target"]), int(row["prediction"])] += 1
    assert [[int(value) for value in row[1:]] for row in table[1:]] == counts.tolist()
    np.fill_diagonal(counts, 0)
    assert facts["confused"][0]["rows"] == counts.max()


def test_explain_replaces_only_its_folder(digits):
    folder, _, _ = explained(digits)
    (folder / "saliency.png").write_bytes(b"old")
    (folder / "other.txt").write_text("old")
    before = {
        path: path.read_bytes() for path in digits.path.rglob("*") if path.is_file() and folder not in path.parents
    }
    _, facts, _ = explained(digits, "--samples", 7)
    assert {path.name for path in folder.iterdir()} == ALL
    assert size(folder / "saliency.png")[0] > 90
    assert len(facts["samples"]) == 7
    assert before == {
        path: path.read_bytes() for path in digits.path.rglob("*") if path.is_file() and folder not in path.parents
    }


def test_explain_samples_are_equidistant(digits, tmp_path):
    _, facts, _ = explained(digits, "--samples", 10)
    assert [one["row"] for one in facts["samples"]] == list(range(0, 300, 30))
    dlcli("eval", digits.path, "--predictions", tmp_path / "p.csv", "--out", tmp_path)
    rows = list(csv.DictReader((tmp_path / "p.csv").open()))
    for one in facts["samples"]:
        row = rows[one["row"]]
        assert (one["true"], one["predicted"]) == ([row["target"]], row["prediction"])
        assert one["probability"] == pytest.approx(float(row["probability"]), abs=1e-5)


def test_explain_randomization_has_low_rank_correlation(digits):
    _, facts, result = explained(digits, "--randomised")
    correlation = facts["randomised"]["rank_correlation"]
    assert abs(correlation) < 0.5
    assert f"rank correlation {correlation:.2f}" in result.stdout
    assert len(facts["randomised"]["samples"]) == 16
    assert "randomised" not in explained(digits)[1]


def test_explain_layer_selects_a_module(digits):
    assert explained(digits, "--layer", "parts.stem.0")[1]["grad_cam"] == {"layer": "parts.stem.0", "places": [8, 8]}
    assert 'did you mean "parts.stem.' in refused("show", digits.path, "--explain", "--layer", "parts.stem.9")
    assert "parts.answer" in refused("show", digits.path, "--explain", "--layer", "parts.answer")


def test_explain_json_is_the_only_output(digits):
    _, facts, result = explained(digits, "--json")
    assert json.loads(result.stdout) == {"path": str(digits.path / "artifacts/explain"), **facts}


def test_explain_without_matplotlib_omits_labels(digits, monkeypatch):
    monkeypatch.setattr("dlcli.commands.explain.explain.can_draw_text", lambda: False)
    monkeypatch.setattr("dlcli.commands.explain.attributions.can_draw_text", lambda: False)
    monkeypatch.setattr(sheet, "can_draw_text", lambda: False)
    folder, _, result = explained(digits)
    assert "dlcli-lab[plot]" in result.stderr
    assert {path.name for path in folder.iterdir()} == ALL - {"confusion.png"}


def test_explain_skips_grad_cam_without_convolutions(tmp_path):
    run = trained(tmp_path, "mlp", "task=digits", "learner=gradient", "steps=3")
    folder, facts, result = explained(run)
    assert {path.name for path in folder.iterdir()} == ALL - {"grad_cam.png", "filters.png"}
    assert facts["grad_cam"] is None
    assert "Grad-CAM: skipped" in result.stdout


def test_explain_accepts_sequences(tmp_path):
    run = trained(tmp_path, "gru", "steps=2", "model.hidden=4")
    folder, facts, _ = explained(run, "--samples", 2)
    assert {"saliency.png", "integrated_gradients.png"} <= {path.name for path in folder.iterdir()}
    assert facts["integrated_gradients"]["incompleteness"] < 0.01


def test_explain_rejects_unsupported_input(digits, tmp_path):
    run = trained(tmp_path, "adding_tcn", "--smoke")
    assert "Real" in refused("show", run.path, "--explain")
    (run.path / "checkpoints/best.pt").unlink()
    assert "has not saved this checkpoint" in refused("show", run.path, "--explain")
    assert "--samples" in refused("show", digits.path, "--explain", "--samples", "0")
    assert "--explain" in refused("show", digits.path, "--samples", "3")
    assert "--explain" in refused("show", digits.path, "--layer", "x")
    assert "--metric" in refused("show", digits.path, "--explain", "--metric", "loss")


def test_explain_rejects_environments(tmp_path):
    result = dlcli("evolve", "novelty", "--smoke", "threads=1", "-q", "--out", tmp_path)
    assert result.exit_code == 0, result.stderr
    assert "environment" in refused("show", "last", "--explain", "--out", tmp_path)


def test_explain_rejects_mismatched_weights(tmp_path):
    run = trained(tmp_path, "macro_cnn", "steps=1", "model.channels=2")
    path = run.path / "checkpoints/best.pt"
    saved = torch.load(path, weights_only=True)
    torch.save(saved | {"model": {}}, path)
    assert "the trained model" in refused("show", run.path, "--explain")
