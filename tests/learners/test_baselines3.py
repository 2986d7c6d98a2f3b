"""Agents of stable-baselines3: they learn what is known, count exactly, and are functions of the seed."""

import io
import sys

import numpy as np
import pytest
import torch

pytest.importorskip("stable_baselines3", reason="stable-baselines3 is not installed: pip install 'dlcli-lab[rl]'")

from helpers.errors import usage_error
from toy_episodes import Guess, Signs

from dlcli.core.errors import Mismatch, Missing
from dlcli.core.learner import Learner
from dlcli.engine.fit import evaluate
from dlcli.learners.rl.a2c import A2CAgent
from dlcli.learners.rl.action_space import DiscreteActions
from dlcli.learners.rl.dqn import DQNAgent
from dlcli.learners.rl.vector_env import EpisodeVecEnv
from dlcli.models.policy.elman_policy import ElmanPolicy
from dlcli.models.policy.grid_policy import GridPolicy
from dlcli.models.policy.mlp import MLP
from dlcli.tasks.sequence.sequential_digits import SequentialDigits

A2C = {
    "lanes": 4, "steps_a_learn": 80, "scale": 1.0, "lr": 0.01, "rollout": 5, "discount": 0.5, "trace": 1.0,
    "entropy": 0.0, "value": 0.5, "clip": 0.5, "deviation": 0.5, "critic": [8], "seed": 0,
}  # fmt: skip
DQN = {
    "lanes": 4, "steps_a_learn": 80, "scale": 1.0, "lr": 0.01, "replay": 400, "warmup": 16, "batch": 32,
    "discount": 0.5, "every": 1, "updates": 1, "target_every": 40, "explore_from": 1.0, "explore_to": 0.05,
    "explore_steps": 400, "clip": 10.0, "seed": 0,
}  # fmt: skip


def a2c(real=False, seed=0, task=None, model=None, **changed):
    task = task or Guess(real=real)
    return A2CAgent(model or network(task, MLP), task, **{**A2C, "seed": seed, **changed}), task


def dqn(real=False, seed=0, task=None, model=None, **changed):
    task = task or Guess(real=real)
    return DQNAgent(model or network(task, GridPolicy if real else MLP), task, **{**DQN, "seed": seed, **changed}), task


def network(task, kind):
    torch.manual_seed(3)
    more = {"grid": [-1.0, 0.0, 1.0]} if kind is GridPolicy else {}
    return kind(task.spec, hidden=[8], activation="tanh", **more)


BOTH = pytest.mark.parametrize("make", [a2c, dqn])
ANSWERS = pytest.mark.parametrize("real", [False, True], ids=["scores", "values"])


def rows(learner, count):
    made = [learner.step() for _ in range(count)]
    return [({name: value.item() for name, value in row.values.items()}, dict(row.counts)) for row in made]


@BOTH
@ANSWERS
def test_the_model_itself_learns_what_is_known(make, real):
    learner, task = make(real)
    model = learner.model
    with torch.no_grad():  # a bad start
        for value in model.layers[-1].parameters():
            value.neg_()
    assert evaluate(model, task, "test")["hits"] < 0.6
    rows(learner, 15)
    assert learner.model is model
    assert evaluate(model, task, "test")["hits"] > 0.85


@BOTH
def test_what_is_counted_is_what_was_played(make):
    played = []

    class Counting(Signs):
        def step(self, output):
            played.append(len(output))
            return super().step(output)

    learner, _ = make(task=Guess(made=Counting))
    for _ in range(3):
        before = sum(played)
        row = learner.step()
        assert row.counts["env_steps"] == sum(played) - before == 80
    assert isinstance(learner, Learner)
    assert not learner.resumable


def test_updates_are_counted():
    assert [row[1]["updates"] for row in rows(a2c()[0], 2)] == [4, 4]  # 80 steps are 4 rollouts of 5 in 4 lanes
    assert [row[1]["updates"] for row in rows(dqn()[0], 2)] == [16, 20]  # the first at 20 steps, beyond the warmup


def test_a_step_is_rounded_up_to_whole_rollouts():
    assert a2c(steps_a_learn=30)[0].step().counts["env_steps"] == 40


@BOTH
def test_same_seed_same_rows_whatever_is_drawn_between(make):
    one, task = make(seed=1)
    alike, _ = make(seed=1)
    other, _ = make(seed=2)
    reference = rows(one, 4)
    disturbed = []
    for _ in range(4):
        torch.manual_seed(5)
        np.random.seed(5)
        evaluate(alike.model, task, "valid")
        disturbed += rows(alike, 1)
    assert reference == disturbed
    assert reference != rows(other, 4)


@BOTH
def test_the_generators_of_others_are_left_alone(make):
    learner, _ = make()
    torch.manual_seed(1)
    np.random.seed(1)
    learner.step()
    drawn = torch.rand(3), np.random.rand(3)
    torch.manual_seed(1)
    np.random.seed(1)
    assert torch.equal(drawn[0], torch.rand(3))
    assert np.array_equal(drawn[1], np.random.rand(3))


@BOTH
def test_rows_are_finite_and_tell_of_the_episodes(make):
    learner, _ = make()
    for values, counts in rows(learner, 3):
        assert all(np.isfinite(value) for value in values.values())
        assert 0 <= values["hits"] <= 1
        assert values["failed"] == 0
        assert counts["episodes"] > 0
    assert any(name.endswith("loss") for name in values)


