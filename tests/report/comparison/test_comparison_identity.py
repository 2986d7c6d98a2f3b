"""What makes runs one experiment beside the signature: whose weights they began with, and their patience."""

import pytest
from made_runs import make_run

from dlcli.report.comparison.comparison import ComparisonOptions, compare
from dlcli.report.comparison.groups import group_runs
from dlcli.report.comparison.identity import Settings, experiment, settings
from dlcli.runs import selectors
from dlcli.runs.run import Run


def begun(run, weights="a" * 64):
    return {"init_from": {"run": run, "sha256": weights}}


def grouped(out):
    return group_runs(selectors.scan(out), None, "test")[0]


def test_runs_that_began_with_the_weights_of_others_are_a_group_of_their_own(tmp_path):
    for seed in (0, 1, 2, 3):
        make_run(tmp_path, seed=seed, value=0.5 + seed / 10, info=begun("aaaaaa") if seed % 2 else {})
    found = grouped(tmp_path)
    assert [(row.n, row.mean, row.keys) for row in found] == [
        (2, pytest.approx(0.7), {"init_from": "aaaaaa aaaaaaaa"}), (2, pytest.approx(0.6), {"init_from": None}),
    ]  # fmt: skip
    assert [row.name for row in found] == ["tcn init_from=aaaaaa aaaaaaaa", "tcn init_from=null"]
    assert len({row.signature for row in found}) == 1
    assert len(compare(selectors.scan(tmp_path), ComparisonOptions()).pairs) == 1


def test_the_weights_count_and_not_the_run_alone(tmp_path):
    for seed, weights in enumerate(("a" * 64, "b" * 64)):
        make_run(tmp_path, seed=seed, info=begun("aaaaaa", weights))
    assert [row.n for row in grouped(tmp_path)] == [1, 1]


def test_another_patience_is_another_group(tmp_path):
    for seed, patience in enumerate((None, 1, 1)):
        make_run(tmp_path, seed=seed, keys={"patience": patience}, info={"signature": "same"})
    assert sorted((row.n, row.keys["patience"]) for row in grouped(tmp_path) if row.keys["patience"]) == [(2, 1)]
    assert len(grouped(tmp_path)) == 2


def test_scorings_as_often_as_not_are_one_group_with_a_note(tmp_path):
    for seed, every in enumerate((40, 2, 40)):
        make_run(tmp_path, seed=seed, value=seed / 10, keys={"eval_every": every}, info={"signature": "same"})
    ((row),) = grouped(tmp_path)
    assert (row.n, row.note) == (3, "eval_every differs: 40, 2")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("task:\n  patience: 3\npatience: null\neval_every: 5\n", Settings(True, None, 5)),
        ("patience: 2\neval_every: null\n", Settings(True, 2, None)),
        ('{"patience": 4, "seed": 1}', Settings(True, 4, None)),
        ("seed: 1\n", Settings(True, None, None)),
        ("][", Settings(False)),
    ],
)
def test_settings_are_those_of_the_top(tmp_path, text, wanted):
    path = make_run(tmp_path)
    (path / "config.yaml").write_text(text)
    assert settings(Run.open(path)) == wanted


def test_nothing_said_is_the_signature_itself(tmp_path):
    assert experiment(Run.open(make_run(tmp_path))) == "digits tcn []"


def code(**facts):
    return {"code": {"mine.Net": facts}}


@pytest.mark.parametrize(
    ("first", "second", "difference"),
    [
        (code(sha256="a" * 64), code(sha256="b" * 64), "the source of mine.Net differs"),
        (code(version=2), code(version=3), "the version of mine.Net differs"),
        (code(version=2), {}, "the version of mine.Net differs"),
    ],
)
def test_compare_names_the_code_that_differs(tmp_path, first, second, difference):
    ids = [
        make_run(tmp_path, info={"signature": name, **info}).name.partition("_")[2]
        for name, info in (("a", first), ("b", second))
    ]
    (note,) = compare(selectors.scan(tmp_path), ComparisonOptions()).notes
    assert difference in note
    assert f"see dlcli compare configs {ids[1]} {ids[0]}" in note
    assert "data files" not in note


def test_compare_attributes_equal_code_and_configuration_to_data_files(tmp_path):
    for name in ("a", "b"):
        make_run(tmp_path, info={"signature": name, **code(sha256="a" * 64)})
    (note,) = compare(selectors.scan(tmp_path), ComparisonOptions()).notes
    assert "data files" in note


def test_compare_looks_up_the_metric_before_it_counts_a_seed_once(tmp_path):
    both = {"test": {"accuracy": 0.5, "recall": 0.4}}
    older = make_run(tmp_path, info={"signature": "same", "metrics": both}, keys={"task.metrics": ["recall"]})
    newer = make_run(tmp_path, info={"signature": "same"}, keys={"task.metrics": None})
    names = [path.name.partition("_")[2] for path in (older, newer)]
    assert [row.runs for row in compare(selectors.scan(tmp_path), ComparisonOptions("recall")).groups] == [[names[0]]]
    assert [row.runs for row in compare(selectors.scan(tmp_path), ComparisonOptions()).groups] == [[names[1]]]


def test_keys_outside_the_signature_set_no_experiments_apart(tmp_path):
    own = ("task.metrics", "learner.devices", "learner.finishes", "learner.precision")
    for name, value in (("a", 1), ("b", 2)):
        make_run(tmp_path, info={"signature": name}, keys={"model.hidden": value, **dict.fromkeys(own, value)})
    (note,) = compare(selectors.scan(tmp_path), ComparisonOptions()).notes
    assert note.endswith("they differ in model.hidden")
