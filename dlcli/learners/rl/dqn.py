"""Deep Q-learning (DQN) of stable-baselines3."""

from typing import Any

from stable_baselines3 import DQN
from torch import nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.spec import Classes
from dlcli.core.task import Task
from dlcli.learners.rl.action_space import ActionSpace, DiscreteActions, GridActions
from dlcli.learners.rl.agent import Agent
from dlcli.learners.rl.q_network import Gridded, QPolicy, q_network
from dlcli.learners.rl.sb3_policy import NO_FEATURE_LAYERS
from dlcli.learners.rl.vector_env import EpisodeVecEnv


class DQNAgent(Agent):
    """Deep Q-learning with a replay buffer, a target network and epsilon-greedy exploration.

    The model outputs the Q-values of the actions. For tasks with continuous actions the model must discretize them
    (`model=grid_policy`).

    Paper: Mnih et al. 2015, Nature 518; algorithm of stable-baselines3. Differs: Adam, gradient clipping by norm, Huber
    loss; rewards are not clipped.

    Args:
        lanes, steps_a_learn, scale: see `Agent`.
        lr: learning rate of Adam.
        replay: size of the replay buffer in transitions, in float32: a stack of Atari frames takes 113 kB.
        warmup: environment steps with random actions before the first update.
        batch: transitions per update.
        discount: discount factor, in (0, 1].
        every: steps of every environment between two rounds of updates.
        updates: updates per round.
        target_every: environment steps between two updates of the target network.
        explore_from, explore_to: initial and final epsilon (probability of a random action).
        explore_steps: environment steps of the linear decay of epsilon.
        clip: maximum norm of the gradient.
        seed: seed of all random numbers.

    Raises:
        UsageError: a number is out of range.
        Mismatch: the task has no episodes, its input is not one Real part, or its actions are continuous and the model
            does not discretize them.
    """

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        *,
        lanes: int,
        steps_a_learn: int,
        scale: float,
        lr: float,
        replay: int,
        warmup: int,
        batch: int,
        discount: float,
        every: int,
        updates: int,
        target_every: int,
        explore_from: float,
        explore_to: float,
        explore_steps: int,
        clip: float,
        seed: int,
    ) -> None:
        for name, number in {"lr": lr, "clip": clip}.items():
            if number <= 0:
                raise UsageError("invalid_value", key=f"learner.{name}", must="above 0", got=number)
        bounds = {
            "every": (every, 1), "updates": (updates, 1), "batch": (batch, 1), "target_every": (target_every, 1),
            "explore_steps": (explore_steps, 1), "replay": (replay, lanes),
        }  # fmt: skip
        for name, (count, least) in bounds.items():
            if count < least:
                raise UsageError("invalid_value", key=f"learner.{name}", must=f"at least {least}", got=count)
        settings: dict[str, Any] = {
            "learning_rate": lr, "buffer_size": replay, "learning_starts": warmup, "batch_size": batch,
            "gamma": discount, "train_freq": every, "gradient_steps": updates, "target_update_interval": target_every,
            "max_grad_norm": clip,
        }  # fmt: skip

        def make(lanes: EpisodeVecEnv) -> DQN:
            algorithm = DQN(
                QPolicy,
                lanes,
                policy_kwargs={**NO_FEATURE_LAYERS, "values": (q_network(model),)},
                device="cpu",
                **settings,
            )
            algorithm.exploration_schedule = lambda _: _interpolate(
                explore_from, explore_to, algorithm.num_timesteps / explore_steps
            )
            return algorithm

        action_space, size = q_actions(model, task), {"lanes": lanes, "steps_a_learn": steps_a_learn}
        super().__init__(model, task, action_space, make, **size, scale=scale, seed=seed, begin=_sync_target)


def q_actions(model: nn.Module, task: Task) -> ActionSpace:
    """Actions whose Q-values the model outputs.

    Raises:
        Mismatch: the actions are continuous, and the model does not discretize them.
    """
    if isinstance(task.spec.target, Classes):
        return DiscreteActions(task.spec.target.width)
    if not isinstance(model, Gridded):
        raise Mismatch(
            "mismatch",
            subject=f"learner=dqn on the continuous actions of {type(task).__name__}",
            requirement="a model that discretizes them",
            got=type(model).__name__,
            hint="model=grid_policy",
        )
    return GridActions(model.cells)


def _interpolate(begin: float, end: float, fraction: float) -> float:
    """Linear interpolation; the schedule of the library would restart with every `learn`."""
    return begin + (end - begin) * min(1.0, fraction)


def _sync_target(algorithm: DQN) -> None:
    algorithm.q_net_target.load_state_dict(algorithm.q_net.state_dict())
