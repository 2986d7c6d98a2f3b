"""An algorithm of stable-baselines3, one `learn(n)` a step."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.logger import Logger
from torch import nn

from dlcli.core.episode import Plays
from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.learner import Row
from dlcli.core.spec import Real
from dlcli.core.task import Recurrent, Task
from dlcli.learners.rl.action_space import Choice
from dlcli.learners.rl.episode_stream import Notes
from dlcli.learners.rl.sb3_rng import drawing
from dlcli.learners.rl.vector_env import Lanes

_BUILDING = 0xB0  # sets the draws of an algorithm's own networks apart from those of its steps


class Agent:
    """Its network is the task's policy, so that it is scored, kept and compared as any other model.

    Weights and optimizer are saved; running episodes and the replay memory are not, so a run cannot be resumed.
    A step's draws are a function of (seed, step) alone. Rows hold means over the step: of what the algorithm reports,
    and of the episodes that ended in it.

    Args:
        model: the policy, one Real input.
        task: episodes.
        choice: what the algorithm chooses from.
        make: the algorithm on these lanes, on the processor.
        lanes: episodes side by side.
        steps_a_learn: env steps of a step; the algorithm rounds up to whole rollouts, and what it took is counted.
        scale: what rewards are multiplied with before the algorithm sees them; rows tell of them as they are.
        seed: of all draws.
        begin: what the algorithm does before the first step: the model may have got other weights since it was made.
    """

    counters = ("env_steps", "updates", "episodes")
    resumable = False

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        choice: Choice,
        make: Callable[[Lanes], BaseAlgorithm],
        *,
        lanes: int,
        steps_a_learn: int,
        scale: float,
        seed: int,
        begin: Callable[[Any], None] = lambda algorithm: None,
    ) -> None:
        if lanes < 1 or steps_a_learn < 1:
            raise UsageError(f"learner.lanes and steps_a_learn are at least 1, not {lanes} and {steps_a_learn}")
        self._model, self._seed, self._number, self._size = model, seed, 0, steps_a_learn
        self._lanes = Lanes(*observed(model, task, type(self).__name__), lanes, choice, scale)
        self._begin, self._reports = begin, _Reports()
        with drawing(self._lanes.action_space, seed, _BUILDING):
            self._algorithm: Any = make(self._lanes)
        self._algorithm.set_logger(self._reports)

    @property
    def model(self) -> nn.Module:
        return self._model

    def step(self) -> Row:
        agent = self._algorithm
        before = agent.num_timesteps, agent._n_updates
        if not self._number:
            self._begin(agent)
        self._number += 1
        with drawing(self._lanes.action_space, self._seed, self._number):
            agent.learn(self._size, log_interval=None, reset_num_timesteps=False)
        reports, _ = self._reports.notes.drain()
        ends, episodes = self._lanes.notes.drain()
        counts = {
            "env_steps": agent.num_timesteps - before[0],
            "updates": agent._n_updates - before[1],
            "episodes": episodes.get("return", 0),
        }
        return Row({**reports, **ends}, counts)

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
        """Weights, optimizer and counts; episodes begin anew, and nothing is remembered of earlier ones."""
        agent = self._algorithm
        try:
            agent.policy.load_state_dict(state["policy"])
            agent.policy.optimizer.load_state_dict(state["optimizer"])
        except (RuntimeError, ValueError) as error:
            raise Mismatch(f"the checkpoint is another model's: {str(error).splitlines()[-1].strip()}") from None
        self._number, agent.num_timesteps, agent._n_updates = state["number"], state["env_steps"], state["updates"]


def observed(model: nn.Module, task: Task, learner: str) -> tuple[Plays, tuple[int, ...]]:
    """The task as one of episodes, and the shape of what is seen in them.

    Raises:
        Mismatch: it has no episodes, sees anything but one Real part of a fixed shape, or the model has a memory.
    """
    if not isinstance(task, Plays):
        raise Mismatch(f"{learner} plays episodes, and {type(task).__name__} has none\nOne that has: task=hard_maze")
    parts = task.spec.inputs
    if len(parts) != 1 or not isinstance(parts[0], Real) or None in parts[0].shape:
        raise Mismatch(f"{learner} sees one Real input of a fixed shape, not {task.spec.describe()}")
    if isinstance(model, Recurrent):
        raise Mismatch(f"{learner} trains policies without memory, and {type(model).__name__} has one")
    return task, tuple(axis for axis in parts[0].shape if axis is not None)


class _Reports(Logger):
    """What an algorithm says of itself, as notes; its times and settings are left out."""

    def __init__(self) -> None:
        super().__init__(None, [])
        self.notes = Notes()

    def record(self, key: str, value: Any, exclude: str | tuple[str, ...] | None = None) -> None:
        place, _, name = key.partition("/")
        if place in ("train", "rollout") and name not in ("n_updates", "learning_rate") and np.isfinite(value):
            self.notes.add({name: torch.as_tensor(float(value))})
