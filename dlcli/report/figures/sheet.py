"""Images with text labels. The text is drawn by matplotlib if it is installed."""

import io
import warnings
from dataclasses import dataclass, field
from importlib.util import find_spec

import torch
from jaxtyping import Float
from torch import Tensor

from dlcli.core.artifacts import encode
from dlcli.core.learner import Image

_DOTS = 100  # pixels per inch
_INK = "#1b1f24"
LETTER = 0.6
"""Approximate width of a letter relative to the font size."""


@dataclass(frozen=True)
class TextLabel:
    """Line of text on a sheet.

    Args:
        text: the text.
        x, y: position in pixels from the left and from the top.
        size: font size in pixels.
        across: horizontal alignment at x: "left", "center" or "right".
        colour: color of the text.
        turned: True for text rotated by 90 degrees, read from bottom to top.
    """

    text: str
    x: int | float
    y: int | float
    size: int | float = 12
    across: str = "left"
    colour: str = _INK
    turned: bool = False


@dataclass
class Sheet:
    """Canvas of RGB pixels in [0, 1] with text labels."""

    pixels: Float[Tensor, "height width 3"]
    words: list[TextLabel] = field(default_factory=list)

    @classmethod
    def blank(cls, height: int, width: int) -> "Sheet":
        return cls(torch.ones(height, width, 3))

    def put(self, picture: Float[Tensor, "h w 3"], x: int, y: int) -> None:
        """Copy an image to the position of its upper left corner, in pixels."""
        self.pixels[y : y + picture.shape[0], x : x + picture.shape[1]] = picture


def can_draw_text() -> bool:
    """True if matplotlib is installed, so that text can be drawn."""
    return find_spec("matplotlib") is not None


def png(sheet: Sheet) -> bytes:
    """Encode a sheet as PNG, without text if matplotlib is not installed."""
    return _with_text(sheet) if can_draw_text() else encode(Image(sheet.pixels))[1]


def _with_text(sheet: Sheet) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height, width = sheet.pixels.shape[:2]
    figure = Figure(figsize=(width / _DOTS, height / _DOTS), dpi=_DOTS)
    FigureCanvasAgg(figure)
    figure.figimage(sheet.pixels.clamp(0, 1).numpy(), origin="upper")
    for label in sheet.words:
        figure.text(
            label.x / width, 1 - label.y / height, label.text, fontsize=label.size * 72 / _DOTS, color=label.colour,
            ha=label.across, va="center", rotation=90 if label.turned else 0, rotation_mode="anchor",
            parse_math=False,
        )  # fmt: skip
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # characters that are missing in the font
        figure.savefig(content, format="png")
    return content.getvalue()


def truncate_text(text: str, width: int | float, size: int | float) -> str:
    """Truncate text to a width in pixels at a font size in pixels."""
    letters = max(1, int(width / (size * LETTER)))
    return text if len(text) <= letters else f"{text[: letters - 1]}…"
