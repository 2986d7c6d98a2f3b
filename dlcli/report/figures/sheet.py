"""A picture with words on it: pixels are ours, letters are drawn by matplotlib where it is installed."""

import io
import warnings
from dataclasses import dataclass, field
from importlib.util import find_spec

import torch
from jaxtyping import Float
from torch import Tensor

from dlcli.core.artifacts import encode
from dlcli.core.learner import Image

_DOTS = 100  # an inch, so that sizes in pixels are sizes in inches times this
_INK = "#1b1f24"
LETTER = 0.6
"""Width of a letter as a part of the size of its font, roughly."""


@dataclass(frozen=True)
class Words:
    """A line of text on a sheet.

    Args:
        x, y: pixels from the left and from the top.
        size: of the font, in pixels.
        across: which part of the text is at x: "left", "center" or "right".
        turned: whether it is read from below.
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
    """White paper, pictures and words."""

    pixels: Float[Tensor, "height width 3"]
    words: list[Words] = field(default_factory=list)

    @classmethod
    def blank(cls, height: int, width: int) -> "Sheet":
        return cls(torch.ones(height, width, 3))

    def put(self, picture: Float[Tensor, "h w 3"], x: int, y: int) -> None:
        """A picture with its upper left corner there."""
        self.pixels[y : y + picture.shape[0], x : x + picture.shape[1]] = picture


def has_letters() -> bool:
    """Whether words will be on the pictures."""
    return find_spec("matplotlib") is not None


def png(sheet: Sheet) -> bytes:
    """The sheet as a file; without matplotlib its words are left out."""
    return _lettered(sheet) if has_letters() else encode(Image(sheet.pixels))[1]


def _lettered(sheet: Sheet) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height, width = sheet.pixels.shape[:2]
    figure = Figure(figsize=(width / _DOTS, height / _DOTS), dpi=_DOTS)
    FigureCanvasAgg(figure)
    figure.figimage(sheet.pixels.clamp(0, 1).numpy(), origin="upper")
    for words in sheet.words:
        figure.text(
            words.x / width, 1 - words.y / height, words.text, fontsize=words.size * 72 / _DOTS, color=words.colour,
            ha=words.across, va="center", rotation=90 if words.turned else 0, rotation_mode="anchor",
            parse_math=False,
        )  # fmt: skip
    drawn = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # letters that the font does not have
        figure.savefig(drawn, format="png")
    return drawn.getvalue()


def fitting(text: str, width: int | float, size: int | float) -> str:
    """The text, cut short where it would be wider than so many pixels."""
    letters = max(1, int(width / (size * LETTER)))
    return text if len(text) <= letters else f"{text[: letters - 1]}…"
