"""Deep Q-learning through stable-baselines3."""

from typing import Any

from stable_baselines3 import DQN
from torch import nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.spec import Classes
from dlcli.core.task import Task
from dlcli.learners.rl.action_space import Cell, Choice, OneOf
from dlcli.learners.rl.agent import Agent
from dlcli.learners.rl.q_network import Gridded, Values, q_network
from dlcli.learners.rl.sb3_policy import AS_IT_IS
from dlcli.learners.rl.vector_env import Lanes


class DQNAgent(Agent):
    """Q-learning from a replay memory with a target network; actions are the best ones, or random for exploration.

    The model's answers are the values of actions. Where the task wants real values the model chooses among cells of
    them (`model=grid_policy`).

    Paper: Mnih et al. 2015, Nature 518; algorithm of stable-baselines3. Differs: Adam, gradients clipped by their
    norm, the Huber loss; rewards are not clipped.

    Args:
        lanes, steps_a_learn, scale: see `Agent`.
        lr: of Adam.
        replay: transitions that are remembered, in float32: a stack of Atari's screens takes 113 kB.
        warmup: env steps with random actions before the first update.
        batch: transitions of an update.
        discount: of later rewards, in (0, 1].
        every: steps of every lane between two rounds of updates.
        updates: of a round.
        target_every: env steps between two copies into the target network.
        explore_from, explore_to: probability of a random action at the start, and from `explore_steps` on.
        explore_steps: env steps in which it falls, evenly.
        clip: largest norm of a gradient.
        seed: of all draws.

    Raises:
        UsageError: a number is out of range.
        Mismatch: the task has no episodes, or not one Real input, or wants real values that the model has no cells of.
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
        if min(lr, clip) <= 0 or min(every, updates, batch, target_every, explore_steps) < 1 or replay < lanes:
            raise UsageError(
                "learner.lr and clip are above 0; every, updates, batch, target_every and explore_steps at least 1, "
                "and replay not below lanes"
            )
        settings: dict[str, Any] = {
            "learning_rate": lr, "buffer_size": replay, "learning_starts": warmup, "batch_size": batch,
            "gamma": discount, "train_freq": every, "gradient_steps": updates, "target_update_interval": target_every,
            "max_grad_norm": clip,
        }  # fmt: skip

        def make(lanes: Lanes) -> DQN:
            made = DQN(
                Values, lanes, policy_kwargs={**AS_IT_IS, "values": (q_network(model),)}, device="cpu", **settings
            )
            made.exploration_schedule = lambda _: _between(explore_from, explore_to, made.num_timesteps / explore_steps)
            return made

        choice, size = chosen(model, task), {"lanes": lanes, "steps_a_learn": steps_a_learn}
        super().__init__(model, task, choice, make, **size, scale=scale, seed=seed, begin=_copied)


def chosen(model: nn.Module, task: Task) -> Choice:
    """The actions whose values the model knows.

    Raises:
        Mismatch: the task wants real values, and the model has no cells of them.
    """
    if isinstance(task.spec.target, Classes):
        return OneOf(task.spec.target.width)
    if not isinstance(model, Gridded):
        raise Mismatch(
            f"DQNAgent chooses among actions, and {type(task).__name__} wants real values: a model with cells of them, "
            f"model=grid_policy, not {type(model).__name__}"
        )
    return Cell(model.cells)


def _between(begin: float, end: float, part: float) -> float:
    """From begin to end in a part of the way. The library's own schedule would begin anew with every `learn`."""
    return begin + (end - begin) * min(1.0, part)


def _copied(made: DQN) -> None:
    made.q_net_target.load_state_dict(made.q_net.state_dict())
