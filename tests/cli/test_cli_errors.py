"""Errors of the command line: one to five lines with the nearest valid name, exit code 2, no run directory."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_compose import WORD
from typer.testing import CliRunner

from dlcli.cli.app import app

PLAYER = "learner.players.model"
SMALL = ("threads=1", "steps=1", "model.channels=[4,4]")


def dlcli(*arguments):
    return CliRunner().invoke(app, [str(word) for word in arguments])


def check_error(result, *expected):
    """Exit code 2, one to five lines on standard error that contain every one of `expected`."""
    assert result.exit_code == 2, (result.exit_code, result.stderr, result.exception)
    assert isinstance(result.exception, SystemExit), result.exception
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    assert 1 <= len(lines) <= 5, lines
    assert "Traceback" not in result.stderr
    assert all(text in result.stderr for text in expected), (expected, result.stderr)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "runs"


def check_train_error(out, arguments, *expected):
    check_error(dlcli("train", *arguments, "--out", out, "--progress", "none"), *expected)
    assert not list(out.rglob("run.json"))
    assert not list(out.rglob("config.yaml"))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["trian"], ["trian", '"train"']),
        (["train", "--resum", "last"], ["resum"]),
        (["list", "modles"], ["modles", "models"]),
        (["compare", "rnus"], ["rnus", "runs"]),
        (["data", "ftech", "mnist"], ["ftech", "fetch"]),
        (["data", "fetch", "mnits"], ["mnits", '"mnist"']),
        (["data", "verify", "mnits"], ["mnits", '"mnist"']),
        (["show"], ["RUN"]),
        (["eval"], ["RUN"]),
        (["show", "last", "--metrics", "loss"], ["--metrics", "--metric"]),
        (["--foo"], ["--foo"]),
        (["config", "--verb", "trian"], ["trian", '"train"']),
        (["config", "modle=tcn"], ["modle", '"model"']),
        (["list", "models", "--config-dir", "/no/such"], ["/no/such"]),
        (["train", "--config-dir", "/no/such"], ["/no/such"]),
        (["train", "--progress", "fancy"], ["fancy", "bar"]),
        (["train", "--resume", "nosuch"], ["nosuch", "list runs"]),
        (["train", "--init-from", "nosuch", *SMALL], ["nosuch"]),
        (["eval", "nosuch"], ["nosuch", "list runs"]),
        (["show", "3"], ["3"]),
        (["show", "@mine"], ["mine"]),
        (["compare", "runs"], ["no runs in", "dlcli train"]),
        (["compare", "runs", "here/there"], ["here/there"]),
    ],
)
def test_command_error_names_the_nearest_valid_name(arguments, expected, out):
    has_out = arguments[0] in ("train", "eval", "show") or arguments[:2] == ["compare", "runs"]
    check_error(dlcli(*arguments, *(("--out", out) if has_out else ())), *expected)
    assert not list(out.rglob("run.json"))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["tcnn"], ["tcnn", '"tcn"', "list recipes"]),
        (["modle=tcn"], ["modle", '"model"']),
        (["model=tnc"], ["tnc", '"tcn"']),
        (["task=sequential_digit"], ['"sequential_digits"']),
        (["learner=gradeint"], ["gradeint", "gradient"]),
        (["optimizer=adma"], ["adma", '"adam"']),
        (["schedule=cosin"], ["cosin", '"cosine"']),
        (["objective=supervisd"], ["supervisd", "supervised"]),
        (["objective=mixup", "objective.per=row"], ["per must be batch or sample, got 'row'"]),
        (["objective=dropout", "objective.variant.rate=1.5"], ["dropout.rate must be in [0, 1]"]),
        (["objective=mixup", "objective@objective.base=dropout"], ["objective=dropout objective@objective.base=mixup"]),
        ([f"{PLAYER}.optimizer.lrr=1"], ["lrr", f'"{PLAYER}.optimizer.lr"']),
        (["model.kernel=3"], ["model.kernel", '"model.kernel_size"']),
        (["kernel_size=3"], ["kernel_size", '"model.kernel_size"']),
        (["+foo=1"], ["foo"]),
        (["+model.foo=1"], ["TCN", "foo"]),
        (["~model"], ["model"]),
        (["~model.channels.0"], ["list"]),
        (["seed=null"], ["seed", "integer"]),
        (["device=null"], ["device"]),
        (["=3"], ["=3"]),
        (["tcn", "gru"], ["gru", "key=value"]),
        (["experiment/evolve=ga"], ["dlcli evolve ga"]),
        (["gru", "experiment=tcn"], ["gru", "tcn"]),
        (["+task@foo=mnist"], ["foo"]),
        (["+data=mnist"], ["data"]),
        (["hydra.run.dir=x"], ["hydra.run.dir"]),
        (["--optim.lr=1"], ["key=value", "optim.lr=1"]),
        (["--lr", "1"], ["key=value", "lr=VALUE"]),
        (["--gpus", "1"], ["device=cuda"]),
        (["learning_rate=0.1"], ["lr=0.1"]),
        (["batch_size=8"], ["batch=8"]),
        (["max_epochs=3"], ["epochs=3"]),
        (["gpus=2"], ["device=cuda devices=2"]),
        (["dataset=mnist"], ["task=mnist"]),
        (["model", "tcn"], ["dlcli train model=tcn"]),
        (["model=TCN"], ['"tcn"']),
        (["tcn.yaml"], ["dlcli train tcn"]),
        (["sales.csv"], ["task=csv task.path=sales.csv"]),
        (["bf16=true"], ["precision=bfloat16"]),
        (["model.channels=[4,4"], ["model.channels=[4,4", "Quote values"]),
        (["seed=abc"], ["seed", "integer", "abc"]),
        (["seed=1.5"], ["seed", "integer"]),
        (["seed=true"], ["seed", "integer"]),
        (["model.kernel_size=two"], ["kernel_size", "integer", "two"]),
        (["model.channels=5"], ["channels", "list"]),
        (["model.channels=[a]"], ["model.channels", "a list of integers"]),
        (["model.noise=3"], ["noise"]),
        (["steps=1.5"], ["steps", "integer"]),
        (["lr=fast"], [".lr", "number", "fast"]),
        (["until=3"], ["until", "mapping"]),
        (["model.kernel_size=0"], ["kernel_size", "0"]),
        (["model.dropout=1.5"], ["dropout", "1.5"]),
        (["model.dropout=nan"], ["dropout", "nan"]),
        (["model.channels=[]"], ["channels"]),
        (["model.channels=[0]"], ["channels"]),
        (["batch=0"], ["batch", "0"]),
        (["lr=-1"], ["learning rate", "-1"]),
        (["clip=0"], ["clip", "0"]),
        (["steps=0"], ["steps", "above 0"]),
        (["epochs=inf"], ["epochs", "inf"]),
        (["eval_every=0"], ["eval_every", "at least 1"]),
        (["log_every=0"], ["log_every", "at least 1"]),
        (["checkpoint_every=-3"], ["checkpoint_every", "at least 1"]),
        (["patience=0"], ["patience", "at least 1"]),
        (["wall_time_limit=-1"], ["wall_time_limit", "above 0"]),
        (["until.updatess=3"], ["updatess", '"updates"']),
        (["until.steps=${nothing}"], ["nothing"]),
        (["seed=range(3,1)"], ["range"]),
        (["seed=range(1,1e9)"], ["10,000"]),
        (["device=tpu"], ["tpu", "cpu"]),
        (["threads=0"], ["threads", "0"]),
        (["threads=many"], ["threads", "many"]),
        (["precision=float8"], ["float8", "float32"]),
        (["budget=3"], ["budget", "channels"]),
        (["budget=-1"], ["budget", "at least 1"]),
        ([f"{PLAYER}.split=tran"], ["tran"]),
        ([f"{PLAYER}.parts=[nothing]"], ["nothing", "TCN"]),
        (["schedule=cosine", f"{PLAYER}.schedule.warmup=9999"], ["warmup", "9999"]),
        (["task=adding", "model=transformer", "model.heads=0"], ["heads"]),
        (["model.tied=true"], ["tied"]),
    ],
)
def test_invalid_override_leaves_no_run(arguments, expected, out):
    threads = () if "threads" in arguments[0] else ("threads=1",)
    check_train_error(out, [*arguments, *threads], *expected)


def test_sweep_values_are_checked(out):
    result = dlcli("train", "seed=abc,def", *SMALL, "--out", out)
    check_error(result, "seed", "integer")


@pytest.mark.parametrize(
    ("key", "target", "expected"),
    [
        ("model", "os.system", "os.system"),
        ("model", "subprocess.Popen", "subprocess.Popen"),
        ("model", "builtins.eval", "builtins.eval"),
        ("model", "dlcli.runs.run.Path", "pathlib"),
        ("model", "torch.multiprocessing.Process", "multiprocessing"),
        ("model", "torch.hub.load", "must be a class"),
        ("model", "dlcli.core.errors.nearest", "must be a class"),
        ("model", "dlcli.models.sequence.tcn.TNC", '"TCN"'),
        ("model", "dlcli.nothing.TCN", "module not found"),
        ("model", "tcn", "tcn"),
        ("model", "torch.nn.Linear", "channels"),
        ("model", "3", "3"),
        ("task", "torch.nn.Identity", "task._target_"),
        ("learner", "torch.nn.Identity", "learner._target_"),
        (f"{PLAYER}.optimizer", "os.remove", "os.remove"),
        (f"{PLAYER}.objective", "shutil.rmtree", "shutil.rmtree"),
    ],
)
def test_target_outside_the_packages_is_rejected(key, target, expected, out):
    check_train_error(out, [f"{key}._target_={target}", "threads=1"], expected)


def test_nested_target_is_rejected(out):
    check_train_error(out, ["learner.players={model: {_target_: os.getcwd}}"], "os.getcwd")
    check_train_error(out, [f"{PLAYER}.optimizer={{eps: {{_target_: os.getcwd}}}}"], "os.getcwd")
    check_train_error(out, ["+learner.more=[{_target_: os.getcwd}]"], "more")


def test_model_input_mismatch_names_axes_and_shape(arrays, out):
    images = np.zeros((20, 1, 8, 8), "float32") + np.arange(8, dtype="float32")
    check_train_error(out, ["npz_tcn", arrays(x=images, y=Y)], "TCN", "(channel, time)", "(1, 8, 8)")


@pytest.fixture
def arrays(tmp_path):
    """Saves an .npz file; gives its override."""

    def save(**parts):
        path = tmp_path / "arrays.npz"
        np.savez(path, **parts)
        return f"task.path={path}"

    return save


X, Y = np.zeros((20, 1, 8), "float32") + np.arange(8, dtype="float32"), np.arange(20) % 2


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"x": X, "y": Y[:5]}, ["20", "5"]),
        ({"x": X * np.nan, "y": Y}, ["NaN"]),
        ({"x": X + np.inf, "y": Y}, ["x"]),
        ({"x": np.array([{}] * 20, dtype=object), "y": Y}, ["pickled"]),
        ({"x": np.array(["a"] * 20), "y": Y}, ["x"]),
        ({"x": X}, ["y"]),
        ({"x": X[:0], "y": Y[:0]}, ["x"]),
        ({}, ["x"]),
    ],
)
def test_invalid_arrays_are_rejected(parts, expected, arrays, out):
    check_train_error(out, ["npz_tcn", arrays(**parts), "threads=1"], *expected)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"step,value\n1,2\n", b"\x93NUMPY\x01\x00"])
def test_file_of_another_format_is_rejected(content, tmp_path, out):
    path = tmp_path / "arrays.npz"
    path.write_bytes(content)
    check_train_error(out, ["npz_tcn", f"task.path={path}", "threads=1"], str(path))


def test_truncated_file_is_rejected(arrays, tmp_path, out):
    word = arrays(x=X, y=Y)
    path = tmp_path / "arrays.npz"
    path.write_bytes(path.read_bytes()[:-300])
    check_train_error(out, ["npz_tcn", word, "threads=1"], str(path))


@pytest.mark.parametrize("recipe", ["npz_tcn", "csv_tcn", "text_lstm"])
def test_missing_file_is_named(recipe, tmp_path, out):
    more = ("task.target=a",) if recipe == "csv_tcn" else ()
    check_train_error(out, [recipe, *more], "task.path")
    check_train_error(out, [recipe, f"task.path={tmp_path}/none", *more], f"{tmp_path}/none")
    check_train_error(out, [recipe, f"task.path={tmp_path}", *more], f"{tmp_path}")


def test_missing_data_set_names_the_fetch_command(tmp_path, monkeypatch, out):
    monkeypatch.setenv("DLCLI_DATA", str(tmp_path))
    check_train_error(out, ["jsb_gru"], "JSB_Chorales.mat", "dlcli data fetch poly-music")
    check_train_error(out, ["sequential_mnist_gru"], "dlcli data fetch mnist")
    check_train_error(out, ["ptb_word_tcn_repo"], "dlcli data fetch ptb")


@pytest.mark.parametrize("folder", ["/proc/nothing", "/dev/null/runs"])
def test_unwritable_output_folder_is_named(folder):
    check_error(dlcli("train", *SMALL, "--out", folder), folder)


def test_output_folder_that_is_a_file_is_named(tmp_path):
    (tmp_path / "runs").write_text("mine")
    check_error(dlcli("train", *SMALL, "--out", tmp_path / "runs"), "runs")
    assert (tmp_path / "runs").read_text() == "mine"


def test_out_of_memory_exits_4(out):
    result = dlcli("train", "model.channels=[9999999,9999999]", "threads=1", "--out", out)
    assert (result.exit_code, result.stderr.strip()) == (4, "dlcli: out of memory")
    assert not list(out.rglob("run.json"))


def test_console_script_prints_the_same_error():
    for arguments in (["trian"], ["config", "model=tnc"]):
        done = subprocess.run([sys.executable, "-m", "dlcli", *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr == dlcli(*arguments).stderr


@settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.lists(WORD, max_size=3))
def test_config_exits_0_or_2_for_any_override(overrides):
    result = dlcli("config", "--", *overrides)
    assert result.exit_code in (0, 2), (overrides, result.exception)
    if result.exit_code:
        check_error(result)


TAMPERED = st.builds(
    "{}={}".format,
    st.sampled_from(
        (
            "model.channels", "model.kernel_size", "model.dropout", "model.noise", "model.tied", "model._target_",
            "task.batch", "task.order", "task._target_", "seed", "lr", "clip", "steps", "epochs", "until.samples",
            "eval_every", "patience", "device", "precision", "plugins", "learner._target_", "learner.players",
            f"{PLAYER}.parts", f"{PLAYER}.split", f"{PLAYER}.repeats", f"{PLAYER}.accumulate", f"{PLAYER}.objective",
            f"{PLAYER}.optimizer._target_", f"{PLAYER}.optimizer.betas", f"{PLAYER}.schedule._target_",
        )
    ),
    st.sampled_from(
        (
            "null", "0", "-1", "1", "2", "1.5", "nan", "1e30", "true", "[]", "[1]", "[null]", "[a]", "{}", "{a: 1}",
            "abc", "''", "cpu", "valid", "[0.9,2]", "torch.nn.Identity", "torch.nn.Module", "torch.Tensor",
            "torch.optim.Optimizer", "torch.optim.LBFGS", "dlcli.runs.run.Run", "dlcli.core.spec.Real",
            "dlcli.models.sequence.gru.GRU", "dlcli.learners.gradient.schedule.Plateau",
            "dlcli.tasks.sequence.adding.Adding",
        )
    ),
)  # fmt: skip


@settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.lists(TAMPERED, min_size=1, max_size=2))
def test_dry_run_exits_0_or_2_for_any_value(overrides):
    quick = {"steps": 1, "milliseconds_a_step": 1.0, "seconds": 1.0}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dlcli.engine.estimate.estimate", lambda *_: quick)
        result = dlcli("train", "--dry-run", "tcn", "threads=1", "model.channels=[2]", "batch=64", *overrides)
    assert result.exit_code in (0, 2), (overrides, result.exception)
    if result.exit_code:
        check_error(result)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--seeds", "3", "-q", "--needed"), ("--seeds, --skip-existing, --quiet", "--all")),
        (("--jobs", "2", "--on", "slurm"), ("--jobs, --launcher",)),
        (("--tier", "hours"), ('did you mean "hour"',)),
        (("nosuch", "--docs"), ("--docs", "nosuch")),
        (("capsules_pairs", "--seeds", "0"), ("--seeds must be",)),
        (("capsules_pairs", "--seeds", "x"), ("a number of seeds",)),
    ],
)
def test_reproduce_rejects_options_that_it_would_ignore(arguments, expected):
    result = dlcli("reproduce", *arguments)
    check_error(result, *expected)
    assert "core-minutes" not in result.stderr


def test_reproduce_lists_the_claims_of_a_tier():
    minutes, hour = (dlcli("reproduce", "--tier", tier).stdout for tier in ("minutes", "hour"))
    assert "capsules_pairs " in minutes
    assert "tcn_jsb " in hour
    assert not set(minutes.splitlines()) & set(hour.splitlines())
    none = dlcli("reproduce", "--tier", "gpu")
    assert (none.exit_code, none.stdout, none.stderr) == (0, "", "no claims in tier gpu\n")
