"""Pictures of what was recovered from sketches: beside the pixels, and what the network's own attributes look like."""

from collections.abc import Sequence

import torch
from torch import Tensor

from dlcli.core.learner import Image
from dlcli.nn.image_grid import make_grid
from dlcli.sketching.networks.modular_network import Decodes, Points
from dlcli.sketching.recursive.object_graph import Structure

ROWS = "the pixels, what the network saw in them, and what the sketch kept of that"
"""Of a picture, from the top; both lower ones are images that the network's decoder makes of attributes."""
_SIDE = 64  # pixels of an image
_SHOWN = 16  # objects on a picture


def recovered(
    network: object,
    images: Tensor,
    structure: Structure,
    seen: Tensor,
    found: Tensor,
    chosen: Sequence[int] | None = None,
) -> Image | None:
    """Columns are the first objects that can be looked at; None where none can.

    Args:
        images: of the structure's scenes.
        seen: attributes as the network saw them.
        found: attributes from sketches.
        chosen: numbers of objects; None is all.
    """
    columns = []
    for number in chosen if chosen is not None else range(len(structure.module)):
        column = _column(network, images, structure, number, (seen, found))
        if column is not None:
            columns.append(column)
        if len(columns) == _SHOWN:
            break
    if not columns:
        return None
    rows = torch.stack(columns, 1).flatten(0, 1)
    return Image(make_grid(rows, columns=len(columns), scale=max(1, _SIDE // rows.shape[-1])))


def _column(
    network: object, images: Tensor, structure: Structure, number: int, attributes: tuple[Tensor, ...]
) -> Tensor | None:
    """Pixels of an object, where the network can point to them, and images of its attributes, below one another."""
    if not isinstance(network, Decodes):
        return None
    name = structure.modules[int(structure.module[number])]
    with torch.no_grad():
        shown = [network.decode(name, one[number : number + 1]) for one in attributes]
    below = [one.detach().cpu() for one in shown if one is not None]
    if len(below) < len(attributes):
        return None
    pixels = network.pixels(images, structure, number) if isinstance(network, Points) else None
    fits = pixels is not None and pixels.shape == below[0].shape
    return torch.cat([pixels, *below] if pixels is not None and fits else below)[:, :3]
