"""Small environments whose best policy is known."""

import torch

from dlcli.core.episode import EpisodeSummary, Transition
from dlcli.core.metric import Goal, Metric
from dlcli.core.spec import Classes, Real, Spec
from dlcli.tasks.control.environment import Environment


class Signs:
    """Sees a sign; a reward of 1 for the action that is its own (0 for -1, 1 for 1), over `length` steps.

    With real answers the reward is 1 - (answer - sign)^2.
    """

    def __init__(self, seeds, length, real):
        self.random = torch.Generator().manual_seed(int(seeds.sum()) % 2**31)
        self.seeds, self.length, self.real = seeds, length, real
        self.clock = torch.zeros(len(seeds), dtype=torch.int64)
        self.hits = torch.zeros(len(seeds), dtype=torch.float64)

    def reset(self):
        return self._look()

    def _look(self):
        """A function of seed and step alone."""
        self.sign = 2.0 * ((self.seeds * 7 + self.clock * self.clock * 3 + self.clock) // 2 % 2) - 1.0
        return self.sign[:, None].float()

    def step(self, output):
        if self.real:
            reward = 1 - (output[:, 0].double() - self.sign.double()) ** 2
        else:
            reward = (output.argmax(1) == (self.sign > 0)).double()
        self.hits += reward
        self.clock += 1
        # Lengths differ from episode to episode.
        over = self.clock >= self.length + self.seeds % 3
        return Transition(self._look(), reward, over)

    def end(self, rows):
        return EpisodeSummary(self.hits[rows, None].float(), {"hits": self.hits[rows] / self.clock[rows]})

    def keep(self, rows):
        self.seeds, self.clock, self.hits = self.seeds[rows], self.clock[rows], self.hits[rows]
        self.sign = self.sign[rows]


class Guess(Environment):
    def __init__(self, length=8, real=False, made=Signs):
        target = Real((1,)) if real else Classes(2)
        super().__init__(
            Spec((Real((1,)),), target),
            Goal("return", "max"),
            episodes=3,
            valid_episodes=6,
            test_episodes=6,
            lanes=6,
            scores=(Metric("hits", "max"),),
        )
        self.length, self.real, self.made, self.begun = length, real, made, []

    def simulate(self, seeds):
        self.begun += seeds.tolist()
        return self.made(seeds, self.length, self.real)
