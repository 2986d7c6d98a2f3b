"""Lines and discs with smooth edges, on a picture."""

import torch
from torch import Tensor

Colour = tuple[float, float, float]


class Canvas:
    """A picture that is drawn on in units of what it shows; y goes down.

    Args:
        left, top, right, bottom: what it shows.
        scale: pixels a unit.
    """

    def __init__(self, left: float, top: float, right: float, bottom: float, *, scale: float, paper: Colour) -> None:
        self._corner = torch.tensor([left, top])
        self._scale = scale
        width, height = round((right - left) * scale), round((bottom - top) * scale)
        self.pixels = torch.tensor(paper).expand(height, width, 3).clone()

    def copy(self) -> "Canvas":
        """One that is drawn on by itself."""
        twin = object.__new__(Canvas)
        twin._corner, twin._scale, twin.pixels = self._corner, self._scale, self.pixels.clone()
        return twin

    def segment(self, begin: Tensor, end: Tensor, width: float, colour: Colour) -> None:
        """A line with round ends.

        Args:
            begin, end: [2].
            width: in pixels.
        """
        begin, end = self._place(begin), self._place(end)
        box = [int(edge) for edge in torch.stack((begin, end)).amin(0).sub(width + 1).clamp(min=0)]
        far = [int(edge) + 1 for edge in torch.stack((begin, end)).amax(0).add(width + 1)]
        part = self.pixels[box[1] : far[1], box[0] : far[0]]
        y = torch.arange(box[1], box[1] + part.shape[0])[:, None] + 0.5 - begin[1]
        x = torch.arange(box[0], box[0] + part.shape[1])[None] + 0.5 - begin[0]
        dx, dy = (end - begin).tolist()
        along = ((x * dx + y * dy) / max(dx * dx + dy * dy, 1e-9)).clamp(0, 1)
        distance = torch.hypot(x - along * dx, y - along * dy)
        cover = (width / 2 - distance + 0.5).clamp(0, 1)[..., None]
        part.add_(cover * (torch.tensor(colour) - part))

    def discs(self, points: Tensor, radius: float, colour: Colour) -> None:
        """Discs of one colour, which do not add up where they overlap; those outside are left out.

        Args:
            points: [n, 2].
            radius: in pixels.
        """
        height, width = self.pixels.shape[:2]
        around = int(radius) + 2
        reach = torch.arange(-around, around + 1)
        square = torch.cartesian_prod(reach, reach)
        points = self._place(points)
        pixels = points.floor().long()[:, None] + square
        distance = (pixels + 0.5 - points[:, None]).norm(dim=-1)
        cover = (radius - distance + 0.5).clamp(0, 1)
        inside = (cover > 0) & (pixels >= 0).all(-1) & (pixels < torch.tensor([width, height])).all(-1)
        where = (pixels[..., 1] * width + pixels[..., 0])[inside]
        most = torch.zeros(height * width).scatter_reduce_(0, where, cover[inside], "amax")
        flat = self.pixels.view(-1, 3)
        flat[where] = flat[where].lerp(torch.tensor(colour), most[where, None])

    def _place(self, points: Tensor) -> Tensor:
        return (points.float() - self._corner) * self._scale
