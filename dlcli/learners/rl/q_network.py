"""Networks of Q-learning: the model and its copy, the target network."""

import copy
from typing import Any, Protocol, runtime_checkable

from stable_baselines3.dqn.policies import DQNPolicy, QNetwork
from torch import Tensor, nn


@runtime_checkable
class Gridded(Protocol):
    """Policy on a discretized continuous action space: takes the grid point (`cells` [action, unit]) of maximal Q."""

    cells: Tensor

    def q(self, x: Tensor) -> Tensor:
        """Q-values: [batch, *input] to [batch, action]."""


class _GridQ(nn.Module):
    """Q-values of a `Gridded` model."""

    def __init__(self, model: Gridded) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        return self.model.q(x)


def q_network(model: nn.Module) -> nn.Module:
    """Network that outputs the Q-value of each action: the model itself, or the Q-values of a `Gridded` model."""
    return _GridQ(model) if isinstance(model, Gridded) else model


class QPolicy(DQNPolicy):
    """Policy of stable-baselines3 with the model as Q-network and its copy as target network."""

    def __init__(self, *args: Any, values: tuple[nn.Module], **kwargs: Any) -> None:
        self._values = list(values)  # a list: modules cannot be assigned before Module.__init__
        super().__init__(*args, **kwargs)

    def make_q_net(self) -> QNetwork:
        net = super().make_q_net()
        model = self._values[0]
        net.register_module("q_net", copy.deepcopy(model) if hasattr(self, "q_net") else model)
        return net
