"""`--skip-existing` of every command that starts runs."""

import pytest

from dlcli.engine import run_commands
from dlcli.engine.options import Options
from dlcli.launch.existing import completed_runs


@pytest.mark.parametrize(
    ("verb", "recipe"),
    [
        ("train", "tcn"),
        ("evolve", "es"),
        pytest.param("search", "random", marks=pytest.mark.slow),
        pytest.param("sketch", "bench", marks=pytest.mark.slow),
    ],
)
def test_covering_matches_configuration_and_seed(verb, recipe, tmp_path):
    options = Options(tmp_path, show="none", quiet=True, verb=verb, smoke=True)
    points = [run_commands.points([recipe, "threads=1", f"seed={seed}"], options)[0] for seed in (0, 1)]
    run = run_commands.start(points[0], options)
    covered = completed_runs(points, options, among=[run])
    assert {index: other.id for index, other in covered.items()} == {0: run.id}


def test_run_that_does_not_report_a_requested_metric_covers_nothing(tmp_path):
    options = Options(tmp_path, show="none", quiet=True, verb="train", smoke=True)
    overrides = [[], ["task.metrics=[accuracy,f1_macro]"], ["task.metrics=[accuracy]"]]
    default, f1, accuracy = (run_commands.points(["mlp_digits", "threads=1", *own], options)[0] for own in overrides)
    plain = run_commands.start(default, options)
    assert {*completed_runs([default, f1, accuracy], options, among=[plain])} == {0, 2}
    selected = run_commands.start(f1, options)
    assert {*completed_runs([default, f1, accuracy], options, among=[selected])} == {1, 2}
    covered = completed_runs([default, f1], options, among=[selected, plain])
    assert {index: run.id for index, run in covered.items()} == {0: plain.id, 1: selected.id}
