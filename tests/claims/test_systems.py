"""The page of systems: it lists every system with a file and a command that exist. `make docs` writes it."""

import pytest

from dlcli.claims import pages, systems
from dlcli.claims.claim_fields import load
from dlcli.config import catalogue
from dlcli.sketching.streams.kinds import KINDS

CONF = catalogue.packaged_folder()
ALL = systems.systems(CONF)
PAGE = pages.pages(CONF.parent)["systems.md"]


@pytest.mark.parametrize("group", systems.GROUPS)
def test_no_member_of_a_group_is_missing(group):
    assert {name.partition("/")[2] for name in ALL if name.startswith(f"{group}/")} == set(catalogue.members(group))
    assert all(f"| `{member}` " in PAGE for member in catalogue.members(group))


def test_no_kind_of_stream_sketch_is_missing():
    assert {name.partition("_")[2] for name in ALL if "/stream_" in name} == set(KINDS)


def test_what_is_said_of_members_is_of_members_that_exist():
    assert {name for name in load(CONF / "systems.yaml") if "/" in name} <= set(ALL)


@pytest.mark.parametrize("name", ALL)
def test_files_and_recipes_exist(name):
    one = ALL[name]
    assert (CONF.parent / one.file).is_file()
    verb, word = one.run.split()[:2]
    assert word in {"stream", "RUN"} or word in catalogue.members(f"experiment/{verb}")


def test_a_member_has_its_paper_its_home_recipe_and_its_claims():
    one = ALL["model/tcn"]
    assert (one.paper, one.file, one.run) == ("Bai, Kolter & Koltun 2018", "dlcli/models/sequence/tcn.py", "train tcn")
    assert ALL["objective/mixup"].run == "train mlp_digits_mixup"
    row = next(line for line in PAGE.splitlines() if line.startswith("| `tcn` "))
    assert "[tcn_adding](claims.md#tcn_adding)" in row


def test_what_has_no_claim_says_so(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").write_text("# Mine: a network (Me 2026)\n_target_: dlcli.models.image.cnn.CNN\n")
    row = pages.systems_page([], systems.systems(tmp_path)).splitlines()[-1]
    cells = (
        "`mine` Mine: a network",
        "Me 2026",
        "`dlcli/models/image/cnn.py`",
        "`dlcli train model=mine`",
        "no claim yet",
        "",
    )
    assert row == f"| {' | '.join(cells)} |"