@BOTH
@ANSWERS
def test_a_state_goes_through_a_file_into_another(make, real):
    learner, _ = make(real)
    rows(learner, 3)
    kept = io.BytesIO()
    torch.save(learner.state_dict(), kept)
    kept.seek(0)
    other, _ = make(real)
    other.load_state_dict(torch.load(kept, weights_only=True))
    x = torch.randn(5, 1)
    assert torch.equal(learner.model(x), other.model(x))
    assert other.state_dict()["env_steps"] == 240
    assert other.step().counts["env_steps"] == 80


@BOTH
def test_a_state_of_another_model_is_refused(make):
    learner, task = make()
    wide = MLP(task.spec, hidden=[9], activation="tanh")
    with usage_error("damaged", kind=Mismatch, path="the checkpoint"):
        make(model=wide)[0].load_state_dict(learner.state_dict())


def test_exploration_falls_over_all_steps_not_over_each():
    learner, _ = dqn()
    seen = [values["exploration_rate"] for values, _ in rows(learner, 6)]
    # Means over 20 vector steps of 1 - 0.95 t / 400, t up to 80, 160 ...
    assert seen[:4] == pytest.approx([1 - 0.95 * (80 * k + 42) / 400 for k in range(4)], abs=1e-6)
    assert seen[5] == pytest.approx(0.05)


def test_the_target_network_begins_as_the_model_also_with_weights_of_another_run():
    learner, _ = dqn(target_every=1000, steps_a_learn=4, warmup=0)
    with torch.no_grad():
        for value in learner.model.parameters():
            value.fill_(0.25)
    learner.step()
    target = {key: value for key, value in learner.state_dict()["policy"].items() if key.startswith("q_net_target")}
    assert target
    assert all((value == 0.25).all() for value in target.values())


def test_lanes_begin_anew_one_by_one_and_every_seed_once():
    task = Guess(length=2)
    lanes = EpisodeVecEnv(task, (1,), 3, DiscreteActions(2), 1.0)
    lanes.reset()
    lengths = {lane: [0] for lane in range(3)}
    for _ in range(9):
        _, _, over, infos = lanes.step(np.zeros(3, dtype=np.int64))
        for lane in range(3):
            lengths[lane][-1] += 1
            assert ("terminal_observation" in infos[lane]) == over[lane]
            if over[lane]:
                lengths[lane].append(0)
    seeds = task.begun
    assert len(set(seeds)) == len(seeds)
    first = seeds[0]
    assert sorted(seeds) == list(range(first, first + len(seeds)))
    # The first three episodes take 2 + seed % 3 steps.
    assert [lengths[lane][0] for lane in range(3)] == [2 + seed % 3 for seed in seeds[:3]]


def test_rewards_of_lanes_are_those_of_playing_alone():
    task = Guess(length=3)
    lanes = EpisodeVecEnv(task, (1,), 2, DiscreteActions(2), 1.0)
    lanes.reset()
    total = 0.0
    for _ in range(40):
        _, reward, _, _ = lanes.step(np.ones(2, dtype=np.int64))
        total += reward.sum()
    means, counts = lanes.means.drain()
    done = task.begun[: counts["return"]]
    alone = 0.0
    for seed in done:
        simulator, over = Signs(torch.tensor([seed]), 3, False), False
        simulator.reset()
        while not over:
            outcome = simulator.step(torch.tensor([[0.0, 1.0]]))
            alone, over = alone + outcome.reward.item(), bool(outcome.over)
    assert means["return"].item() * counts["return"] == pytest.approx(alone)
    assert total >= alone


def test_the_agent_sees_scaled_rewards_and_rows_tell_of_them_as_they_are():
    plain, scaled = (EpisodeVecEnv(Guess(length=3), (1,), 2, DiscreteActions(2), scale) for scale in (1.0, 0.25))
    for lanes in (plain, scaled):
        lanes.reset()
    rewards = [[lanes.step(np.ones(2, dtype=np.int64))[1] for _ in range(20)] for lanes in (plain, scaled)]
    assert np.array_equal(0.25 * np.array(rewards[0]), np.array(rewards[1]))
    assert plain.means.drain() == scaled.means.drain()


@BOTH
def test_an_episode_that_breaks_is_told_and_teaches_nothing(make):
    class Broken(Signs):
        def step(self, output):
            outcome = super().step(output)
            outcome.reward[self.clock == 2] = torch.nan
            return outcome

    learner, _ = make(task=Guess(made=Broken))
    (values, counts), *_ = rows(learner, 2)
    assert values["failed"] == 1
    assert counts["episodes"] == 40
    assert all(value.isfinite().all() for value in learner.model.parameters())


def test_what_cannot_be_played_is_refused_in_words():
    digits = SequentialDigits(batch=8, order=0)
    with usage_error("mismatch", kind=Mismatch, subject="A2CAgent", got="SequentialDigits"):
        A2CAgent(torch.nn.Linear(1, 1), digits, **A2C)
    task = Guess(real=True)
    with usage_error("mismatch", kind=Mismatch, subject="learner=dqn on the continuous actions of Guess", got="MLP"):
        DQNAgent(network(task, MLP), task, **DQN)
    with usage_error("unsupported", kind=Mismatch, subject="A2CAgent", feature="recurrent policies (ElmanPolicy)"):
        A2CAgent(ElmanPolicy(Guess().spec, hidden=3), Guess(), **A2C)
    with usage_error("invalid_value", key="learner.lanes", got=0):
        a2c(lanes=0)
    with usage_error("invalid_value", key="learner.lr", got=0.0):
        dqn(lr=0.0)


def test_without_the_package_the_command_that_installs_it(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("dlcli.learners.rl")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Missing, match=r"dlcli-lab\[rl\]"):
        __import__("dlcli.learners.rl.a2c")
