"""Atari: episodes are functions of their seed, rewards are the game's, actions are the papers'."""

import inspect

import pytest
import torch
from helpers.errors import usage_error
from torch import nn

from dlcli.core.errors import Missing, UsageError
from dlcli.core.population import FitnessTask, ParameterLayout
from dlcli.core.spec import Classes, Real
from dlcli.models.policy.mlp import MLP
from dlcli.tasks.control.atari import console
from dlcli.tasks.control.atari.game_task import Atari

pytest.importorskip("ale_py", reason="Atari needs ale-py: pip install 'dlcli-lab[atari]'")

USUAL = {
    "game": "frostbite", "observation": "ram", "full_actions": True, "skip": 4, "sticky": 0.0, "noops": 30, "limit": 60,
    "episodes": 1, "valid_episodes": 2, "test_episodes": 3, "lanes": 2,
}  # fmt: skip


def make(**changes):
    return Atari(**USUAL | changes)


def walk(task, seeds, steps=50, actions=18):
    """What random actions lead to: what is seen at every step, and the rewards."""
    draws = torch.Generator().manual_seed(5)
    plan = torch.rand(steps, 1, actions, generator=draws)
    games = task.simulate(torch.tensor(seeds))
    seen, rewards = [games.reset()], []
    for scores in plan:
        outcome = games.step(scores.expand(len(seeds), -1))
        seen.append(outcome.observation)
        rewards.append(outcome.reward)
    games.keep(torch.zeros(0, dtype=torch.int64))
    return torch.stack(seen, 1), torch.stack(rewards or [torch.zeros(len(seeds))], 1)


def test_the_keywords_are_all_there():
    assert set(USUAL) == set(inspect.signature(Atari).parameters)


@pytest.mark.parametrize("changes", [{}, {"sticky": 0.25}, {"observation": "pixels"}])
def test_an_episode_is_a_function_of_its_seed_whatever_was_played_before_or_is_beside(changes):
    task = make(**changes)
    together, rewards = walk(task, [3, 4, 5])
    again, _ = walk(task, [5])
    assert torch.equal(again[0], together[2])
    fresh, other = walk(make(**changes), [4])
    assert torch.equal(fresh[0], together[1])
    assert torch.equal(other[0], rewards[1])


def test_starts_differ_and_only_by_how_long_nothing_is_done():
    task = make()
    starts = {tuple(walk(task, [seed], steps=0)[0][0, 0].tolist()) for seed in range(40)}
    assert 10 < len(starts) <= 31
    still = make(noops=0)
    seen, _ = walk(still, [1, 2])
    assert torch.equal(seen[0], seen[1])


def test_sticky_actions_differ_between_seeds():
    seen, _ = walk(make(noops=0, sticky=0.25), [1, 2])
    assert torch.equal(seen[0, 0], seen[1, 0])
    assert not torch.equal(seen[0], seen[1])


def test_what_is_seen_and_what_can_be_done():
    screens = make(observation="pixels")
    assert screens.spec.inputs == (Real((4, 84, 84)),)
    seen, _ = walk(screens, [1], steps=6)
    assert seen.shape == (1, 7, 4, 84, 84)
    assert seen.dtype == torch.float32
    assert 0 <= float(seen.min()) < float(seen.max()) <= 1
    assert torch.equal(seen[0, 0, 0], seen[0, 0, 3])  # the first screen stands for those before it
    for step in range(1, 7):
        assert torch.equal(seen[0, step, :3], seen[0, step - 1, 1:])
    assert make().spec.inputs == (Real((128,)),)
    sizes = {game: make(game=game, full_actions=False).spec.target for game in ("frostbite", "breakout", "pong")}
    assert sizes == {"frostbite": Classes(18), "breakout": Classes(4), "pong": Classes(6)}
    assert make(game="pong").spec.target == Classes(18)


def test_rewards_are_not_clipped():
    _, rewards = walk(make(limit=2000), [1, 2], steps=150)
    assert rewards.max() >= 10  # a block of ice is worth ten points


class Sleeper(nn.Module):
    """Does nothing."""

    def __init__(self):
        super().__init__()
        self.scores = nn.Parameter(torch.eye(18)[0])

    def forward(self, x):
        return self.scores.expand(len(x), 18)


def test_an_episode_ends_at_the_limit_or_with_the_game():
    task = make(limit=10)
    scores = task.metrics(Sleeper(), task.batch("test", 0)).values
    assert scores["length"].total.tolist() == [10, 10]
    assert scores["frames"].total.tolist() == [40, 40]
    games, draws = make(limit=5000).simulate(torch.tensor([0])), torch.Generator().manual_seed(0)
    games.reset()
    steps = next(step for step in range(1, 5001) if games.step(torch.rand(1, 18, generator=draws)).over)
    assert 100 < steps < 2000
    assert games.end(torch.tensor([0])).scores["frames"].tolist() == [4 * steps]


def test_a_population_is_rated_as_each_would_be_alone():
    task = make(game="pong", full_actions=False, limit=40)
    assert isinstance(task, FitnessTask)
    model = MLP(task.spec, hidden=[8], activation="tanh")
    layout = ParameterLayout(model)
    vectors = torch.randn(5, layout.size, generator=torch.Generator().manual_seed(0))
    batches = [task.batch("train", 0), task.batch("train", 1)]
    together = task.rate(model, layout.stack(vectors), batches)
    assert together.behaviour.shape == (5, 128)
    assert together.cost.tolist() == [80] * 5
    for place in range(5):
        alone = task.rate(model, layout.stack(vectors[place : place + 1]), batches)
        assert torch.equal(alone.fitness[0], together.fitness[place])
        assert torch.equal(alone.behaviour[0], together.behaviour[place])


def test_a_film_shows_the_screen_at_every_step():
    task = make(limit=5)
    pixels, rate = task.frames(Sleeper(), 7)
    assert pixels.shape == (6, 210, 160, 3)
    assert pixels.dtype == torch.uint8
    assert rate == 15
    assert pixels.float().std() > 10


def test_what_a_user_gets_wrong():
    with usage_error("unknown_name", name="frostbit"):
        make(game="frostbit")
    with usage_error("invalid_value", key="task.sticky", got=1.0):
        make(sticky=1.0)
    with pytest.raises(UsageError) as error:
        make(limit=0)
    assert (error.value.code, error.value.fields["key"]) == ("invalid_value", "task.limit")
    with pytest.raises(UsageError) as error:
        make(noops=-1)
    assert (error.value.code, error.value.fields["key"]) == ("invalid_value", "task.noops")


def test_without_ale_py_the_command_that_gets_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ale_py", None)
    with usage_error("missing_package", kind=Missing, feature="task=atari"):
        console.cartridge("frostbite")
