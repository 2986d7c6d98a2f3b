"""Advantage actor-critic (A2C) of stable-baselines3."""

import math
from collections.abc import Sequence
from typing import Any

from stable_baselines3 import A2C
from stable_baselines3.common.policies import ActorCriticPolicy
from torch import nn

from dlcli.core.errors import UsageError
from dlcli.core.spec import Classes
from dlcli.core.task import Task
from dlcli.learners.rl.action_space import ActionSpace, ContinuousActions, DiscreteActions
from dlcli.learners.rl.agent import Agent
from dlcli.learners.rl.sb3_policy import NO_FEATURE_LAYERS, Critic
from dlcli.learners.rl.vector_env import EpisodeVecEnv


class A2CAgent(Agent):
    """Synchronous advantage actor-critic: `rollout` steps of all parallel environments per update.

    The model outputs action scores, or the means of Gaussian actions, and is evaluated without action noise. The critic
    is a separate network.

    Paper: Mnih et al. 2016, arXiv:1602.01783, section 4 (A3C); algorithm of stable-baselines3. Differs: synchronous;
    actor and critic share no layers.

    Args:
        lanes, steps_a_learn, scale: see `Agent`.
        lr: learning rate of RMSProp (decay 0.99, epsilon 1e-5).
        rollout: steps of every environment per update.
        discount: discount factor, in (0, 1].
        trace: lambda of generalized advantage estimation; 1 is the n-step return of the paper with n = `rollout`.
        entropy: weight of the entropy bonus in the loss.
        value: weight of the squared error of the critic in the loss.
        clip: maximum norm of the gradient.
        deviation: initial standard deviation of Gaussian actions, which is trained.
        critic: widths of the hidden layers of the critic.
        seed: seed of all random numbers.

    Raises:
        UsageError: a number is out of range.
        Mismatch: the task has no episodes, or its input is not one Real part.
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
        rollout: int,
        discount: float,
        trace: float,
        entropy: float,
        value: float,
        clip: float,
        deviation: float,
        critic: Sequence[int],
        seed: int,
    ) -> None:
        for name, number in {"lr": lr, "deviation": deviation, "clip": clip}.items():
            if number <= 0:
                raise UsageError("invalid_value", key=f"learner.{name}", must="above 0", got=number)
        if rollout < 1:
            raise UsageError("invalid_value", key="learner.rollout", must="at least 1", got=rollout)
        policy_options = {**NO_FEATURE_LAYERS, "actor": (model,), "critic": critic, "log_std_init": math.log(deviation)}
        settings: dict[str, Any] = {
            "learning_rate": lr, "n_steps": rollout, "gamma": discount, "gae_lambda": trace, "ent_coef": entropy,
            "vf_coef": value, "max_grad_norm": clip,
        }  # fmt: skip

        def make(lanes: EpisodeVecEnv) -> A2C:
            return A2C(_ActorCritic, lanes, policy_kwargs=policy_options, device="cpu", **settings)

        target = task.spec.target
        action_space: ActionSpace = (
            DiscreteActions(target.width) if isinstance(target, Classes) else ContinuousActions(target.width)
        )
        super().__init__(
            model, task, action_space, make, lanes=lanes, steps_a_learn=steps_a_learn, scale=scale, seed=seed
        )


class _ActorCritic(ActorCriticPolicy):
    """Policy of stable-baselines3 with the model as actor, and a critic."""

    def __init__(self, *args: Any, actor: tuple[nn.Module], critic: Sequence[int], **kwargs: Any) -> None:
        self._actor, self._hidden = actor, critic  # a tuple: modules cannot be assigned before Module.__init__
        super().__init__(*args, **kwargs)

    def _build(self, lr_schedule: Any) -> None:
        super()._build(lr_schedule)
        self.register_module("action_net", self._actor[0])
        self.register_module("value_net", Critic(self.features_dim, hidden=self._hidden))
        make: Any = self.optimizer_class
        self.optimizer = make(self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs)
