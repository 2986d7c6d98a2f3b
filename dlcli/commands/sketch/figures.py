"""Image grids of recovered attributes, next to the pixels and the network's own attributes."""

from collections.abc import Sequence

import torch
from torch import Tensor

from dlcli.core.learner import Image
from dlcli.nn.image_grid import make_grid
from dlcli.sketching.networks.modular_network import AttributeDecoder, ObjectLocator
from dlcli.sketching.recursive.object_graph import Structure

ROWS = "pixels, attributes of the network (decoded), attributes recovered from the sketch (decoded)"
"""Rows of the image grid, from the top."""
_SIDE = 64  # pixels per side of an image
_MAX_OBJECTS = 16  # columns of the image grid


def recovered(
    network: object,
    images: Tensor,
    structure: Structure,
    seen: Tensor,
    decoded: Tensor,
    objects: Sequence[int] | None = None,
) -> Image | None:
    """Image grid with one column per object; None if the network can decode none of them.

    Args:
        network: the network; it must implement `AttributeDecoder`.
        images: images of the structure's scenes.
        structure: the objects.
        seen: attributes of the network, [object, attribute].
        decoded: attributes recovered from sketches, [object, attribute].
        objects: indices of the objects to show; None for all. The first 16 are shown.
    """
    columns = []
    for index in objects if objects is not None else range(len(structure.module)):
        column = _column(network, images, structure, index, (seen, decoded))
        if column is not None:
            columns.append(column)
        if len(columns) == _MAX_OBJECTS:
            break
    if not columns:
        return None
    rows = torch.stack(columns, 1).flatten(0, 1)
    return Image(make_grid(rows, columns=len(columns), scale=max(1, _SIDE // rows.shape[-1])))


def _column(
    network: object, images: Tensor, structure: Structure, index: int, attributes: tuple[Tensor, ...]
) -> Tensor | None:
    """Pixels of an object, if the network can locate them, above images of its attributes."""
    if not isinstance(network, AttributeDecoder):
        return None
    name = structure.modules[int(structure.module[index])]
    with torch.no_grad():
        decoded = [network.decode(name, rows[index : index + 1]) for rows in attributes]
    below = [image.detach().cpu() for image in decoded if image is not None]
    if len(below) < len(attributes):
        return None
    pixels = network.pixels(images, structure, index) if isinstance(network, ObjectLocator) else None
    fits = pixels is not None and pixels.shape == below[0].shape
    return torch.cat([pixels, *below] if pixels is not None and fits else below)[:, :3]
