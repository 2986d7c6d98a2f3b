"""Spatial transformer network."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.core.learner import Artifact, Image
from dlcli.core.spec import Real, Spec
from dlcli.core.task import Batch
from dlcli.nn.checks import at_least
from dlcli.nn.image_grid import make_grid
from dlcli.nn.shapes import image_shape
from dlcli.nn.warp.initialization import WARP_INITS
from dlcli.nn.warp.sampling import Warp, sample_bilinear

_SHOWN = 96  # approximate side of a displayed image in pixels
_TOP, _OTHERS = (1.0, 0.6, 0.1), (0.2, 0.6, 1.0)  # orange for the edge that becomes the top edge, blue for others


class SpatialTransformer(nn.Module):
    """Spatial transformer: a localization network predicts a warp, and the body classifies the warped image.

    Paper: Jaderberg et al. 2015, arXiv:1506.02025, section 3. Differs: a single transformer, before the body.

    Args:
        spec: one image (channel, height, width) with any number of channels; target of one position.
        body: factory of the classifier from its spec, any image model.
        localiser: factory of the localization network from its spec, any image model.
        hidden: output width of the localization network, from which a linear layer regresses the warp parameters.
        warp: factory of the warp, called with the height and width of its output.
        size: (height, width) of the warped image; None for the size of the input.
        warp_init: initialization of the regression layer: "identity", or "random" (PyTorch's default).

    Raises:
        UsageError: a hyper-parameter is out of range.
        Mismatch: the input is not an image, or body or localization network cannot process it.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        body: Callable[[Spec], nn.Module],
        localiser: Callable[[Spec], nn.Module],
        hidden: int,
        warp: Callable[[int, int], Warp],
        size: Sequence[int] | None,
        warp_init: Literal["identity", "random"],
    ) -> None:
        super().__init__()
        at_least(1, hidden=hidden)
        channel, *sides = image_shape(spec, "SpatialTransformer")
        height, width = _sides(size or sides)
        self.localiser = localiser(Spec(spec.inputs, Real((hidden,)), spec.given))
        self.warp = warp(height, width)
        self.regression = nn.Linear(hidden, len(self.warp.identity))
        WARP_INITS[warp_init](self.regression, self.warp.identity)
        self.body = body(Spec((Real((channel, height, width)),), spec.target, spec.given))

    def sampling_grid(self, x: Float[Tensor, "batch channel rows columns"]) -> Float[Tensor, "batch height width 2"]:
        """Position in the input from which each pixel of the warped image is sampled."""
        return self.warp(self.regression(self.localiser(x).relu()))

    def forward(self, x: Float[Tensor, "batch channel rows columns"]) -> Float[Tensor, "batch unit"]:
        return self.body(sample_bilinear(x, self.sampling_grid(x)))

    def depict(self, batch: Batch) -> Mapping[str, Artifact]:
        """`warps`: images with the outline of the sampling grid, beside the warped images.

        The orange edge of the outline becomes the top edge.
        """
        (x,) = batch.inputs
        grid = self.sampling_grid(x)
        scale = max(1, _SHOWN // max(x.shape[2:]))
        before, after = draw_outline(x, grid, scale=scale), to_rgb(sample_bilinear(x, grid), scale)
        sides = [max(pair) for pair in zip(before.shape[2:], after.shape[2:], strict=True)]
        pairs = torch.stack([_padded(images, *sides) for images in (before, after)], 1).flatten(0, 1)
        return {"warps": Image(make_grid(pairs, columns=8, scale=1))}


def _sides(size: Sequence[int]) -> tuple[int, int]:
    if len(size) != 2 or not all(isinstance(side, int) and side > 0 for side in size):
        must = "two positive integers (height, width)"
        raise UsageError("invalid_value", key="model.size", must=must, got=list(size))
    return size[0], size[1]


def _padded(images: Tensor, height: int, width: int) -> Tensor:
    """Pad with gray at the bottom and right."""
    return F.pad(images, (0, width - images.shape[3], 0, height - images.shape[2]), value=0.5)


def to_rgb(images: Float[Tensor, "n channel height width"], scale: int) -> Float[Tensor, "n 3 rows line"]:
    """RGB images enlarged by the integer factor `scale`; the channel mean if there are not three channels."""
    if images.shape[1] != 3:
        images = images.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    return images.clamp(0, 1).repeat_interleave(scale, 2).repeat_interleave(scale, 3)


def draw_outline(
    images: Float[Tensor, "n channel rows columns"], grid: Float[Tensor, "n height width 2"], *, scale: int
) -> Float[Tensor, "n 3 large_rows large_columns"]:
    """Enlarged images with the outline of the sampling grid: orange along its first row, blue along the other edges."""
    large = to_rgb(images, scale)
    sides = ((grid[:, -1], _OTHERS), (grid[:, :, 0], _OTHERS), (grid[:, :, -1], _OTHERS), (grid[:, 0], _TOP))
    for line, color in sides:
        _draw_line(large, line, large.new_tensor(color))
    return large


def _draw_line(large: Float[Tensor, "n 3 rows columns"], line: Float[Tensor, "n point 2"], color: Tensor) -> None:
    """Draw a polyline in place, clipped to the image."""
    _, _, rows, columns = large.shape
    size = large.new_tensor([columns, rows])
    dense = F.interpolate(line.mT, size=4 * max(rows, columns), mode="linear", align_corners=True)
    pixels = ((dense.mT + 1) / 2 * size).floor()
    inside = ((pixels >= 0) & (pixels < size)).all(-1)
    image = torch.arange(len(large), device=large.device)[:, None].expand_as(inside)
    column, row = pixels[inside].long().unbind(-1)
    large[image[inside], :, row, column] = color
