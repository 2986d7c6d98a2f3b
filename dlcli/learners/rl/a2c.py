"""Advantage actor-critic through stable-baselines3."""

import math
from collections.abc import Sequence
from typing import Any

from stable_baselines3 import A2C
from stable_baselines3.common.policies import ActorCriticPolicy
from torch import nn

from dlcli.core.errors import UsageError
from dlcli.core.spec import Classes
from dlcli.core.task import Task
from dlcli.learners.rl.action_space import Choice, OneOf, Values
from dlcli.learners.rl.agent import Agent
from dlcli.learners.rl.sb3_policy import AS_IT_IS, Critic
from dlcli.learners.rl.vector_env import Lanes


class A2CAgent(Agent):
    """A3C's synchronous form: all lanes take `rollout` steps, then one update descends the mean of their losses.

    The model answers the scores of actions, or the means of Gaussian actions, and is played without their noise. The
    values come from a network of their own.

    Paper: Mnih et al. 2016, arXiv:1602.01783, section 4; algorithm of stable-baselines3. Differs: synchronous, and
    actor and critic share no layer.

    Args:
        lanes, steps_a_learn, scale: see `Agent`.
        lr: of RMSProp (decay 0.99, epsilon 1e-5).
        rollout: steps of every lane an update.
        discount: of later rewards, in (0, 1].
        trace: lambda of generalised advantage estimation; 1 is the paper's return of `rollout` steps.
        entropy: what the entropy of actions counts in the loss.
        value: what the critic's squared error counts.
        clip: largest norm of a gradient.
        deviation: standard deviation of Gaussian actions at the start; it is learned.
        critic: widths of the critic's hidden layers.
        seed: of all draws.

    Raises:
        UsageError: a number is out of range.
        Mismatch: the task has no episodes, or not one Real input.
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
        if min(lr, deviation, clip) <= 0 or rollout < 1:
            raise UsageError("learner.lr, deviation and clip are above 0, and rollout is at least 1")
        parts = {**AS_IT_IS, "actor": (model,), "critic": critic, "log_std_init": math.log(deviation)}
        settings: dict[str, Any] = {
            "learning_rate": lr, "n_steps": rollout, "gamma": discount, "gae_lambda": trace, "ent_coef": entropy,
            "vf_coef": value, "max_grad_norm": clip,
        }  # fmt: skip

        def make(lanes: Lanes) -> A2C:
            return A2C(_ActorCritic, lanes, policy_kwargs=parts, device="cpu", **settings)

        target = task.spec.target
        choice: Choice = OneOf(target.width) if isinstance(target, Classes) else Values(target.width)
        super().__init__(model, task, choice, make, lanes=lanes, steps_a_learn=steps_a_learn, scale=scale, seed=seed)


class _ActorCritic(ActorCriticPolicy):
    """The library's policy around a model of ours and a critic."""

    def __init__(self, *given: Any, actor: tuple[nn.Module], critic: Sequence[int], **more: Any) -> None:
        self._actor, self._hidden = actor, critic  # a tuple: modules may not be set before Module's constructor
        super().__init__(*given, **more)

    def _build(self, lr_schedule: Any) -> None:
        super()._build(lr_schedule)
        self.register_module("action_net", self._actor[0])
        self.register_module("value_net", Critic(self.features_dim, hidden=self._hidden))
        make: Any = self.optimizer_class
        self.optimizer = make(self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs)
