"""The spatial transformer: a network that turns the image its own way before it looks."""

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.core.learner import Image, Leaf
from dlcli.core.spec import Real, Spec
from dlcli.core.task import Batch
from dlcli.nn.checks import at_least
from dlcli.nn.shapes import image_shape
from dlcli.nn.image_grid import make_grid
from dlcli.models.image.spatial_transformer import to_rgb, draw_outline
from dlcli.nn.warp.sampling import Warp, sample_bilinear
from dlcli.nn.warp.initialization import WarpInit

_SHOWN = 96  # pixels that an image is shown with, a side


class SpatialTransformer(nn.Module):
    """A localiser sees the image and answers with a warp; the body sees the warped image alone.

    Paper: Jaderberg et al. 2015, arXiv:1506.02025, section 3. Differs: one transformer, in front of the body.

    Args:
        spec: one image (channel, height, width) with any number of channels; target of one position.
        body: makes the network that answers, any image model, from its spec.
        localiser: makes the network that looks for the warp, any image model, from its spec.
        hidden: values that the localiser answers with, from which a linear layer makes the warp's parameters.
        warp: makes the warp from the height and width of its output.
        size: height and width of what the body sees; None is the size of the input.
        start: sets the warp that training begins with.

    Raises:
        UsageError: a number is out of range.
        Mismatch: the input is no image, or body or localiser cannot read it.
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
        start: WarpInit,
    ) -> None:
        super().__init__()
        at_least(1, hidden=hidden)
        channel, *sides = image_shape(spec, "SpatialTransformer")
        height, width = _sides(size or sides)
        self.localiser = localiser(Spec(spec.inputs, Real((hidden,)), spec.given))
        self.warp = warp(height, width)
        self.regression = nn.Linear(hidden, len(self.warp.identity))
        start(self.regression, self.warp.identity)
        self.body = body(Spec((Real((channel, height, width)),), spec.target, spec.given))

    def places(self, x: Float[Tensor, "batch channel rows columns"]) -> Float[Tensor, "batch height width 2"]:
        """Where in the image each pixel that the body sees is taken from."""
        return self.warp(self.regression(self.localiser(x).relu()))

    def forward(self, x: Float[Tensor, "batch channel rows columns"]) -> Float[Tensor, "batch unit"]:
        return self.body(sample_bilinear(x, self.places(x)))

    def depict(self, batch: Batch) -> Mapping[str, Leaf]:
        """`warps`: images with the outline of what is taken of them, and what the body sees, side by side.

        The orange side of the outline becomes the upper one.
        """
        (x,) = batch.inputs
        places = self.places(x)
        scale = max(1, _SHOWN // max(x.shape[2:]))
        before, after = draw_outline(x, places, scale=scale), to_rgb(sample_bilinear(x, places), scale)
        sides = [max(pair) for pair in zip(before.shape[2:], after.shape[2:], strict=True)]
        pairs = torch.stack([_grown(images, *sides) for images in (before, after)], 1).flatten(0, 1)
        return {"warps": Image(make_grid(pairs, columns=8, scale=1))}


def _sides(size: Sequence[int]) -> tuple[int, int]:
    if len(size) != 2 or not all(isinstance(side, int) and side > 0 for side in size):
        raise UsageError(f"model.size is height and width, each a whole number above 0, not {list(size)}")
    return size[0], size[1]


def _grown(images: Tensor, height: int, width: int) -> Tensor:
    """With grey below and to the right."""
    return F.pad(images, (0, width - images.shape[3], 0, height - images.shape[2]), value=0.5)
