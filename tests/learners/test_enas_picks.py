"""ENAS on the space whose every member has been trained: where its picks lie in the table."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks import search_cost


def table():
    return search_cost.table(Path(__file__).parents[1] / "data" / "exhaustive_digits.csv")


def found(seed, **other):
    usual = {"pick": (0, 0, 0), "alone": (0, 0, 0), "place": 1, "alone_place": 1, "regret": 0.0, "alone_regret": 0.0}
    return search_cost.Found(seed, **(usual | {"tau": 0.5, "steps": 858, "seconds": 1.0} | other))


def test_the_table_is_of_the_whole_space():
    truth = table()
    assert len(truth) == 72
    assert max(truth.values()) - min(truth.values()) > 0.1


def test_costs_are_steps_of_training():
    truth = {(number,): 0.5 + 0.009 * number for number in range(10)}  # two lie within 1 % of the best
    costs = search_cost.costs(truth, [found(0), found(1, regret=0.02)])
    assert costs["all_steps"] == 10 * 120
    assert costs["random_steps"] == round(120 * 11 / 3)  # draws without replacement until the first of two
    assert costs["enas_ratio"] == round(1200 / 858, 1)
    assert costs["within_one_percent"] == 0.5


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_pick_is_in_the_top_quartile(seed):
    truth = table()
    result = search_cost.search(truth, seed, ())
    print(result, "top decile" if result.place <= 7 else "below the top decile")  # noqa: T201
    assert result.place <= len(truth) // 4
    assert result.steps * search_cost.GOAL <= len(truth) * 120
    assert result.tau > 0.2
