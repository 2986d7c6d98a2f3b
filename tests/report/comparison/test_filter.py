"""`--where`: conditions are read, never run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_runs import make_run

from dlcli.core.errors import UsageError
from dlcli.report.comparison.filter import parse
from dlcli.report.comparison.run_table import having
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
    assert sorted(run.info["seed"] for run in having(found, parse(text))) == seeds


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("__import__('os').system('touch /tmp/pwned')", "a call"),
        ("().__class__.__bases__", "only keys"),
        ("seed.__class__.__mro__[1]", "a subscript"),
        ("seed = __import__('os')", "a call"),
        ("seed in range(9**9)", "wants a list"),
        ("[x for x in (1,)]", "more than keys"),
        ("lambda: 1", "more than keys"),
        ("seed = f'{1}'", "more than keys"),
        ("(seed := 1)", "more than keys"),
        ("seed = 9**9**9", "arithmetic"),
        ("name = my-run", "wants quotes"),
        ("await x", "more than keys"),
        ("seed if seed else 1", "more than keys"),
        ("seed is 1", "write ="),
        ("1 = 1", "asks about no key"),
        ("seed = *tags", "cannot be read"),
        ("seed >", "missing at its end"),
        ("seed = (1", "cannot be read"),
        ("", "missing at its end"),
        ("seed=1 && task=adding", "written 'and'"),
        ("seed=1 AND task=adding", "written 'and'"),
        ("seed=1; task", "cannot be read"),
        ("seed = b'1'", "more than keys"),
        ("seed = 'open", "cannot be read"),
        ("seed = 1\0", "cannot be read"),
        ("(" * 1500 + "seed" + ")" * 400, "cannot be read"),
        ("1" * 1900 + " < seed and " + "9" * 5000, "characters are too many"),
        ("task = adding = 3", "no run has 'adding'"),
    ],
)
def test_what_is_no_condition_is_told_in_words(text, told, found):
    with pytest.raises(UsageError) as caught:
        having(found, parse(text))
    assert "--where" in str(caught.value)
    assert told in str(caught.value) or "cannot be read" in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 3


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("model.hiden > 20", "no run has 'model.hiden' (did you mean \"model.hidden\"?)"),
        ("hiden > 20", '"hidden"'),
        ("nowhere = 1 and seed = 0", "no run has 'nowhere'"),
        ("task > 3", "task is 'digits', which has no order with 3"),
        ("model.hidden > big", "no order with 'big'"),
        ("kernel > 2", "[3, 5]"),
    ],
)
def test_keys_and_orders_that_are_not_there(text, told, found):
    with pytest.raises(UsageError, match="--where") as caught:
        having(found, parse(text))
    assert told in str(caught.value)


def test_a_short_key_that_may_be_several_asks_for_the_whole_one(tmp_path):
    make_run(tmp_path, keys={"model.encoder.width": 3, "model.decoder.width": 4})
    with pytest.raises(UsageError, match=r"model.encoder.width, model.decoder.width: give the whole key"):
        having(selectors.scan(tmp_path), parse("width = 3"))


def test_a_run_without_a_readable_configuration_is_asked_what_it_knows(tmp_path):
    path = make_run(tmp_path, seed=5)
    (path / "config.yaml").write_text("task: [unclosed")
    make_run(tmp_path, seed=6, keys={"model.hidden": 1})
    assert [run.info["seed"] for run in having(selectors.scan(tmp_path), parse("seed = 5"))] == [5]
    assert [run.info["seed"] for run in having(selectors.scan(tmp_path), parse("hidden = 1"))] == [6]


@given(st.text(alphabet="abt.=!<>()[]'\" 01-andor_{}\\\n:,*", max_size=30))
def test_no_text_is_a_crash(text):
    try:
        condition = parse(text)
        condition.holds(lambda key: 1)
    except UsageError:
        pass
