"""Antialiased lines and discs on an image."""

import torch
from torch import Tensor

Color = tuple[float, float, float]


class Canvas:
    """Image with a coordinate system; y points down.

    Args:
        left, top, right, bottom: visible range of coordinates.
        scale: pixels per unit.
        background: RGB color in [0, 1].
    """

    def __init__(
        self, left: float, top: float, right: float, bottom: float, *, scale: float, background: Color
    ) -> None:
        self._corner = torch.tensor([left, top])
        self._scale = scale
        width, height = round((right - left) * scale), round((bottom - top) * scale)
        self.pixels = torch.tensor(background).expand(height, width, 3).clone()

    def copy(self) -> "Canvas":
        """Independent copy."""
        twin = object.__new__(Canvas)
        twin._corner, twin._scale, twin.pixels = self._corner, self._scale, self.pixels.clone()
        return twin

    def segment(self, begin: Tensor, end: Tensor, width: float, color: Color) -> None:
        """Draw a line with round ends.

        Args:
            begin, end: coordinates [2].
            width: width in pixels.
            color: RGB in [0, 1].
        """
        begin, end = self._pixel(begin), self._pixel(end)
        box = [int(edge) for edge in torch.stack((begin, end)).amin(0).sub(width + 1).clamp(min=0)]
        far = [int(edge) + 1 for edge in torch.stack((begin, end)).amax(0).add(width + 1)]
        region = self.pixels[box[1] : far[1], box[0] : far[0]]
        y = torch.arange(box[1], box[1] + region.shape[0])[:, None] + 0.5 - begin[1]
        x = torch.arange(box[0], box[0] + region.shape[1])[None] + 0.5 - begin[0]
        dx, dy = (end - begin).tolist()
        along = ((x * dx + y * dy) / max(dx * dx + dy * dy, 1e-9)).clamp(0, 1)
        distance = torch.hypot(x - along * dx, y - along * dy)
        cover = (width / 2 - distance + 0.5).clamp(0, 1)[..., None]
        region.add_(cover * (torch.tensor(color) - region))

    def discs(self, points: Tensor, radius: float, color: Color) -> None:
        """Draw discs of one color whose overlaps do not accumulate; discs outside the image are skipped.

        Args:
            points: centers [n, 2].
            radius: radius in pixels.
            color: RGB in [0, 1].
        """
        height, width = self.pixels.shape[:2]
        around = int(radius) + 2
        reach = torch.arange(-around, around + 1)
        square = torch.cartesian_prod(reach, reach)
        points = self._pixel(points)
        pixels = points.floor().long()[:, None] + square
        distance = (pixels + 0.5 - points[:, None]).norm(dim=-1)
        cover = (radius - distance + 0.5).clamp(0, 1)
        inside = (cover > 0) & (pixels >= 0).all(-1) & (pixels < torch.tensor([width, height])).all(-1)
        where = (pixels[..., 1] * width + pixels[..., 0])[inside]
        coverage = torch.zeros(height * width).scatter_reduce_(0, where, cover[inside], "amax")
        flat = self.pixels.view(-1, 3)
        flat[where] = flat[where].lerp(torch.tensor(color), coverage[where, None])

    def _pixel(self, points: Tensor) -> Tensor:
        return (points.float() - self._corner) * self._scale
