"""The networks of Q-learning: a model of ours, and a copy of it."""

import copy
from typing import Any, Protocol, runtime_checkable

from stable_baselines3.dqn.policies import DQNPolicy, QNetwork
from torch import Tensor, nn


@runtime_checkable
class Gridded(Protocol):
    """A policy of real values that takes one of some cells: that of the highest q. `cells` is [action, unit]."""

    cells: Tensor

    def q(self, x: Tensor) -> Tensor:
        """[batch, *input] to [batch, action]."""


class _Q(nn.Module):
    """The values that a model of cells chooses by."""

    def __init__(self, model: Gridded) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        return self.model.q(x)


def q_network(model: nn.Module) -> nn.Module:
    """What answers with the value of each action: a model of scores itself, or what a model of cells chooses by."""
    return _Q(model) if isinstance(model, Gridded) else model


class Values(DQNPolicy):
    """The library's policy around a model of ours and a copy of it, the target network."""

    def __init__(self, *given: Any, values: tuple[nn.Module], **more: Any) -> None:
        self._values = list(values)  # no module yet: those may not be set before Module's constructor
        super().__init__(*given, **more)

    def make_q_net(self) -> QNetwork:
        net = super().make_q_net()
        own = self._values[0]
        net.register_module("q_net", copy.deepcopy(own) if hasattr(self, "q_net") else own)
        return net
