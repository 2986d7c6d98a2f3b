"""REINFORCE architecture search without weight sharing."""

from collections.abc import Callable
from typing import Any

import torch

from dlcli.core.errors import UsageError
from dlcli.core.rng import hash_integers
from dlcli.core.space import as_tensor
from dlcli.core.trials import Trial, TrialResult, TrialRunner
from dlcli.learners.strategies.architectures import require_space
from dlcli.learners.strategies.strategy import Strategy

_INITIAL, _SAMPLE = 0x2A5C, 0x5A3B


class ReinforceNAS(Strategy):
    """Architecture search with a controller trained by REINFORCE; every architecture is trained from scratch.

    The controller is a function of the history: it is updated batch by batch, and from the start after a resume. The
    moving average of rewards is updated before it is subtracted; a failed trial has the worst reward so far.

    Paper: Zoph & Le 2017, arXiv:1611.01578, section 3.2. Differs: the controller is that of ENAS; one update a batch.

    Args:
        trials, candidates, batch, seed: see `Strategy`.
        controller: factory of the controller from a space; see `nn/supernet/controller.py`.
        lr: learning rate of Adam.
        decay: decay of the moving average, in [0, 1).
        entropy: weight of the entropy bonus.

    Raises:
        UsageError: a number is out of range.
        Mismatch: the model has no architecture space.
    """

    def __init__(
        self,
        trials: TrialRunner,
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
            raise UsageError("invalid_value", key="strategy.decay", must="in [0, 1)", got=decay)
        self._make, self._lr, self._decay, self._entropy = controller, lr, decay, entropy
        self._space = require_space(trials, "reinforce_nas")
        self._reset()

    def ask(self) -> list[Trial]:
        self._catch_up()
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(hash_integers(self.seed, _SAMPLE, self._learned))
            samples = self._controller.sample(len(self.fresh)).tuples()
        return [Trial(number, architecture=sample) for number, sample in zip(self.fresh, samples, strict=True)]

    def _reset(self) -> None:
        """Initialize the controller."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(hash_integers(self.seed, _INITIAL))
            self._controller: Any = self._make(self._space)
        self._adam = torch.optim.Adam(self._controller.parameters(), lr=self._lr)
        self._learned, self._baseline = 0, torch.nan

    def _catch_up(self) -> None:
        """Update the controller with the new batches of the history."""
        if len(self.history) < self._learned:
            self._reset()
        while self._learned < len(self.history):
            self._learn(self.history[self._learned : self._learned + self.batch])

    def _learn(self, outcomes: list[TrialResult]) -> None:
        rewards = torch.tensor([self._reward(outcome) for outcome in outcomes], dtype=torch.float32)
        mean = float(rewards.mean())
        old = mean if self._baseline != self._baseline else self._baseline
        self._baseline = self._decay * old + (1 - self._decay) * mean
        architectures = [outcome.trial.architecture for outcome in outcomes]
        decisions = self._controller(as_tensor([choice for choice in architectures if choice is not None]))
        gain = decisions.log_prob * (rewards - self._baseline) + self._entropy * decisions.entropy
        self._adam.zero_grad()
        (decisions.penalty - gain).mean().backward()
        self._adam.step()
        self._learned += len(outcomes)

    def _reward(self, outcome: TrialResult) -> float:
        sign = 1.0 if self.trials.goal.direction == "max" else -1.0
        if outcome.value == outcome.value:  # not NaN
            return sign * outcome.value
        known = [sign * other.value for other in self.history[: self._learned + self.batch]]
        return min((value for value in known if value == value), default=0.0)
