"""Building objects from configurations: factories, signatures, budgets, devices."""

import sys

import numpy as np
import pytest
import torch
from torch import nn

from dlcli.config import build, compose, identity
from dlcli.config.budget import solve_budget
from dlcli.core.errors import Mismatch, Missing, UsageError
from dlcli.engine.device import choose_device

CPU = torch.device("cpu")


def config(*overrides):
    (point,) = compose.expand("train", ["tcn", "model.channels=[4,4]", *overrides])
    return solve_budget(point.resolved())


def signature(*overrides):
    (point,) = compose.expand("train", ["tcn", "model.channels=[4,4]", *overrides])
    plain = solve_budget(point.resolved(seed=0))
    return identity.signature(identity.core(plain), plain["until"])


@pytest.mark.parametrize(
    "word",
    [
        "seed=7", "eval_every=3", "log_every=1", "checkpoint_every=9", "patience=2", "threads=2", "device=cpu",
        "wall_time_limit=9",
    ],
)  # fmt: skip
def test_signature_ignores_keys_that_change_no_result(word):
    assert signature(word) == signature()


@pytest.mark.parametrize(
    "word",
    ["lr=0.5", "clip=2", "batch=7", "model.kernel_size=3", "steps=5", "precision=bfloat16", "optimizer=sgd",
     "schedule=cosine", "learner.players.model.accumulate=2"],
)  # fmt: skip
def test_signature_depends_on_keys_that_change_results(word):
    assert signature(word) != signature()


def test_core_depends_on_the_content_of_data_files_not_on_their_names(tmp_path):
    files = [tmp_path / name for name in ("one.npz", "copy.npz", "other.npz")]
    for file, shift in zip(files, (0, 0, 1), strict=True):
        np.savez(file, x=np.arange(40.0).reshape(20, 2) + shift, y=np.arange(20) % 2)
    first, copy, other = (identity.core(config("task=npz", f"task.path={file}")) for file in files)
    assert first == copy
    assert first != other


def test_budget_has_the_core_of_the_solved_width():
    given = config("model.channels=[25,25,25]", "budget=20000")
    assert abs(build.build(given, CPU).parameters - 20_000) <= 400
    width = ",".join(map(str, given["model"]["channels"]))
    assert identity.core(given) == identity.core(config(f"model.channels=[{width}]"))


def test_budget_of_model_without_scales_raises_usage_error():
    without_scales = config() | {"budget": 9000}
    with pytest.raises(UsageError) as error:
        solve_budget(without_scales)
    assert (error.value.code, error.value.fields["feature"]) == ("unsupported", "budget")


def test_budget_out_of_reach_raises_usage_error():
    (point,) = compose.expand("train", ["tcn", "budget=3"])
    with pytest.raises(UsageError) as error:
        solve_budget(point.resolved())
    assert (error.value.code, error.value.fields["key"], error.value.fields["got"]) == ("invalid_value", "budget", 3)


def test_budget_keeps_empty_list_of_widths():
    (point,) = compose.expand("train", ["capsnet_small", "budget=50000"])
    model = solve_budget(point.resolved())["model"]
    assert model["decoder"] == []
    assert abs(build.build(point.resolved() | {"model": model, "budget": None}, CPU).parameters - 50_000) <= 1_000


@pytest.mark.parametrize("target", [20_000, 70_000, 500_000])
def test_budget_keeps_proportions_of_widths(target):
    (point,) = compose.expand("train", ["tcn", "model.channels=[10,20,20,40]", f"budget={target}"])
    channels = solve_budget(point.resolved())["model"]["channels"]
    assert len(channels) == 4
    assert channels[3] >= channels[2] >= channels[0]
    assert channels[3] / channels[0] == pytest.approx(4, rel=0.35)


