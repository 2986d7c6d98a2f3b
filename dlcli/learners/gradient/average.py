"""Exponential moving average of weights."""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from dlcli.core.errors import UsageError


class Average:
    """Copy of a model whose parameters are an exponential moving average over the steps.

    After the first step the average equals the weights; after each further step it is
    decay * average + (1 - decay) * weights. Buffers (batch statistics, counters) are those of the model itself.

    Source: Tarvainen & Valpola 2017, arXiv:1703.01780, section 2; torch.optim.swa_utils.AveragedModel.

    Args:
        model: module whose weights are averaged.
        decay: in [0, 1).

    Raises:
        UsageError: the decay is out of range.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        if not 0 <= decay < 1:
            raise UsageError("invalid_value", key="learner.average", must="null or in [0, 1)", got=decay)
        self.decay = decay
        self.model = copy.deepcopy(model).requires_grad_(False)
        self._steps = 0

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Add the weights of one step."""
        own: list[torch.Tensor] = list(self.model.parameters())
        new: list[torch.Tensor] = list(model.parameters())
        if self._steps == 0:
            torch._foreach_copy_(own, new)
        else:
            torch._foreach_lerp_(own, new, 1 - self.decay)
        for buffer, value in zip(self.model.buffers(), model.buffers(), strict=True):
            buffer.copy_(value)
        self._steps += 1

    def state_dict(self) -> dict[str, Any]:
        return {"model": self.model.state_dict(), "steps": self._steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self._steps = state["steps"]
