"""Errors: code and fields, one rendering, suggestions."""

import pickle

import pytest

from dlcli.core.errors import Mismatch, UsageError, nearest


def test_usage_error_renders_key_range_value_and_hint():
    error = UsageError("invalid_value", key="model.hidden", must="an integer", got="x", hint="Write model.hidden=64")
    assert error.code == "invalid_value"
    assert error.fields["got"] == "x"
    assert str(error) == "model.hidden must be an integer, got 'x'\nWrite model.hidden=64"


def test_usage_error_suggests_the_nearest_known_name():
    error = UsageError("unknown_name", kind="model", name="tcm", known=["tcn", "lstm"])
    assert str(error) == "unknown model 'tcm' (did you mean \"tcn\"?)"


def test_usage_error_survives_pickling():
    error = pickle.loads(pickle.dumps(Mismatch("mismatch", subject="TCN", requirement="(channel, time)", got="(784,)")))
    assert type(error) is Mismatch
    assert error.code == "mismatch"
    assert str(error) == "TCN requires (channel, time), got '(784,)'"


def test_usage_error_prints_no_control_characters_and_bounds_values():
    text = str(UsageError("invalid_value", key="lr", must="a number", got="\x1b[31m" + "x" * 1000))
    assert "\x1b" not in text
    assert len(text) < 200


@pytest.mark.parametrize(
    ("typed", "known", "suggestion"),
    [
        ("learning_rate", ["lr", "learner"], "lr"),
        ("TCN", ["tcn"], "tcn"),
        ("gpus", ["seed", "device"], "device"),
        ("TNC", ["TCN", "Head"], "TCN"),
    ],
)
def test_nearest_consults_synonyms_before_spelling(typed, known, suggestion):
    assert f'"{suggestion}"' in nearest(typed, known)
