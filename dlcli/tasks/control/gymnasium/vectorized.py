"""Gymnasium's environments that step all episodes in one call."""

import copy
from typing import Any, cast

import gymnasium
import numpy as np
import torch
from torch import Tensor

from dlcli.tasks.control.episode_loop import Outcome, Simulator
from dlcli.tasks.control.gymnasium.pool import Pool
from dlcli.tasks.control.gymnasium.rows import OneByOne, Rows
from dlcli.tasks.control.gymnasium.spaces import Hand, Sight

_REHEARSED = 40  # steps that both kinds of simulator must play alike


class Vectorised(Rows):
    """An environment that steps all rows in one call, as its own `vector_entry_point` does.

    Gymnasium seeds such a one as a whole. Here every row starts in the state that the single environment has after a
    reset with the row's seed, and a row whose episode is over leaves the arrays.

    Args:
        vector: with `state` [value, row], `steps` and `prev_done` [row]; left as it is.
        single: of the same id.
        seeds: int64 [row].
    """

    def __init__(
        self,
        vector: gymnasium.vector.VectorEnv[Any, Any, Any],
        single: gymnasium.Env[Any, Any],
        sight: Sight,
        hand: Hand,
        seeds: Tensor,
    ) -> None:
        super().__init__(sight)
        self._vector: Any = copy.copy(cast(Any, vector.unwrapped))
        self._vector.action_space = _Taken()
        self._single, self._hand, self._seeds = single, hand, seeds

    def reset(self) -> Tensor:
        distinct, which = self._seeds.unique(return_inverse=True)
        starts = [self._start(seed) for seed in distinct.tolist()]
        observations, states = (np.stack(column)[which.numpy()] for column in zip(*starts, strict=True))
        vector, count = self._vector, len(which)
        vector.num_envs, vector.state = count, np.ascontiguousarray(states.T)
        vector.steps, vector.prev_done = np.zeros(count, dtype=np.int32), np.zeros(count, dtype=bool)
        return self._begin(self._sight(observations))

    def _start(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        observation, _ = self._single.reset(seed=seed)
        return observation, np.array(self._single.unwrapped.state)  # type: ignore[attr-defined]

    def step(self, output: Tensor) -> Outcome:
        observation, reward, ended, cut, _ = self._vector.step(self._hand(output))
        over = torch.from_numpy(ended | cut)
        return self._outcome(output, self._sight(observation), torch.from_numpy(reward).double(), over)

    def keep(self, rows: Tensor) -> None:
        kept, vector = rows.numpy(), self._vector
        vector.num_envs, vector.state = len(kept), vector.state[:, kept]
        vector.steps, vector.prev_done = vector.steps[kept], vector.prev_done[kept]
        self._keep(rows)


class _Taken:
    """Stands for the action space, which would have to be made anew whenever a row leaves: actions are chosen in it."""

    def contains(self, action: Any) -> bool:
        return True


def vector_of(pool: Pool, sight: Sight, hand: Hand) -> gymnasium.vector.VectorEnv[Any, Any, Any] | None:
    """The vectorised environment of an id, if there is one that plays as the single one does, to the bit."""
    single: Any = pool.take()
    try:
        vector: Any = pool.make_vector()
        if vector.unwrapped.max_episode_steps != single.spec.max_episode_steps:
            return None
        vector.reset(seed=0)
        seeds = torch.tensor([3, 1, 2])
        one, other = OneByOne(pool, sight, hand, seeds), Vectorised(vector, single, sight, hand, seeds)
        alike = _rehearse(one, other, hand.part.width)
        one.keep(seeds[:0])
        return vector if alike else None
    except Exception:  # noqa: BLE001 (no vectorised form, or another kind of one: the list plays everything)
        return None
    finally:
        pool.give(single)


def _rehearse(one: Simulator, other: Simulator, units: int) -> bool:
    """Whether both play the same episodes until one of them ends."""
    if not torch.equal(one.reset(), other.reset()):
        return False
    random = torch.Generator().manual_seed(0)
    for _ in range(_REHEARSED):
        output = torch.randn(3, units, generator=random)
        a, b = one.step(output), other.step(output)
        if not (torch.equal(a.reward, b.reward) and torch.equal(a.over, b.over)):
            return False
        if not torch.equal(a.observation, b.observation):
            return False
        if a.over.any():
            return True
    return True