def test_build_initial_weights_depend_on_the_seed_only():
    torch.manual_seed(123)
    before = torch.get_rng_state()
    first = build.build(config("seed=5"), CPU).model
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(456)
    same, other = build.build(config("seed=5"), CPU).model, build.build(config("seed=6"), CPU).model
    pairs = list(zip(first.parameters(), same.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b, _ in pairs)
    assert not all(torch.equal(a, c) for a, _, c in pairs)


def test_build_leaves_model_in_training_mode():
    assert build.build(config(), CPU).model.training


def test_count_counts_shared_parameters_once():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    model[1].bias.requires_grad_(False)
    assert build.count_parameters(model) == 9 + 3


@pytest.mark.parametrize("name", ["tpu", "cuda:99", "", "meta:x"])
def test_choose_device_rejects_unavailable_device(name):
    with pytest.raises(UsageError, match=repr(name)):
        choose_device(name)
    assert choose_device("cpu") == CPU


PLUGIN = """
import torch
from torch import nn

class Mine(nn.Module):
    def __init__(self, spec, *, hidden):
        super().__init__()
        if hidden > 9:
            raise KeyError("hidden")
        self.layer = nn.Linear(spec.inputs[0].width, spec.target.width * hidden)
    def forward(self, x):
        return self.layer(x.mean(2))

class Flat(nn.Flatten):
    def __init__(self, spec, *, hidden):
        super().__init__(hidden)

class NotAModel:
    def __init__(self, spec, *, hidden):
        pass

"""


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    (tmp_path / "mymodels.py").write_text(PLUGIN)
    (tmp_path / "needy.py").write_text("import package_that_is_not_there\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield lambda target, **more: config("plugins=[mymodels,needy]") | {"model": {"_target_": target, **more}}
    sys.modules.pop("mymodels", None)


def test_build_constructs_class_of_plugin(plugin):
    assert build.build(plugin("mymodels.Mine", hidden=1), CPU).parameters == 20


@pytest.mark.parametrize(
    ("target", "hidden", "code", "fields"),
    [
        ("mymodels.Flat", 2, "mismatch", {"requirement": "a model for Real(1, 64) -> Classes(10)", "got": "Flat"}),
        ("mymodels.Mine", 10, "construction_failed", {"key": "model", "problem": "'hidden'"}),
        ("mymodels.NotAModel", 1, "invalid_value", {"key": "model._target_", "got": "NotAModel"}),
        ("mymodels.Nothing", 1, "unknown_name", {"kind": "class of mymodels", "name": "Nothing"}),
        ("mymodels.nn", 1, "invalid_value", {"key": "model._target_", "must": "a class"}),
        ("other.Mine", 1, "invalid_value", {"key": "model._target_", "got": "other.Mine"}),
        ("mymodelsx.Mine", 1, "invalid_value", {"key": "model._target_", "got": "mymodelsx.Mine"}),
    ],
)
def test_build_reports_invalid_class_of_plugin(plugin, target, hidden, code, fields):
    with pytest.raises(UsageError) as error:
        build.build(plugin(target, hidden=hidden), CPU)
    assert error.value.code == code
    assert fields.items() <= error.value.fields.items()


def test_build_names_missing_package_of_plugin(plugin):
    with pytest.raises(Missing) as error:
        build.build(plugin("needy.Mine"), CPU)
    assert (error.value.code, error.value.fields["package"]) == ("missing_package", "package_that_is_not_there")


@pytest.mark.parametrize("node", [None, 3, [], {}, {"channels": [1]}, "tcn"])
def test_build_requires_target_of_model(node):
    with pytest.raises(UsageError) as error:
        build.build(config() | {"model": node}, CPU)
    assert (error.value.code, error.value.fields["key"]) == ("required", "model._target_")


@pytest.mark.parametrize("model", ["bilstm", "bigru"])
def test_build_rejects_noncausal_model_of_causal_task(tmp_path, model):
    (tmp_path / "own.txt").write_text("so many words, and none of them twice over; " * 40)
    overrides = ["task=text", f"task.path={tmp_path / 'own.txt'}", "task.length=16", "task.context=0", f"model={model}"]
    config = solve_budget(compose.expand("train", [*overrides, "model.hidden=4"])[0].resolved())
    with pytest.raises(Mismatch) as error:
        build.build(config, CPU)
    assert error.value.fields["requirement"] == "a causal model"


@pytest.mark.parametrize("model", ["tcn", "gru", "sru", "mut1", "transformer"])
def test_build_accepts_causal_model_of_causal_task(tmp_path, model):
    (tmp_path / "own.txt").write_text("so many words, and none of them twice over; " * 40)
    overrides = ["task=text", f"task.path={tmp_path / 'own.txt'}", "task.length=16", "task.context=0", f"model={model}"]
    build.build(solve_budget(compose.expand("train", overrides)[0].resolved()), CPU)
