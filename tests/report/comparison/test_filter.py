"""`--where`: conditions are read, never run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_runs import make_run

from dlcli.core.errors import UsageError
from dlcli.report.comparison.filter import parse
from dlcli.report.comparison.run_table import filter_runs
from dlcli.runs import selectors


@pytest.fixture
def found(tmp_path):
    make_run(tmp_path, "tcn", 0, keys={"model.hidden": 8}, info={"tags": ["good"], "name": "it's one"})
    make_run(tmp_path, "tcn", 1, keys={"model.hidden": 40, "model.bias": True}, task="adding")
    make_run(tmp_path, "lstm", 2, keys={"model.hidden": 20, "model.kernel": [3, 5], "task.path": None}, task="adding")
    make_run(tmp_path, "gru", 3, info={"status": "failed"})
    return selectors.scan(tmp_path)


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("task=adding and model.hidden>20", [1]),
        ("task=adding and model.hidden>=20", [1, 2]),
        ("task == 'adding'", [1, 2]),
        ("task = ADDING", [1, 2]),
        ('name = "it\'s one"', [0]),
        ("hidden<=20", [0, 2]),
        ("10 < hidden < 40", [2]),
        ("hidden in [8, 20]", [0, 2]),
        ("model in (tcn, gru)", [0, 1, 3]),
        ("model not in (tcn, gru)", [2]),
        ("model != tcn", [2, 3]),
        ("hidden != 20", [0, 1, 3]),
        ("not (task=adding or status=failed)", [0]),
        ("status=failed or seed=0", [0, 3]),
        ("good in tags", [0]),
        ("tag = good or seed=3", [3]),
        ("kernel = [3, 5]", [2]),
        ("bias", [1]),
        ("bias = true", [1]),
        ("path = null and seed != 3", [2]),
        ("lr = 1e-3", [0, 1, 2, 3]),
        ("lr = .001", [0, 1, 2, 3]),
        ("-1 < seed and seed < +2", [0, 1]),
        ("optimizer = adam and seed = 1", [1]),
        ("learner.players.model.optimizer.lr < 1 and seed=2", [2]),
        ("started > '2026-01-01' and seed=0", [0]),
        ("task=adding\nand seed=1", [1]),
    ],
)
def test_what_a_condition_chooses(text, seeds, found):
    assert sorted(run.info["seed"] for run in filter_runs(found, parse(text))) == seeds


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("__import__('os').system('touch /tmp/pwned')", "unsupported"),
        ("().__class__.__bases__", "unsupported"),
        ("seed.__class__.__mro__[1]", "unsupported"),
        ("seed = __import__('os')", "unsupported"),
        ("seed in range(9**9)", "invalid_value"),
        ("[x for x in (1,)]", "unsupported"),
        ("lambda: 1", "unsupported"),
        ("seed = f'{1}'", "unsupported"),
        ("(seed := 1)", "unsupported"),
        ("seed = 9**9**9", "unsupported"),
        ("name = my-run", "unsupported"),
        ("await x", "unsupported"),
        ("seed if seed else 1", "unsupported"),
        ("seed is 1", "unsupported"),
        ("1 = 1", "invalid_value"),
        ("seed = *tags", "unreadable"),
        ("seed >", "unreadable"),
        ("seed = (1", "unreadable"),
        ("", "unreadable"),
        ("seed=1 && task=adding", "unreadable"),
        ("seed=1 AND task=adding", "unreadable"),
        ("seed=1; task", "unreadable"),
        ("seed = b'1'", "unsupported"),
        ("seed = 'open", "unreadable"),
        ("seed = 1\0", "unreadable"),
        ("(" * 1500 + "seed" + ")" * 400, "unreadable"),
        ("1" * 1900 + " < seed and " + "9" * 5000, "invalid_value"),
        ("task = adding = 3", "unknown_name"),
    ],
)
def test_where_invalid_expression_raises_usage_error(text, code, found):
    with pytest.raises(UsageError) as error:
        filter_runs(found, parse(text))
    assert error.value.code == code
    assert "--where" in str(error.value)
    assert len(str(error.value).splitlines()) <= 3


@pytest.mark.parametrize(("text", "operator"), [("seed=1 && task=adding", "'and'"), ("seed=1 || task=x", "'or'")])
def test_where_foreign_operator_is_corrected(text, operator):
    with pytest.raises(UsageError) as error:
        parse(text)
    assert operator in error.value.fields["hint"]


@pytest.mark.parametrize(
    ("text", "code", "key"),
    [
        ("model.hiden > 20", "unknown_name", "model.hiden"),
        ("hiden > 20", "unknown_name", "hiden"),
        ("nowhere = 1 and seed = 0", "unknown_name", "nowhere"),
        ("task > 3", "invalid_value", "--where: task"),
        ("model.hidden > big", "invalid_value", "--where: model.hidden"),
        ("kernel > 2", "invalid_value", "--where: kernel"),
    ],
)
def test_where_unknown_key_or_order_raises_usage_error(text, code, key, found):
    with pytest.raises(UsageError) as error:
        filter_runs(found, parse(text))
    fields = error.value.fields
    assert (error.value.code, fields.get("name", fields.get("key"))) == (code, key)
    assert code != "unknown_name" or {"hidden", "model.hidden"} <= fields["known"]


def test_where_ambiguous_short_key_raises_usage_error(tmp_path):
    make_run(tmp_path, keys={"model.encoder.width": 3, "model.decoder.width": 4})
    with pytest.raises(UsageError) as error:
        filter_runs(selectors.scan(tmp_path), parse("width = 3"))
    assert error.value.code == "ambiguous"
    assert error.value.fields["matches"] == "model.encoder.width, model.decoder.width"


def test_a_run_without_a_readable_configuration_is_asked_what_it_knows(tmp_path):
    path = make_run(tmp_path, seed=5)
    (path / "config.yaml").write_text("task: [unclosed")
    make_run(tmp_path, seed=6, keys={"model.hidden": 1})
    assert [run.info["seed"] for run in filter_runs(selectors.scan(tmp_path), parse("seed = 5"))] == [5]
    assert [run.info["seed"] for run in filter_runs(selectors.scan(tmp_path), parse("hidden = 1"))] == [6]


@given(st.text(alphabet="abt.=!<>()[]'\" 01-andor_{}\\\n:,*", max_size=30))
def test_no_text_is_a_crash(text):
    try:
        condition = parse(text)
        condition.holds(lambda key: 1)
    except UsageError:
        pass
