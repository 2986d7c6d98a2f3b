"""Ranks and novelty, against numbers made by hand and by brute force."""

import math

import pytest
import torch

from dlcli.core.errors import UsageError
from dlcli.core.population import Rating
from dlcli.learners.evolution.selection import Blend, Novelty, Reward, centered_ranks, sparseness

NAN = math.nan


def rating(fitness, behaviour):
    fitness = torch.tensor(fitness, dtype=torch.float64)
    return Rating(fitness, behaviour, torch.ones(len(fitness), dtype=torch.int64))


def novelty(**changes):
    return Novelty(**{"k": 3, "archive_probability": 1.0, "exponent": 1.0, "generation": True} | changes)


def test_centred_ranks():
    ranks = centered_ranks(torch.tensor([30.0, -1e9, 5.0, 7.0, 8.0]))
    assert ranks.tolist() == [0.5, -0.5, -0.25, 0.0, 0.25]


def test_equal_values_share_their_rank_and_the_failed_have_none():
    ranks = centered_ranks(torch.tensor([2.0, NAN, 2.0, 1.0, 9.0]))
    torch.testing.assert_close(ranks, torch.tensor([0.0, NAN, 0.0, -0.5, 0.5]).double(), equal_nan=True)
    assert centered_ranks(torch.ones(4)).tolist() == [0.0] * 4
    assert centered_ranks(torch.ones(1)).tolist() == [0.0]


@pytest.mark.parametrize("exponent", [1.0, 2.0])
def test_novelty_equals_brute_force(exponent):
    draw = torch.Generator().manual_seed(0)
    behaviour, old = torch.randn(40, 2, generator=draw), torch.randn(25, 2, generator=draw)
    score = novelty(exponent=exponent)
    score.remember(old, 0)
    _, values = score.rank(rating([0.0] * 40, behaviour))
    found = sparseness(behaviour, torch.cat((behaviour, old)), 3, exponent, own=True)
    for number, point in enumerate(behaviour.tolist()):
        others = [other for place, other in enumerate([*behaviour.tolist(), *old.tolist()]) if place != number]
        nearest = sorted(math.dist(point, other) ** exponent for other in others)[:3]
        assert float(found[number]) == pytest.approx(sum(nearest) / 3, rel=1e-6)
    assert float(values["novelty_mean"]) == pytest.approx(float(found.mean()))
    assert float(values["archive"]) == 25


def test_novelty_in_blocks_is_the_same(monkeypatch):
    behaviour = torch.randn(50, 3, generator=torch.Generator().manual_seed(1))
    whole = sparseness(behaviour, behaviour, 4, 1.0, own=True)
    monkeypatch.setattr("dlcli.learners.evolution.selection._ROWS", 7)
    assert torch.equal(sparseness(behaviour, behaviour, 4, 1.0, own=True), whole)


def test_the_failed_are_not_new_and_make_nobody_less_new():
    behaviour = torch.tensor([[0.0, 0.0], [1.0, 0.0], [NAN, NAN], [0.0, 3.0]])
    ranks, _ = novelty(k=1).rank(rating([0.0, 0.0, NAN, 0.0], behaviour))
    torch.testing.assert_close(ranks, torch.tensor([-0.25, -0.25, NAN, 0.5]).double(), equal_nan=True)


def test_against_the_archive_alone():
    score = novelty(generation=False, k=10)
    behaviour = torch.tensor([[0.0], [4.0]])
    assert score.rank(rating([1.0, 2.0], behaviour))[0].tolist() == [0.0, 0.0]
    score.remember(torch.tensor([[1.0]]), 0)
    assert score.novelty(behaviour).tolist() == [1.0, 3.0]


def test_the_archive_takes_its_share_by_its_words():
    behaviour = torch.arange(10_000.0)[:, None]
    first, second, other = (novelty(archive_probability=0.02) for _ in range(3))
    first.remember(behaviour, 3, 4)
    second.remember(behaviour, 3, 4)
    other.remember(behaviour, 3, 5)
    archive = first.state_dict()["archive"]
    assert 150 < len(archive) < 250
    assert torch.equal(archive, second.state_dict()["archive"])
    assert not torch.equal(archive[:20], other.state_dict()["archive"][:20])


def test_blend_is_a_mean_of_ranks():
    behaviour = torch.tensor([[0.0], [1.0], [10.0]])
    given = rating([3.0, 2.0, 1.0], behaviour)
    part = novelty(k=1)
    ranks, _ = Blend(novelty=part, weight=0.5).rank(given)
    assert ranks.tolist() == [(-0.25 + 0.5) / 2, -0.25 / 2, 0.0]
    assert torch.equal(Blend(novelty=part, weight=0.0).rank(given)[0], Reward().rank(given)[0])
    assert torch.equal(Blend(novelty=part, weight=1.0).rank(given)[0], part.rank(given)[0])


@pytest.mark.parametrize("wrong", [{"k": 0}, {"archive_probability": 1.5}, {"exponent": 0.0}])
def test_numbers_out_of_range_are_refused(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(UsageError) as error:
        novelty(**wrong)
    fields = error.value.fields
    assert (error.value.code, fields["key"], fields["got"]) == ("invalid_value", f"learner.score.{name}", value)
