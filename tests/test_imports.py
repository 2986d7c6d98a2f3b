"""What answers at once: no verb that only reads names loads torch, and who may import whom."""

import os
import shutil
import subprocess
import sys

import pytest

LIGHT = """
import sys
from dlcli.cli.app import app
try:
    app({words!r}, prog_name="dlcli")
except SystemExit as end:
    assert not end.code, end.code
print(*sorted({{name.partition(".")[0] for name in sys.modules}}), file=sys.stderr)
"""


def loaded(words, cwd, **more):
    """The packages that are loaded after a command."""
    done = subprocess.run(
        [sys.executable, "-c", LIGHT.format(words=words)],
        capture_output=True, text=True, cwd=cwd, env=os.environ | more, check=True,
    )  # fmt: skip
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["train", "--help"],
        ["list", "models"],
        ["list", "tasks"],
        ["list", "recipes"],
        ["list", "models", "--json"],
        ["list", "runs", "--json"],
        ["list", "claims"],
        ["reproduce"],
        ["reproduce", "--json"],
    ],
)
def test_the_light_verbs_load_neither_torch_nor_hydra(words, tmp_path):
    assert not loaded(words, tmp_path) & {"torch", "hydra", "omegaconf", "pandas", "numpy", "scipy", "sklearn"}


@pytest.mark.parametrize(
    "words", [["config"], ["config", "model=gru", "lr=1"], ["config", "--json"], ["list", "runs"], ["data", "list"]]
)
def test_what_reads_configurations_and_runs_loads_no_torch(words, tmp_path):
    assert not loaded(words, tmp_path) & {"torch", "pandas", "scipy", "sklearn"}


def test_completion_loads_neither_torch_nor_hydra(tmp_path):
    found = loaded([], tmp_path, _DLCLI_COMPLETE="complete_bash", COMP_WORDS="dlcli train model=t", COMP_CWORD="2")
    assert not found & {"torch", "hydra", "omegaconf", "numpy", "rich"}


def test_the_package_alone_loads_no_torch():
    script = "import sys, dlcli; print(dir(dlcli)); assert 'torch' not in sys.modules; assert callable(dlcli.train)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "train" in done.stdout


def test_a_name_that_the_package_lacks_is_an_attribute_error():
    import dlcli

    with pytest.raises(AttributeError, match="trian"):
        dlcli.trian  # noqa: B018


def test_who_may_import_whom():
    tool = shutil.which("lint-imports", path=os.path.dirname(sys.executable))
    if tool is None:
        pytest.skip("import-linter is not installed")
    done = subprocess.run([tool, "--no-cache"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
