"""Base class of learners around the algorithms of stable-baselines3; one `learn(n)` per step."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.logger import Logger
from torch import nn

from dlcli.core.episode import PlayableTask
from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.learner import Row
from dlcli.core.spec import Real
from dlcli.core.task import Recurrent, Task
from dlcli.learners.rl.action_space import ActionSpace
from dlcli.learners.rl.episode_stream import MeanAccumulator
from dlcli.learners.rl.sb3_rng import seeded
from dlcli.learners.rl.vector_env import EpisodeVecEnv

_INIT_KEY = 0xB0  # random stream of the initialization of the algorithm's networks


class Agent:
    """Learner around an algorithm of stable-baselines3 whose network is the model.

    The model is evaluated, saved and compared like any other model. Weights and optimizer are saved; running episodes
    and the replay buffer are not, so a run cannot be resumed. The random numbers of a step are a function of (seed,
    step). Rows contain means over the step of the values logged by the algorithm and of the finished episodes.

    Args:
        model: the policy, with one Real input.
        task: episodes.
        action_space: action space of the algorithm.
        make: factory of the algorithm from the vector environment, on the CPU.
        lanes: number of parallel episodes.
        steps_a_learn: environment steps per step; the algorithm rounds up to complete rollouts, which are counted.
        scale: factor of the rewards of the algorithm; logged returns are not scaled.
        seed: seed of all random numbers.
        begin: called with the algorithm before the first step, as the weights may have changed since its construction.
    """

    counters = ("env_steps", "updates", "episodes")
    resumable = False
    precisions = ("float32",)  # of stable-baselines3

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        action_space: ActionSpace,
        make: Callable[[EpisodeVecEnv], BaseAlgorithm],
        *,
        lanes: int,
        steps_a_learn: int,
        scale: float,
        seed: int,
        begin: Callable[[Any], None] = lambda algorithm: None,
    ) -> None:
        if lanes < 1 or steps_a_learn < 1:
            name, number = ("lanes", lanes) if lanes < 1 else ("steps_a_learn", steps_a_learn)
            raise UsageError("invalid_value", key=f"learner.{name}", must="at least 1", got=number)
        self._model, self._seed, self._number, self._size = model, seed, 0, steps_a_learn
        self._environments = EpisodeVecEnv(*episodic_task(model, task, type(self).__name__), lanes, action_space, scale)
        self._on_start, self._logger = begin, _MeanLogger()
        with seeded(self._environments.action_space, seed, _INIT_KEY):
            self._algorithm: Any = make(self._environments)
        self._algorithm.set_logger(self._logger)

    @property
    def model(self) -> nn.Module:
        return self._model

    def step(self) -> Row:
        agent = self._algorithm
        before = agent.num_timesteps, agent._n_updates
        if not self._number:
            self._on_start(agent)
        self._number += 1
        with seeded(self._environments.action_space, self._seed, self._number):
            agent.learn(self._size, log_interval=None, reset_num_timesteps=False)
        reports, _ = self._logger.means.drain()
        ends, episodes = self._environments.means.drain()
        counts = {
            "env_steps": agent.num_timesteps - before[0],
            "updates": agent._n_updates - before[1],
            "episodes": episodes.get("return", 0),
        }
        losses = tuple(name for name in reports if name.endswith("loss"))  # as stable-baselines3 names them
        return Row({**reports, **ends}, counts, optimized=losses)

    def state_dict(self) -> dict[str, Any]:
        agent = self._algorithm
        return {
            "policy": agent.policy.state_dict(),
            "optimizer": agent.policy.optimizer.state_dict(),
            "number": self._number,
            "env_steps": agent.num_timesteps,
            "updates": agent._n_updates,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore weights, optimizer and counters; episodes restart, and the replay buffer is empty."""
        agent = self._algorithm
        try:
            agent.policy.load_state_dict(state["policy"])
            agent.policy.optimizer.load_state_dict(state["optimizer"])
        except (RuntimeError, ValueError) as error:
            raise Mismatch("damaged", path="the checkpoint", problem=str(error).splitlines()[-1].strip()) from None
        self._number, agent.num_timesteps, agent._n_updates = state["number"], state["env_steps"], state["updates"]


def episodic_task(model: nn.Module, task: Task, learner: str) -> tuple[PlayableTask, tuple[int, ...]]:
    """The task as an episodic task, and the shape of its observations.

    Raises:
        Mismatch: the task has no episodes, its input is not one Real part of a fixed shape, or the model is recurrent.
    """
    if not isinstance(task, PlayableTask):
        hint = "use task=gymnasium, task=atari or task=hard_maze"
        raise Mismatch(
            "mismatch", subject=learner, requirement="a task with episodes", got=type(task).__name__, hint=hint
        )
    parts = task.spec.inputs
    if len(parts) != 1 or not isinstance(parts[0], Real) or None in parts[0].shape:
        requirement = "one Real input of a fixed shape"
        raise Mismatch("mismatch", subject=learner, requirement=requirement, got=task.spec.describe())
    if isinstance(model, Recurrent):
        raise Mismatch("unsupported", subject=learner, feature=f"recurrent policies ({type(model).__name__})")
    return task, tuple(axis for axis in parts[0].shape if axis is not None)


class _MeanLogger(Logger):
    """Logger that accumulates the values logged by an algorithm, without times and settings."""

    def __init__(self) -> None:
        super().__init__(None, [])
        self.means = MeanAccumulator()

    def record(self, key: str, value: Any, exclude: str | tuple[str, ...] | None = None) -> None:
        group, _, name = key.partition("/")
        if group in ("train", "rollout") and name not in ("n_updates", "learning_rate") and np.isfinite(value):
            self.means.add({name: torch.as_tensor(float(value))})
