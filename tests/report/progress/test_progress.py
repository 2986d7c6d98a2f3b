"""What is shown while a run goes on."""

import io
import sys

import pytest

from dlcli.report.progress import progress
from dlcli.report.progress.download import DownloadBar as Download


class File(io.TextIOWrapper):
    name, mode = "file", "w"

    def __init__(self):
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)

    def getvalue(self):
        return self.buffer.getvalue().decode()


class Terminal(File):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """The time as the display sees it, in a list of one."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def plain(notes, stream):
    return progress.LineDisplay("tcn", "accuracy", notes.append, stream)


@pytest.mark.parametrize(
    ("mode", "quiet", "terminal", "kind", "speaks"),
    [
        ("auto", False, True, progress.ProgressBar, True),
        ("auto", False, False, progress.LineDisplay, True),
        ("bar", False, False, progress.ProgressBar, True),
        ("plain", False, True, progress.LineDisplay, True),
        ("none", False, True, progress.LineDisplay, False),
        ("bar", True, True, progress.LineDisplay, False),
    ],
)
def test_a_bar_is_for_terminals_and_lines_for_files(mode, quiet, terminal, kind, speaks, monkeypatch):
    stream = Terminal() if terminal else File()
    monkeypatch.setattr(sys, "stderr", stream)
    notes = []
    shown = progress.create_display(mode, "tcn", "accuracy", notes.append, quiet=quiet)
    assert type(shown) is kind
    assert isinstance(shown, progress.ProgressDisplay)
    with shown:
        shown.tick(3, 0.5, {"loss": 1.0})
        shown.say("over")
    assert ("over" in stream.getvalue()) is speaks
    assert notes == ["over"]


def test_plain_lines_come_every_five_seconds_with_step_part_loss_and_time_left(clock):
    stream = File()
    shown = plain([], stream)
    for second in range(1, 11):
        clock[0] = 100.0 + second
        shown.tick(1000 * second, second / 40, {"loss": 0.25})
    first, second = stream.getvalue().splitlines()
    assert first == "tcn  step 5,000   12%  loss 0.25  35.0 s left"
    assert second.split() == ["tcn", "step", "10,000", "25%", "loss", "0.25", "30.0", "s", "left"]


def test_nothing_is_known_before_the_first_row(clock):
    stream = File()
    shown = plain([], stream)
    clock[0] += 6
    shown.tick(1, 0.0, {})
    assert stream.getvalue() == "tcn  step 1    0%  ? left\n"


def test_every_scoring_is_noted_and_the_best_is_marked():
    notes, stream = [], File()
    shown = plain(notes, stream)
    shown.scored(10, "valid", {"accuracy": 0.5, "nll": 1.0}, True)
    shown.scored(20, "valid", {"accuracy": 0.25, "nll": 2.0}, False)
    assert notes == ["step 10  valid  accuracy 0.5  nll 1  best", "step 20  valid  accuracy 0.25  nll 2"]
    assert stream.getvalue() == ""


def test_the_bar_shows_step_loss_and_the_best_score(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("COLUMNS", "160")
    notes = []
    with progress.ProgressBar("a [b]", "accuracy", notes.append) as shown:
        shown.scored(10, "valid", {"accuracy": 0.875}, True)
        shown.scored(20, "valid", {"accuracy": 0.5}, False)
        shown.tick(1234, 0.25, {"loss": 0.125})
        shown.bar.refresh()
        shown.say("a [bold] word")
    text = stream.getvalue()
    for wanted in ("step 1,234", "loss 0.125", "best valid accuracy 0.875", "25%", "left", "a [bold] word"):
        assert wanted in text
    assert len(notes) == 3


def test_a_download_counts_its_bytes():
    bar = Download()
    bar.total = 100
    bar.update(30)
    bar.update(20)
    assert (bar.total, bar.bar.tasks[0].completed) == (100, 50)
    bar.reset()
    assert bar.bar.tasks[0].completed == 0
    bar.close()
    bar.close()
