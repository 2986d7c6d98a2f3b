"""`dlcli export`: exported files reproduce the outputs of the model and contain its origin."""

import json
import subprocess
import sys

import pytest
import torch
from typer.testing import CliRunner

from dlcli.cli.app import app
from dlcli.commands.export import formats
from dlcli.engine.evaluate import restore
from dlcli.runs.run import Run

EXTRA = {"safetensors": ("safetensors",), "onnx": ("onnx", "onnxscript", "onnxruntime"), "torchexport": ()}


def dlcli(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def trained(out, *words):
    assert dlcli("train", *words, "threads=1", "steps=3", "-q", "--out", out).exit_code == 0
    (path,) = [path.parent for path in out.rglob("run.json")]
    return Run.open(path)


def needs(form):
    for package in EXTRA[form]:
        pytest.importorskip(package, reason=f"pip install 'dlcli-lab[export]' has {package}")


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("digits"), "model.channels=[4,4]")


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """A recurrent model with integer inputs."""
    out = tmp_path_factory.mktemp("words")
    (out / "book.txt").write_text("the cat sat on the mat. " * 400)
    return trained(out, "text_lstm", f"task.path={out}/book.txt", "model.hidden=6", "task.length=10")


def export(run, form, path):
    return dlcli("export", run.path, "--to", form, "--output", path, "--json")


@pytest.mark.parametrize("form", EXTRA)
@pytest.mark.parametrize("which", ["digits", "words"])
def test_export_outputs_equal_those_of_the_model(which, form, tmp_path, request):
    needs(form)
    run = request.getfixturevalue(which)
    result = export(run, form, tmp_path / "model")
    assert result.exit_code == 0, result.stderr
    record = json.loads(result.stdout)
    assert record["difference"] <= 1e-5
    assert record["rows"] > 1
    assert record["bytes"] == (tmp_path / "model").stat().st_size


def test_safetensors_contains_best_weights_and_metadata(digits, tmp_path):
    needs("safetensors")
    from safetensors import safe_open

    export(digits, "safetensors", tmp_path / "m.safetensors")
    with safe_open(tmp_path / "m.safetensors", "pt") as file:
        weights, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    expected = restore(digits).state_dict()
    assert set(weights) == set(expected)
    assert all(torch.equal(weights[name], expected[name]) for name in expected)
    assert metadata["dlcli_run"] == digits.id
    assert metadata["dlcli_config"] == (digits.path / "config.yaml").read_text()


def test_export_metadata_contains_fitted_values(words, tmp_path):
    needs("safetensors")
    from safetensors import safe_open

    export(words, "safetensors", tmp_path / "m.safetensors")
    with safe_open(tmp_path / "m.safetensors", "pt") as file:
        fitted = json.loads(file.metadata()["dlcli_fitted"])
    assert set("thecasonm. ") <= set(fitted["vocabulary"])


@pytest.mark.slow
def test_torch_export_runs_without_dlcli(digits, tmp_path):
    assert export(digits, "torchexport", tmp_path / "m.pt2").exit_code == 0
    x = torch.rand(3, 1, 64)
    torch.save((x, restore(digits)(x)), tmp_path / "pair.pt")
    code = """
import sys, torch
sys.modules["dlcli"] = None
facts = {"dlcli.json": ""}
x, expected = torch.load("pair.pt")
output = torch.export.load("m.pt2", extra_files=facts).module()(x)
assert (output - expected).abs().max() < 1e-5
print(facts["dlcli.json"])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["dlcli_run"] == digits.id


def test_onnx_accepts_any_batch_size(digits, tmp_path):
    needs("onnx")
    import onnxruntime

    assert json.loads(export(digits, "onnx", tmp_path / "m.onnx").stdout)["any_batch"]
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    x = torch.rand(5, 1, 64)
    (output,) = session.run(None, {"input_0": x.numpy()})
    assert (torch.from_numpy(output) - restore(digits)(x)).abs().max() < 1e-5
    assert session.get_modelmeta().custom_metadata_map["dlcli_run"] == digits.id


@pytest.mark.parametrize(
    "spoil", [lambda output: output + 2e-4, lambda output: output * float("nan"), lambda output: output[:, :1]]
)
def test_export_writes_no_file_if_outputs_differ(digits, tmp_path, monkeypatch, spoil):
    decode = formats.TorchExport.decode

    def spoiled(self, content, exported):
        module = decode(self, content, exported)
        return lambda *inputs: spoil(module(*inputs))

    monkeypatch.setattr(formats.TorchExport, "decode", spoiled)
    (tmp_path / "old").write_text("precious")
    result = export(digits, "torchexport", tmp_path / "old")
    assert (result.exit_code, "a difference of" in result.stderr) == (2, True)
    assert (tmp_path / "old").read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_export_does_not_change_the_run(digits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = {path: path.read_bytes() for path in digits.path.rglob("*") if path.is_file()}
    result = dlcli("export", digits.path, "--to", "torchexport")
    assert result.exit_code == 0, result.stderr
    assert [path.name for path in tmp_path.iterdir()] == [f"{digits.id}.pt2"]
    assert {path: path.read_bytes() for path in digits.path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("form", ["safetensors", "onnx"])
def test_export_names_the_missing_package(digits, tmp_path, monkeypatch, form):
    for package in EXTRA[form]:
        monkeypatch.setitem(sys.modules, package, None)
    result = export(digits, form, tmp_path / "m")
    assert (result.exit_code, "pip install 'dlcli-lab[export]'" in result.stderr) == (2, True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        (["--to", "onxx"], '"onnx"'),
        (["--to", "torchexport", "--output", "/"], "folder"),
        (["--to", "torchexport", "--output", "/no/such/m.pt2"], "/no/such"),
    ],
)
def test_export_rejects_unknown_format_and_folder(digits, words, fragment):
    result = dlcli("export", digits.path, *words)
    assert (result.exit_code, fragment in result.stderr) == (2, True), result.stderr


def test_export_requires_a_checkpoint(tmp_path):
    run = trained(tmp_path, "model.channels=[4]")
    run.checkpoint_path("best").unlink()
    result = export(run, "torchexport", tmp_path / "m")
    assert (result.exit_code, "has not saved this checkpoint" in result.stderr) == (2, True)


def test_export_reports_an_untraceable_model(digits, tmp_path, monkeypatch):
    from dlcli.models.sequence.tcn import TCN

    forward = TCN.forward
    monkeypatch.setattr(TCN, "forward", lambda self, x: forward(self, x) if float(x.sum()) < 1e9 else x)
    result = export(digits, "torchexport", tmp_path / "m")
    assert (result.exit_code, "torch.export" in result.stderr) == (2, True)
    assert len(result.stderr.splitlines()) <= 5
