"""Gymnasium environments that step all episodes in one call."""

import copy
from typing import Any, cast

import gymnasium
import numpy as np
import torch
from torch import Tensor

from dlcli.tasks.control.episode_loop import Transition, VectorEnvironment
from dlcli.tasks.control.gymnasium.pool import Pool
from dlcli.tasks.control.gymnasium.rows import EpisodeRows, SequentialRows
from dlcli.tasks.control.gymnasium.spaces import ActionDecoder, ObservationEncoder

_COMPARED_STEPS = 40  # steps over which both simulators must agree


class VectorizedRows(EpisodeRows):
    """All episodes of an environment with a `vector_entry_point`, stepped in one call.

    Gymnasium seeds a vector environment as a whole. In this class every row starts in the state of the single
    environment after a reset with the seed of the row, and finished rows are removed from the arrays.

    Args:
        vector: environment with `state` [value, row], `steps` and `prev_done` [row]; not modified.
        single: single environment of the same id.
        encode: encoder of observations.
        decode: decoder of actions.
        seeds: int64 [row].
    """

    def __init__(
        self,
        vector: gymnasium.vector.VectorEnv[Any, Any, Any],
        single: gymnasium.Env[Any, Any],
        encode: ObservationEncoder,
        decode: ActionDecoder,
        seeds: Tensor,
    ) -> None:
        super().__init__(encode)
        self._vector: Any = copy.copy(cast(Any, vector.unwrapped))
        self._vector.action_space = _AnyAction()
        self._single, self._decode, self._seeds = single, decode, seeds

    def reset(self) -> Tensor:
        distinct, which = self._seeds.unique(return_inverse=True)
        starts = [self._start(seed) for seed in distinct.tolist()]
        observations, states = (np.stack(column)[which.numpy()] for column in zip(*starts, strict=True))
        vector, count = self._vector, len(which)
        vector.num_envs, vector.state = count, np.ascontiguousarray(states.T)
        vector.steps, vector.prev_done = np.zeros(count, dtype=np.int32), np.zeros(count, dtype=bool)
        return self._begin(self._encode(observations))

    def _start(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        observation, _ = self._single.reset(seed=seed)
        return observation, np.array(self._single.unwrapped.state)  # type: ignore[attr-defined]

    def step(self, output: Tensor) -> Transition:
        observation, reward, ended, cut, _ = self._vector.step(self._decode(output))
        over = torch.from_numpy(ended | cut)
        return self._outcome(output, self._encode(observation), torch.from_numpy(reward).double(), over)

    def keep(self, rows: Tensor) -> None:
        remaining, vector = rows.numpy(), self._vector
        vector.num_envs, vector.state = len(remaining), vector.state[:, remaining]
        vector.steps, vector.prev_done = vector.steps[remaining], vector.prev_done[remaining]
        self._keep(rows)


class _AnyAction:
    """Action space that accepts any action, so that it need not be rebuilt when the number of rows changes."""

    def contains(self, action: Any) -> bool:
        return True


def matching_vector_env(
    pool: Pool, encode: ObservationEncoder, decode: ActionDecoder
) -> gymnasium.vector.VectorEnv[Any, Any, Any] | None:
    """Vector environment of an id, if there is one that reproduces the single environment bit by bit."""
    single: Any = pool.take()
    try:
        vector: Any = pool.make_vector()
        if vector.unwrapped.max_episode_steps != single.spec.max_episode_steps:
            return None
        vector.reset(seed=0)
        seeds = torch.tensor([3, 1, 2])
        one, other = SequentialRows(pool, encode, decode, seeds), VectorizedRows(vector, single, encode, decode, seeds)
        equal = _equal_episodes(one, other, decode.part.width)
        one.keep(seeds[:0])
        return vector if equal else None
    except Exception:  # noqa: BLE001 - no vectorized form, or one of another kind
        return None
    finally:
        pool.give(single)


def _equal_episodes(one: VectorEnvironment, other: VectorEnvironment, units: int) -> bool:
    """True if both simulators produce the same episodes until the first one ends."""
    if not torch.equal(one.reset(), other.reset()):
        return False
    random = torch.Generator().manual_seed(0)
    for _ in range(_COMPARED_STEPS):
        output = torch.randn(3, units, generator=random)
        a, b = one.step(output), other.step(output)
        if not (torch.equal(a.reward, b.reward) and torch.equal(a.over, b.over)):
            return False
        if not torch.equal(a.observation, b.observation):
            return False
        if a.over.any():
            return True
    return True
