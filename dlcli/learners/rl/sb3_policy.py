"""Parts of stable-baselines3 policies: an identity feature extractor and a critic."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn


class IdentityExtractor(BaseFeaturesExtractor):
    """Feature extractor that returns observations unchanged, in their shape."""

    def __init__(self, space: spaces.Box) -> None:
        super().__init__(space, max(1, int(torch.Size(space.shape).numel())))

    def forward(self, x: Tensor) -> Tensor:
        return x


NO_FEATURE_LAYERS: dict[str, Any] = {
    "net_arch": [],
    "features_extractor_class": IdentityExtractor,
    "normalize_images": False,
}
"""Keyword arguments of a policy without layers before the model."""


class Critic(nn.Sequential):
    """State-value network: tanh layers on the flattened observation, [batch, *shape] to [batch, 1].

    Args:
        inputs: number of elements of an observation.
        hidden: widths of the hidden layers.
    """

    def __init__(self, inputs: int, *, hidden: Sequence[int]) -> None:
        widths = (inputs, *hidden)
        layers = [layer for fan_in, fan_out in pairwise(widths) for layer in (nn.Linear(fan_in, fan_out), nn.Tanh())]
        super().__init__(nn.Flatten(), *layers, nn.Linear(widths[-1], 1))
