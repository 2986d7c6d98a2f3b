"""Files that users name."""

import os
import socket

import pytest

from dlcli.core.errors import Missing, UsageError
from dlcli.report.output_file import write


def test_a_link_stays_and_what_it_points_to_is_written(tmp_path):
    first, second, target = (tmp_path / name for name in ("first", "second", "folder/target"))
    first.symlink_to(second)
    second.symlink_to("folder/target")
    with pytest.raises(Missing) as error:
        write(first, b"a", "--html")
    assert (error.value.code, error.value.fields["path"]) == ("missing_file", target.parent)
    target.parent.mkdir()
    for content in (b"a", b"b"):
        write(first, content, "--html")
        assert target.read_bytes() == content
    assert first.is_symlink()
    assert second.is_symlink()
    assert [path.name for path in target.parent.iterdir()] == ["target"]


def test_what_is_no_ordinary_file_stays(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fifo, loop = tmp_path / "fifo", tmp_path / "loop"
    os.mkfifo(fifo)
    loop.symlink_to(loop)
    (tmp_path / "to_fifo").symlink_to(fifo)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket")
        for path in (fifo, loop, tmp_path / "to_fifo", tmp_path / "socket", tmp_path, tmp_path / ("a" * 300)):
            with pytest.raises(UsageError) as error:
                write(path, b"a", "--html")
            assert (error.value.code, error.value.fields["path"]) == ("invalid_data", f"--html {path}")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["fifo", "loop", "socket", "to_fifo"]
    assert fifo.is_fifo()
