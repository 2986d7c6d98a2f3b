"""What an equal finished run covers, whatever the verb."""

import pytest

from dlcli.engine import run_commands
from dlcli.engine.options import Options
from dlcli.launch.existing import covering


@pytest.mark.parametrize(
    ("verb", "recipe"), [("train", "tcn"), ("evolve", "es"), ("search", "random"), ("sketch", "bench")]
)
def test_a_run_covers_its_own_words_and_no_other_seed(verb, recipe, tmp_path):
    options = Options(tmp_path, show="none", quiet=True, verb=verb, smoke=True)
    asked = [run_commands.points([recipe, "threads=1", f"seed={seed}"], options)[0] for seed in (0, 1)]
    run = run_commands.start(asked[0], options)
    found = covering(asked, options, among=[run])
    assert {place: one.id for place, one in found.items()} == {0: run.id}
