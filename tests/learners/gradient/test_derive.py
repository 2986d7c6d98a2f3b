"""What a search with shared weights hands back: distinct architectures, best first, the same every time."""

from functools import partial

import torch
from planted import Right, Shares

from dlcli.learners.gradient.derive import derive_architectures
from dlcli.nn.supernet.controller import Controller, UniformController


def test_candidates_are_distinct_and_sorted_by_their_shared_score():
    model, task = Shares(UniformController), Right()
    found = derive_architectures(model, task, task.main, 2_000, 0)
    architectures, scores = [one for one, _ in found], [value for _, value in found]
    assert len(set(architectures)) == len(architectures) > 900
    assert scores == sorted(scores, reverse=True)
    assert all(value == sum(map(int.__eq__, one, task.planted)) / 4 for one, value in found)
    assert found[0] == (task.planted, 1.0)


def test_what_should_fall_is_sorted_the_other_way():
    scores = [
        value for _, value in derive_architectures(Shares(UniformController), Right("min"), Right("min").main, 50, 0)
    ]
    assert scores == sorted(scores)


def test_they_are_a_function_of_the_seed_alone():
    made = partial(Controller, hidden=8, tanh=1.5, temperature=1.0, initial=0.1, shapings={}, priors={})
    model = Shares(made)
    first = derive_architectures(model, Right(), Right().main, 20, 0)
    torch.manual_seed(4)
    assert derive_architectures(model, Right(), Right().main, 20, 0) == first
    assert derive_architectures(model, Right(), Right().main, 20, 1) != first
