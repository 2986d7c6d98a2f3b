"""Images of attributions and filters: samples beside their attribution maps, and filters of a convolution."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from dlcli.report.figures.colormap import SIGNED, apply_colormap
from dlcli.report.figures.input_maps import add_border
from dlcli.report.figures.sheet import Sheet, TextLabel, truncate_text
from dlcli.report.sanitize import one_line

_MARGIN, _BETWEEN, _INSIDE = 12, 14, 3
_HEAD, _LINE = 52, 18
_WIDE = 1000  # pixels; wider only if a single sample requires it
_QUIET, _WRONG = "#5d6673", "#b2182b"
_FILTER, _FILTERS, _INPUTS = 72, 64, 8  # pixels of a filter, most filters and most input channels
_HEADING_WIDTH = 560  # pixels


@dataclass(frozen=True)
class Caption:
    """Caption of a sample.

    Args:
        text: the caption.
        right: True if the prediction is correct; captions of wrong predictions are red.
    """

    text: str
    right: bool


def side_by_side(
    title: str,
    note: str,
    captions: Sequence[Caption],
    inputs: Float[Tensor, "sample h w 3"],
    maps: Float[Tensor, "sample h2 w2 3"],
) -> Sheet:
    """Draw samples with their maps: side by side, or the map below a wide sample.

    Args:
        title: first line of the heading.
        note: second line of the heading.
        captions: captions of the samples.
        inputs: images of the samples, RGB in [0, 1].
        maps: images of the attribution maps, RGB in [0, 1].
    """
    below = inputs.shape[2] > 1.5 * inputs.shape[1]
    height = inputs.shape[1] + (maps.shape[1] + _INSIDE if below else 0)
    width = inputs.shape[2] if below else inputs.shape[2] + _INSIDE + maps.shape[2]
    columns = max(1, min(len(inputs), (_WIDE - 2 * _MARGIN + _BETWEEN) // (width + _BETWEEN)))
    rows = -(-len(inputs) // columns)
    sheet = _headed(title, note, rows * (height + _LINE + _BETWEEN), columns * (width + _BETWEEN) - _BETWEEN)
    for index, (caption, image, attribution) in enumerate(zip(captions, inputs, maps, strict=True)):
        x = _MARGIN + index % columns * (width + _BETWEEN)
        y = _HEAD + index // columns * (height + _LINE + _BETWEEN)
        color = _QUIET if caption.right else _WRONG
        sheet.words.append(
            TextLabel(truncate_text(one_line(caption.text), width, 12), x, y + _LINE / 2, 12, colour=color)
        )
        sheet.put(image, x, y + _LINE)
        if below:
            sheet.put(attribution, x, y + _LINE + image.shape[0] + _INSIDE)
        else:
            sheet.put(attribution, x + image.shape[1] + _INSIDE, y + _LINE)
    return sheet


def filters(title: str, weight: Float[Tensor, "unit channel *kernel"]) -> Sheet:
    """Draw the filters of a convolution.

    Three input channels are drawn as RGB, others side by side with blue for negative and red for positive weights.
    Frames of a filter over time are drawn side by side.
    """
    tiles = add_border(_tiles(weight.detach().float().cpu()))
    count, height, width = tiles.shape[:3]
    columns = max(1, min(count, 8, (_WIDE - 2 * _MARGIN) // (width + _INSIDE)))
    rows = -(-count // columns)
    shown = f"{count} of {weight.shape[0]} filters" if count < weight.shape[0] else f"{count} filters"
    note = f"{shown} of {' x '.join(map(str, weight.shape[2:]))}, channels in: {weight.shape[1]}"
    sheet = _headed(title, note, rows * (height + _INSIDE) + _MARGIN, columns * (width + _INSIDE))
    for index, tile in enumerate(tiles):
        sheet.put(tile, _MARGIN + index % columns * (width + _INSIDE), _HEAD + index // columns * (height + _INSIDE))
    return sheet


def _tiles(weight: Tensor) -> Float[Tensor, "filter h w 3"]:
    weight = weight[:_FILTERS]
    if weight.dim() == 3:
        weight = weight[:, :, None]
    if weight.dim() == 5:
        weight = weight.transpose(2, 3).flatten(3)
    if weight.shape[1] == 3:
        low, high = weight.amin((1, 2, 3), keepdim=True), weight.amax((1, 2, 3), keepdim=True)
        color = ((weight - low) / (high - low).clamp(min=1e-30)).movedim(1, -1)
    else:
        row = weight[:, :_INPUTS].transpose(1, 2).flatten(2)
        color = apply_colormap(row / weight.abs().max().clamp(min=1e-30) / 2 + 0.5, SIGNED)
    factor = max(1, _FILTER // max(weight.shape[2:]))
    return color.repeat_interleave(factor, 1).repeat_interleave(factor, 2)


def _headed(title: str, note: str, height: int, width: int) -> Sheet:
    sheet = Sheet.blank(_HEAD + height, max(width, _HEADING_WIDTH) + 2 * _MARGIN)
    available = sheet.pixels.shape[1] - 2 * _MARGIN
    sheet.words += [
        TextLabel(truncate_text(one_line(title), available, 14), _MARGIN, 18, 14),
        TextLabel(truncate_text(note, available, 11), _MARGIN, 37, 11, colour=_QUIET),
    ]
    return sheet
