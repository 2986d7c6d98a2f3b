"""Any of gymnasium's environments, a list of them side by side."""

import logging
import math
from contextlib import suppress
from typing import Any

import gymnasium
import numpy as np
import torch
from torch import Tensor

from dlcli.tasks.control.episode_loop import End, Outcome
from dlcli.tasks.control.gymnasium.pool import Pool
from dlcli.tasks.control.gymnasium.spaces import Hand, Sight

_log = logging.getLogger("dlcli")


class Rows:
    """What both kinds have in common: what was seen last, and which episodes failed."""

    def __init__(self, sight: Sight) -> None:
        self._sight = sight
        self._seen = torch.zeros(0)
        self._failed = torch.zeros(0, dtype=torch.bool)

    def _begin(self, seen: Tensor) -> Tensor:
        self._seen, self._failed = seen, torch.zeros(len(seen), dtype=torch.bool)
        return seen

    def _outcome(self, output: Tensor, seen: Tensor, reward: Tensor, over: Tensor) -> Outcome:
        """An episode fails by an answer, an observation or a reward that is not a number; the last sight stays."""
        if math.isfinite(output.sum() + seen.sum() + reward.sum()):
            self._seen = seen
            return Outcome(seen, reward, over)
        failed = output.isnan().any(1) | seen.isnan().flatten(1).any(1) | reward.isnan()
        self._failed = self._failed | failed
        self._seen = torch.where(failed.view(-1, *[1] * (seen.dim() - 1)), self._seen, seen)
        return Outcome(self._seen, reward.masked_fill(failed, torch.nan), over)

    def end(self, rows: Tensor) -> End:
        return End(self._seen[rows].flatten(1), {"failed": self._failed[rows].double()})

    def _keep(self, rows: Tensor) -> None:
        self._seen, self._failed = self._seen[rows], self._failed[rows]


class OneByOne(Rows):
    """Any environment: one a row, stepped one after another; one that raises fails its episode alone.

    Args:
        pool: where environments come from, and go to when their episodes are over.
        seeds: int64 [row].
    """

    def __init__(self, pool: Pool, sight: Sight, hand: Hand, seeds: Tensor) -> None:
        super().__init__(sight)
        self._pool, self._hand, self._seeds = pool, hand, seeds.tolist()
        self._environments: list[gymnasium.Env[Any, Any] | None] = []
        self._observations: list[Any] = []

    def reset(self) -> Tensor:
        for seed in self._seeds:
            environment = self._pool.take()
            try:
                self._observations.append(environment.reset(seed=seed)[0])
                self._environments.append(environment)
            except Exception as error:  # noqa: BLE001 (whatever a third party's environment raises)
                self._tell(error)
                self._observations.append(np.zeros_like(environment.observation_space.sample()))
                self._environments.append(None)
        return self._begin(self._sight(self._observations))

    def step(self, output: Tensor) -> Outcome:
        broken = output.isnan().any(1).tolist()
        actions = self._hand(output)
        reward, over = np.zeros(len(actions)), np.zeros(len(actions), dtype=bool)
        for row, environment in enumerate(self._environments):
            if environment is None or broken[row]:
                reward[row] = np.nan
                continue
            try:
                observation, reward[row], ended, cut, _ = environment.step(actions[row])
                self._observations[row], over[row] = observation, ended or cut
            except Exception as error:  # noqa: BLE001
                self._tell(error)
                self._environments[row], reward[row] = None, np.nan
                with suppress(Exception):
                    environment.close()
        return self._outcome(output, self._sight(self._observations), torch.from_numpy(reward), torch.from_numpy(over))

    def keep(self, rows: Tensor) -> None:
        kept = rows.tolist()
        for row in set(range(len(self._environments))).difference(kept):
            environment = self._environments[row]
            if environment is not None:
                self._pool.give(environment)
        self._environments = [self._environments[row] for row in kept]
        self._observations = [self._observations[row] for row in kept]
        self._keep(rows)

    def _tell(self, error: Exception) -> None:
        """Once an environment and kind of error; those that failed are counted."""
        if type(error) not in self._pool.told:
            self._pool.told.add(type(error))
            _log.info(f"an episode of {self._pool.name} failed: {type(error).__name__}: {error}")
