"""`--skip-existing` of every command that starts runs."""

import pytest

from dlcli.engine import run_commands
from dlcli.engine.options import Options
from dlcli.launch.existing import covering


@pytest.mark.parametrize(
    ("verb", "recipe"), [("train", "tcn"), ("evolve", "es"), ("search", "random"), ("sketch", "bench")]
)
def test_covering_matches_configuration_and_seed(verb, recipe, tmp_path):
    options = Options(tmp_path, show="none", quiet=True, verb=verb, smoke=True)
    points = [run_commands.points([recipe, "threads=1", f"seed={seed}"], options)[0] for seed in (0, 1)]
    run = run_commands.start(points[0], options)
    covered = covering(points, options, among=[run])
    assert {index: other.id for index, other in covered.items()} == {0: run.id}
