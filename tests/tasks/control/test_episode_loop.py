"""The loop of episodes: what an individual gets does not depend on who else plays, nor on when others end."""

import pytest
import torch
from torch import Tensor, nn

from dlcli.core.population import PolicyPopulation
from dlcli.tasks.control.episode_loop import EpisodeSummary, Transition, play_episodes


class Counting:
    """Episode of seed s lasts s steps; sees (seed, step); the reward is the policy's first output; behaviour their sum.

    Asserts that nobody steps an episode that is over, and remembers how many rows each step had.
    """

    def __init__(self, seeds, fail=()):
        self.seeds, self.now = seeds, torch.zeros(len(seeds), 1)
        self.sum = torch.zeros(len(seeds), dtype=torch.float64)
        self.fail = torch.tensor([int(seed) in fail for seed in seeds])
        self.rows: list[int] = []

    def reset(self):
        return self._see()

    def step(self, output: Tensor) -> Transition:
        assert len(output) == len(self.seeds)
        self.rows.append(len(output))
        self.now = self.now + 1
        assert bool((self.now[:, 0] <= self.seeds).all())
        reward = output[:, 0].double()
        self.sum = self.sum + reward
        reward = torch.where(self.fail & (self.now[:, 0] == 2), torch.nan, reward)
        return Transition(self._see(), reward, self.now[:, 0] == self.seeds)

    def end(self, rows: Tensor) -> EpisodeSummary:
        return EpisodeSummary(self.sum[rows, None].float(), {"seed": self.seeds[rows].double()})

    def keep(self, rows: Tensor) -> None:
        self.seeds, self.now, self.sum, self.fail = (x[rows] for x in (self.seeds, self.now, self.sum, self.fail))

    def _see(self):
        return torch.cat((self.seeds[:, None].float(), self.now), 1)


class Gain(nn.Module):
    """Its gain times the step it is at."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return self.gain * x[:, 1:] + self.gain


class Tally(nn.Module):
    """Remembers how often it was asked, and answers that times its gain."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.zeros(()))

    def start(self, batch):
        return (torch.zeros(batch, 1),)

    def forward(self, x, carry=None):
        (asked,) = self.start(len(x)) if carry is None else carry
        asked = asked + 1
        return self.gain * asked, (asked,)


def played(model, gains, seeds, fail=()):
    """[individual] gains on [episode] seeds."""
    simulator = Counting(torch.tensor(seeds).repeat(len(gains)), fail)
    policy = PolicyPopulation(model, {"gain": torch.tensor(gains)}, len(seeds))
    with torch.inference_mode():
        return play_episodes(simulator, policy, len(gains), len(seeds)), simulator


@pytest.mark.parametrize("model", [Gain(), Tally()], ids=["plain", "recurrent"])
def test_returns_lengths_and_scores_are_each_episodes_own(model):
    gains, seeds = [1.0, 2.0, 0.5], [3, 1, 5, 2]
    got, simulator = played(model, gains, seeds)
    # Both answer gain * t at step t = 1, 2, ...
    wanted = torch.tensor([[gain * seed * (seed + 1) / 2 for seed in seeds] for gain in gains], dtype=torch.float64)
    assert torch.equal(got.total, wanted)
    assert torch.equal(got.behaviour[..., 0].double(), wanted)
    assert got.steps.tolist() == [seeds] * 3
    assert got.scores["seed"].tolist() == [seeds] * 3
    assert simulator.rows == [12, 9, 6, 3, 3]  # what is over leaves at once


@pytest.mark.parametrize("model", [Gain(), Tally()], ids=["plain", "recurrent"])
@pytest.mark.parametrize("episodes", [1, 3])
def test_an_individual_plays_the_same_whatever_the_chunk(model, episodes):
    count = 23
    random = torch.Generator().manual_seed(1)
    lengths = torch.randint(1, 12, (count, episodes), generator=random)
    gains = torch.randn(count, generator=random)

    def some(who):
        simulator = Counting(lengths[who].flatten())
        with torch.inference_mode():
            return play_episodes(simulator, PolicyPopulation(model, {"gain": gains[who]}, episodes), len(who), episodes)

    everyone = some(torch.arange(count))
    assert torch.equal(everyone.steps, lengths)
    for size in (1, 4, 10):
        for who in torch.arange(count).split(size):
            part = some(who)
            assert torch.equal(part.total, everyone.total[who])
            assert torch.equal(part.behaviour, everyone.behaviour[who])


def test_individuals_leave_the_policies_a_crowd_at_a_time():
    lengths, kept = torch.arange(1, 9), []

    class Watched(PolicyPopulation):
        def keep(self, individuals):
            kept.append(len(individuals))
            super().keep(individuals)

    with torch.inference_mode():
        play_episodes(Counting(lengths), Watched(Gain(), {"gain": torch.ones(8)}, 1), 8, 1)
    assert kept[:3] == [6, 4, 3]  # at most three quarters of those that are held


def test_an_episode_that_fails_is_nan_and_no_other_is():
    got, _ = played(Gain(), [1.0, 2.0], [3, 4, 5], fail=(4,))
    assert got.total.isnan().tolist() == [[False, True, False]] * 2
    assert got.steps.tolist() == [[3, 2, 5]] * 2
    alone, _ = played(Gain(), [2.0], [3])
    assert torch.equal(alone.total[0, 0], got.total[1, 0])


def test_a_model_alone_plays_as_a_population_of_one():
    model = Tally()
    model.gain.data.fill_(1.5)
    seeds = torch.tensor([2, 6, 3])
    with torch.inference_mode():
        alone = play_episodes(Counting(seeds), PolicyPopulation(model, None, 3), 1, 3)
    of_one, _ = played(model, [1.5], [2, 6, 3])
    assert torch.equal(alone.total, of_one.total)
