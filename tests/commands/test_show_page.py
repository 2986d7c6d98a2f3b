"""`dlcli show RUN --html`."""

import pytest
from made_runs import make_run
from typer.testing import CliRunner

from dlcli.cli.app import app


def show(out, *words):
    return CliRunner().invoke(app, ["show", *map(str, words), "--out", str(out)])


@pytest.mark.parametrize("status", ["completed", "failed", "diverged"])
def test_show_html_writes_a_page(tmp_path, status):
    make_run(tmp_path, identity="aaaaaa", info={"status": status})
    result = show(tmp_path, "last", "--html", tmp_path / "one.html")
    assert (result.exit_code, result.stdout) == (0, ""), result.exception
    assert "written" in result.stderr
    text = (tmp_path / "one.html").read_text()
    assert "aaaaaa" in text
    assert "valid accuracy" in text


def test_show_html_rejects_missing_folder_and_folder(tmp_path):
    make_run(tmp_path)
    result = show(tmp_path, "last", "--html", tmp_path / "no" / "one.html")
    assert result.exit_code == 2
    assert str(tmp_path / "no") in result.stderr
    (tmp_path / "folder.html").mkdir()
    result = show(tmp_path, "last", "--html", tmp_path / "folder.html")
    assert result.exit_code == 2
    assert "folder.html" in result.stderr


def test_show_html_rejects_the_current_folder(tmp_path, monkeypatch):
    make_run(tmp_path)
    monkeypatch.chdir(tmp_path)
    result = show(tmp_path, "1", "--html", ".")
    assert (result.exit_code, "is a folder" in result.stderr) == (2, True)
    assert isinstance(result.exception, SystemExit)
