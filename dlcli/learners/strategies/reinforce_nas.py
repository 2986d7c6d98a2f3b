"""REINFORCE without shared weights: the search that ENAS made cheap."""

from collections.abc import Callable
from typing import Any

import torch

from dlcli.core.errors import UsageError
from dlcli.core.rng import mix
from dlcli.core.space import as_tensor
from dlcli.core.trials import Outcome, Trial, Trials
from dlcli.learners.strategies.architectures import space_of
from dlcli.learners.strategies.strategy import Strategy

_INITIAL, _SAMPLE = 0x2A5C, 0x5A3B


class ReinforceNAS(Strategy):
    """A controller samples architectures, each is trained from scratch, and good ones become more likely.

    The controller is a function of the history: it learns batch by batch what it has not learned yet, from the start
    after a resume. The moving average of rewards is updated before it is subtracted; a failed trial counts as the
    worst reward of all so far.

    Paper: Zoph & Le 2017, arXiv:1611.01578, section 3.2. Differs: the controller is that of ENAS; one update a batch.

    Args:
        trials, candidates, batch, seed: see `Strategy`.
        controller: makes the controller of a space; see `nn/supernet/controller.py`.
        lr: of Adam.
        decay: of the moving average.
        entropy: weight of the entropy in what is maximised.

    Raises:
        UsageError: a number is out of range.
        Mismatch: the model has no space.
    """

    def __init__(
        self,
        trials: Trials,
        *,
        candidates: int,
        batch: int,
        seed: int,
        controller: Callable[..., Any],
        lr: float,
        decay: float,
        entropy: float,
    ) -> None:
        super().__init__(trials, candidates=candidates, batch=batch, seed=seed)
        if not 0 <= decay < 1:
            raise UsageError(f"strategy.decay is from 0 to below 1, not {decay}")
        self._make, self._lr, self._decay, self._entropy = controller, lr, decay, entropy
        self._space = space_of(trials, "reinforce_nas")
        self._begin()

    def ask(self) -> list[Trial]:
        self._catch_up()
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(mix(self.seed, _SAMPLE, self._learned))
            drawn = self._controller.sample(len(self.fresh)).tuples()
        return [Trial(number, architecture=one) for number, one in zip(self.fresh, drawn, strict=True)]

    def _begin(self) -> None:
        """The controller before its first update."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(mix(self.seed, _INITIAL))
            self._controller: Any = self._make(self._space)
        self._adam = torch.optim.Adam(self._controller.parameters(), lr=self._lr)
        self._learned, self._baseline = 0, torch.nan

    def _catch_up(self) -> None:
        """Learn from the batches of the history that came since the last time."""
        if len(self.history) < self._learned:
            self._begin()
        while self._learned < len(self.history):
            self._learn(self.history[self._learned : self._learned + self.batch])

    def _learn(self, told: list[Outcome]) -> None:
        rewards = torch.tensor([self._reward(one) for one in told], dtype=torch.float32)
        mean = float(rewards.mean())
        old = mean if self._baseline != self._baseline else self._baseline
        self._baseline = self._decay * old + (1 - self._decay) * mean
        taken = [one.trial.architecture for one in told]
        thought = self._controller(as_tensor([architecture for architecture in taken if architecture is not None]))
        gain = thought.log_prob * (rewards - self._baseline) + self._entropy * thought.entropy
        self._adam.zero_grad()
        (thought.penalty - gain).mean().backward()
        self._adam.step()
        self._learned += len(told)

    def _reward(self, one: Outcome) -> float:
        sign = 1.0 if self.trials.goal.direction == "max" else -1.0
        if one.value == one.value:
            return sign * one.value
        known = [sign * other.value for other in self.history[: self._learned + self.batch]]
        return min((value for value in known if value == value), default=0.0)
