"""What policies of stable-baselines3 are made of here: observations as they are, and a small network of values."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn


class Unchanged(BaseFeaturesExtractor):
    """Observations in their own shape: the model reads them as it does elsewhere."""

    def __init__(self, space: spaces.Box) -> None:
        super().__init__(space, max(1, int(torch.Size(space.shape).numel())))

    def forward(self, x: Tensor) -> Tensor:
        return x


AS_IT_IS: dict[str, Any] = {"net_arch": [], "features_extractor_class": Unchanged, "normalize_images": False}
"""Keywords of a policy that adds no layer of its own in front of the model."""


class Critic(nn.Sequential):
    """The value of an observation: tanh layers over all of it, [batch, *shape] to [batch, 1].

    Args:
        inputs: values of an observation.
        hidden: width of each layer.
    """

    def __init__(self, inputs: int, *, hidden: Sequence[int]) -> None:
        widths = (inputs, *hidden)
        layers = [part for wide, narrow in pairwise(widths) for part in (nn.Linear(wide, narrow), nn.Tanh())]
        super().__init__(nn.Flatten(), *layers, nn.Linear(widths[-1], 1))
