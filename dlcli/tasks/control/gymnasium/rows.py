"""Parallel episodes of gymnasium environments, stepped one after another."""

import logging
import math
from contextlib import suppress
from typing import Any

import gymnasium
import numpy as np
import torch
from torch import Tensor

from dlcli.tasks.control.episode_loop import EpisodeSummary, Transition
from dlcli.tasks.control.gymnasium.pool import Pool
from dlcli.tasks.control.gymnasium.spaces import ActionDecoder, ObservationEncoder

_log = logging.getLogger("dlcli")


class EpisodeRows:
    """State shared by sequential and vectorized episodes: the last observations and the failed episodes."""

    def __init__(self, encode: ObservationEncoder) -> None:
        self._encode = encode
        self._observation = torch.zeros(0)
        self._failed = torch.zeros(0, dtype=torch.bool)

    def _begin(self, observation: Tensor) -> Tensor:
        self._observation, self._failed = observation, torch.zeros(len(observation), dtype=torch.bool)
        return observation

    def _outcome(self, output: Tensor, observation: Tensor, reward: Tensor, over: Tensor) -> Transition:
        """Mark episodes with NaN in output, observation or reward as failed; they keep their last observation."""
        if math.isfinite(output.sum() + observation.sum() + reward.sum()):
            self._observation = observation
            return Transition(observation, reward, over)
        failed = output.isnan().any(1) | observation.isnan().flatten(1).any(1) | reward.isnan()
        self._failed = self._failed | failed
        self._observation = torch.where(failed.view(-1, *[1] * (observation.dim() - 1)), self._observation, observation)
        return Transition(self._observation, reward.masked_fill(failed, torch.nan), over)

    def end(self, rows: Tensor) -> EpisodeSummary:
        return EpisodeSummary(self._observation[rows].flatten(1), {"failed": self._failed[rows].double()})

    def _keep(self, rows: Tensor) -> None:
        self._observation, self._failed = self._observation[rows], self._failed[rows]


class SequentialRows(EpisodeRows):
    """One environment per row, stepped sequentially; an exception fails the episode of its row only.

    Args:
        pool: source of the environments, to which they return after their episodes.
        encode: encoder of observations.
        decode: decoder of actions.
        seeds: int64 [row].
    """

    def __init__(self, pool: Pool, encode: ObservationEncoder, decode: ActionDecoder, seeds: Tensor) -> None:
        super().__init__(encode)
        self._pool, self._decode, self._seeds = pool, decode, seeds.tolist()
        self._environments: list[gymnasium.Env[Any, Any] | None] = []
        self._observations: list[Any] = []

    def reset(self) -> Tensor:
        for seed in self._seeds:
            environment = self._pool.take()
            try:
                self._observations.append(environment.reset(seed=seed)[0])
                self._environments.append(environment)
            except Exception as error:  # noqa: BLE001 - third-party environments may raise anything
                self._log_failure(error)
                self._observations.append(np.zeros_like(environment.observation_space.sample()))
                self._environments.append(None)
        return self._begin(self._encode(self._observations))

    def step(self, output: Tensor) -> Transition:
        broken = output.isnan().any(1).tolist()
        actions = self._decode(output)
        reward, over = np.zeros(len(actions)), np.zeros(len(actions), dtype=bool)
        for row, environment in enumerate(self._environments):
            if environment is None or broken[row]:
                reward[row] = np.nan
                continue
            try:
                observation, reward[row], ended, truncated, _ = environment.step(actions[row])
                self._observations[row], over[row] = observation, ended or truncated
            except Exception as error:  # noqa: BLE001
                self._log_failure(error)
                self._environments[row], reward[row] = None, np.nan
                with suppress(Exception):
                    environment.close()
        return self._outcome(output, self._encode(self._observations), torch.from_numpy(reward), torch.from_numpy(over))

    def keep(self, rows: Tensor) -> None:
        remaining = rows.tolist()
        for row in set(range(len(self._environments))).difference(remaining):
            environment = self._environments[row]
            if environment is not None:
                self._pool.give(environment)
        self._environments = [self._environments[row] for row in remaining]
        self._observations = [self._observations[row] for row in remaining]
        self._keep(rows)

    def _log_failure(self, error: Exception) -> None:
        """Log each type of exception once per environment; the metric `failed` counts failed episodes."""
        if type(error) not in self._pool.logged_errors:
            self._pool.logged_errors.add(type(error))
            _log.info(f"an episode of {self._pool.name} failed: {type(error).__name__}: {error}")
