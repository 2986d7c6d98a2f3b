"""Key schema: the single definition of each top-level key."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from dlcli.cli import completion
from dlcli.config import identity, schema
from dlcli.config.compose import expand
from dlcli.core.errors import UsageError


@pytest.fixture
def extra_key(monkeypatch):
    @dataclass(frozen=True)
    class More(schema.Keys):
        patience_factor: int | None = schema.key(
            3, "a key of this test", minimum=2, resumable=("train",), signature=True, trial="null", retrain=True,
            defaults={"evolve": 4},
        )  # fmt: skip

    monkeypatch.setattr(schema, "Keys", More)
    return "patience_factor"


def resolved(command, *overrides):
    (point,) = expand(command, overrides)
    return point.resolved()


def test_new_key_is_composed_checked_listed_completed_and_documented(extra_key):
    config = resolved("train", "tcn", f"{extra_key}=7")
    assert config[extra_key] == 7
    assert resolved("evolve", "ga")[extra_key] == 4
    assert extra_key in schema.resumable("train")
    assert extra_key not in schema.resumable("search")
    assert f"{extra_key}=null" in schema.trial_overrides()
    assert extra_key in schema.with_flag("retrain")
    assert f"`{extra_key}`" in schema.reference()
    ctx = SimpleNamespace(params={"overrides": []}, info_name="train")
    assert completion.words(ctx, "patience_f") == [f"{extra_key}="]
    assert identity.core(config) != identity.core(config | {extra_key: 8})


@pytest.mark.parametrize(("value", "must"), [("x", "an integer of at least 2"), ("1", "an integer of at least 2")])
def test_new_key_rejects_wrong_type_and_range(extra_key, value, must):
    with pytest.raises(UsageError) as error:
        resolved("train", "tcn", f"{extra_key}={value}")
    assert error.value.code == "invalid_value"
    assert error.value.fields["key"] == extra_key
    assert error.value.fields["must"] == must


def test_every_command_has_the_keys_of_the_engine():
    common = {"seed", "until", "eval_every", "device", "precision", "budget", "plugins"}
    assert all(common <= set(schema.keys_of(command)) for command in schema.COMMANDS)
    assert "candidates" not in schema.keys_of("train")
    assert {"strategy", "candidates", "metric", "over", "limit", "retrain"} == set(schema.only_of("search"))


def test_keys_of_sketch_are_those_that_training_does_not_have():
    own = schema.only_of("sketch")
    assert {"scenes", "network", "from", "append", "dimension", "bench"} <= set(own)
    assert not set(own) & set(schema.keys_of("train"))


def test_defaults_are_valid():
    for command in schema.COMMANDS:
        schema.check(schema.defaults(command))


def test_reference_documents_every_key():
    page = schema.reference()
    assert all(f"| `{name}` |" in page for name in schema.keys_of())
