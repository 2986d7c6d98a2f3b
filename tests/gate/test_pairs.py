"""Per pair of a model and a learner that some recipe names: steps, seeds, resuming and scoring."""

from functools import partial

import pytest
from helpers import gate
from helpers.recipes import PAIRS, build_recipe, skip_if_not_fetched, smoke_config

from dlcli.core.errors import Missing


def _id(pair):
    return "-".join(part.rpartition("=")[2] for part in pair)


ORDER = sorted(PAIRS, key=lambda pair: PAIRS[pair][0].choices["task"])


@pytest.fixture(scope="module", params=ORDER, ids=_id)
def subject(request):
    """The first recipe of the pair whose data are installed, after an uninterrupted run."""
    missing = None
    for recipe in PAIRS[request.param]:
        try:
            build_recipe(recipe)
        except Missing as error:
            missing = missing or error
            continue
        return gate.run_subject(partial(build_recipe, recipe), seeded=seeded(smoke_config(recipe)["learner"]))
    return skip_if_not_fetched(missing)


def seeded(node):
    """Whether a configuration contains a seed."""
    if isinstance(node, dict):
        return "seed" in node or any(map(seeded, node.values()))
    return isinstance(node, list) and any(map(seeded, node))


def test_step_stays_finite(subject):
    gate.check_finite(subject)


def test_step_changes_parameters_or_state(subject):
    gate.check_changes(subject)


def test_other_seed_changes_random_pairs(subject):
    gate.check_other_seed(subject)


def test_same_seed_is_reproducible_and_scoring_is_pure(subject):
    gate.check_same_seed_with_scoring(subject)


def test_resume_is_bit_exact(subject):
    if not getattr(subject.built.learner, "resumable", True):
        pytest.skip("the learner declares that it cannot be resumed")
    gate.check_resume(subject)
