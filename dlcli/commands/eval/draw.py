"""Samples of a generative model as a file: `dlcli eval RUN --draw N --to FILE.png|FILE.npz`."""

import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as Pillow
from PIL import ImageDraw
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.core.sampling import draw
from dlcli.nn.image_grid import make_grid
from dlcli.report import output_file

_ENDINGS = (".png", ".npz")
_SIDE = 560  # pixels of a scatter plot
_MARGIN = 24  # pixels around its points
_SMALLEST = 128  # pixels: smaller images are enlarged by an integer factor
_INK = (31, 119, 180)


@dataclass(frozen=True)
class SampleRequest:
    """A request for samples.

    Args:
        n: number of samples.
        path: a PNG file (a grid of images, a scatter plot of points) or an NPZ file (array `samples`).
        seed: seed of the random numbers; None is the seed of the run.
    """

    n: int
    path: Path
    seed: int | None = None

    def check(self) -> None:
        """Check the request before anything is computed.

        Raises:
            UsageError: the number, the file format or the folder is invalid.
        """
        if self.n < 1:
            raise UsageError("invalid_value", key="--draw", must="at least 1", got=self.n)
        if self.path.suffix.lower() not in _ENDINGS:
            raise UsageError("invalid_value", key="--to", must=f"a {' or '.join(_ENDINGS)} file", got=self.path.name)
        output_file.resolve_path(self.path, "--to")

    def write(self, model: nn.Module, seed: int) -> None:
        """Draw the samples and write the file.

        Args:
            model: a generative model.
            seed: seed of the run, used if the request has none.

        Raises:
            UsageError: the samples cannot be written in this format.
            Mismatch: the model is not generative.
        """
        samples = draw(model, self.n, self._seed(seed)).cpu()
        output_file.write(self.path, encode(samples, self.path.suffix.lower()), "--to")

    def facts(self, seed: int) -> dict[str, Any]:
        """Return the request as plain values, for run.json."""
        return {"samples": self.n, "seed": self._seed(seed), "path": str(self.path)}

    def _seed(self, seed: int) -> int:
        return seed if self.seed is None else self.seed


def encode(samples: Tensor, ending: str) -> bytes:
    """Encode samples as the content of a file.

    Args:
        samples: for .png images [n, channel, height, width] with 1 or 3 channels and values in [0, 1], or points
            [n, 2]; for .npz any shape.
        ending: ".png" or ".npz".

    Raises:
        UsageError: samples of this shape cannot be drawn.
    """
    content = io.BytesIO()
    if ending == ".npz":
        np.savez_compressed(content, samples=samples.numpy())
        return content.getvalue()
    if samples.dim() == 4 and samples.shape[1] in (1, 3):
        image = _grid(samples)
    elif samples.dim() == 2 and samples.shape[1] == 2:
        image = _scatter(samples)
    else:
        raise UsageError(
            "unsupported",
            subject="--to .png",
            feature=f"samples of shape {tuple(samples.shape)}",
            hint="Images (n, 1 or 3, height, width) and points (n, 2) can be drawn. Use --to FILE.npz for others.",
        )
    image.save(content, format="PNG")
    return content.getvalue()


def _grid(images: Tensor) -> Pillow.Image:
    """Images in a square grid, enlarged by an integer factor if they are small."""
    scale = max(1, _SMALLEST // max(images.shape[2:]))
    grid = make_grid(images.float(), columns=math.ceil(math.sqrt(len(images))), scale=scale)
    return Pillow.fromarray(grid.mul(255).round().to(torch.uint8).numpy())


def _scatter(points: Tensor) -> Pillow.Image:
    """Scatter plot of the finite points, with equal scales on both axes; the second axis points up."""
    image = Pillow.new("RGB", (_SIDE, _SIDE), "white")
    points = points[points.isfinite().all(1)].double()
    if not len(points):
        return image
    low, high = points.amin(0), points.amax(0)
    extent = max(float((high - low).max()), 1e-12)
    pixels = ((points - (low + high) / 2) / extent + 0.5) * (_SIDE - 2 * _MARGIN) + _MARGIN
    pen = ImageDraw.Draw(image)
    for x, y in pixels.tolist():
        pen.ellipse((x - 2, _SIDE - y - 2, x + 2, _SIDE - y + 2), fill=_INK)
    return image
