"""Color maps."""

import torch
from jaxtyping import Float
from torch import Tensor

Anchors = tuple[tuple[float, float, float], ...]

HEAT: Anchors = ((0.0, 0.0, 0.02), (0.30, 0.07, 0.42), (0.72, 0.22, 0.33), (0.97, 0.55, 0.09), (0.99, 0.98, 0.68))
"""From black over violet and orange to pale yellow, with increasing luminance."""
SIGNED: Anchors = ((0.05, 0.27, 0.55), (0.42, 0.64, 0.82), (1.0, 1.0, 1.0), (0.93, 0.55, 0.42), (0.66, 0.07, 0.15))
"""Diverging map: blue for low values, white at the center, red for high values."""
DEPTH: Anchors = ((1.0, 1.0, 1.0), (0.62, 0.79, 0.88), (0.19, 0.51, 0.74), (0.03, 0.19, 0.42))
"""From white to dark blue."""


def apply_colormap(values: Float[Tensor, "*axes"], anchors: Anchors) -> Float[Tensor, "*axes 3"]:
    """Map values in [0, 1] to RGB colors, by linear interpolation between equidistant anchors."""
    scale = torch.tensor(anchors)
    position = values.float().cpu().clamp(0, 1) * (len(anchors) - 1)
    low = position.floor().long().clamp(max=len(anchors) - 2)
    return torch.lerp(scale[low], scale[low + 1], (position - low)[..., None])
