"""Matrices of a network, found from its sketches."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dlcli.core.errors import UsageError

_SEEN = 2  # times that a block, or a link of two, must be met to be believed
_ROWS = 2**22  # pairs of blocks that are compared at once


def known(
    attributes: Float[Tensor, "sample attribute"], sketches: Float[Tensor, "sample dimension"]
) -> Float[Tensor, "dimension attribute"]:
    """The matrix that makes these flat sketches of these attributes, by least squares.

    Raises:
        UsageError: fewer samples than attributes.
    """
    samples, width = attributes.shape
    if samples < width:
        raise UsageError(f"{width} columns need at least {width} samples, not {samples}")
    return torch.linalg.lstsq(attributes, sketches).solution.T


def unknown(
    sketches: Float[Tensor, "sample dimension"], block: int, *, tolerance: float = 1e-3
) -> Float[Tensor, "column dimension"]:
    """The columns of a block-random matrix from flat sketches of sparse attributes that nobody has seen.

    A block whose entries are all of one magnitude holds a single active column, and its signs are that column's.
    Blocks of one sample with equal magnitudes hold the same column, since no two attributes are quite equal. In the
    spirit of the paper's signatures of blocks (Ghazi, Panigrahy & Wang 2019, arXiv:1905.12730), but ours.

    Args:
        block: length of a block, at most 62.
        tolerance: by which the magnitudes in a block may differ, as a share of them; more where there is noise.

    Returns:
        One row a column found, of length 1; attributes are not negative, so signs are the column's own.

    Raises:
        UsageError: blocks that do not divide a sketch, or are too long.
    """
    if not 1 <= block <= 62 or sketches.shape[1] % block:
        raise UsageError(f"blocks of 1 to 62 values that divide {sketches.shape[1]}, not {block}")
    cut = sketches.unflatten(1, (-1, block))
    size = cut.abs().mean(2)
    node, seen = _nodes(cut, _pure(cut, size, tolerance))
    links = _links(node, size, tolerance / block**0.5)
    return _columns(seen, _components(links, len(seen)), cut.shape[1], block).to(sketches.dtype)


def recovered(found: Float[Tensor, "column dimension"], truth: Float[Tensor, "dimension attribute"]) -> float:
    """The share of the columns of a matrix that were found with every sign and every zero right."""
    ours, theirs = found.sign(), truth.T.sign().to(found.dtype)
    wholes = theirs.abs().sum(1)
    same = (theirs @ ours.T == wholes.unsqueeze(1)) & (ours.abs().sum(1) == wholes.unsqueeze(1))
    return float((same.any(1) & (wholes > 0)).float().mean())


def _pure(cut: Tensor, size: Tensor, tolerance: float) -> Bool[Tensor, "sample place"]:
    spread = cut.abs().amax(2) - cut.abs().amin(2)
    return (spread <= tolerance * size) & (size > tolerance * size.mean())


def _nodes(cut: Tensor, pure: Tensor) -> tuple[Int[Tensor, "sample place"], Int[Tensor, "node fact"]]:
    """Which pattern of signs each pure block has (-1: none that is believed); of each: place, signs as bits, times."""
    bits = ((cut > 0).long() << torch.arange(cut.shape[2], device=cut.device)).sum(2)
    place = torch.arange(cut.shape[1], device=cut.device).expand_as(bits)
    rows = torch.stack([place[pure], bits[pure]], 1)
    facts, inverse, times = rows.unique(dim=0, return_inverse=True, return_counts=True)
    believed = times >= _SEEN
    number = torch.where(believed, believed.long().cumsum(0) - 1, -1)
    node = torch.full_like(bits, -1)
    node[pure] = number[inverse]
    return node, torch.cat([facts, times.unsqueeze(1)], 1)[believed]


def _links(node: Tensor, size: Tensor, tolerance: float) -> Int[Tensor, "link 2"]:
    """Pairs of nodes that were of one magnitude in most of the samples that they were both in."""
    met, equal = [], []
    for nodes, sizes in zip(*(x.split(max(1, _ROWS // node.shape[1] ** 2)) for x in (node, size)), strict=True):
        there = nodes >= 0
        both = (there.unsqueeze(1) & there.unsqueeze(2)).triu(1)
        sample, one, other = both.nonzero(as_tuple=True)
        met.append(torch.stack([nodes[sample, one], nodes[sample, other]], 1))
        apart = (sizes[sample, one] - sizes[sample, other]).abs()
        equal.append(apart <= tolerance * sizes[sample, one])
    pairs, inverse, times = torch.cat(met).unique(dim=0, return_inverse=True, return_counts=True)
    same = torch.zeros_like(times).index_add_(0, inverse, torch.cat(equal).long())
    return pairs[(same >= _SEEN) & (2 * same > times)]


def _components(links: Tensor, nodes: int) -> Int[Tensor, " node"]:
    """The smallest node that each is linked to, over any number of links."""
    label = torch.arange(nodes, device=links.device)
    while True:
        least = label[links].amin(1)
        new = label.scatter_reduce(0, links[:, 0], least, "amin").scatter_reduce(0, links[:, 1], least, "amin")
        if torch.equal(new, label):
            return label
        label = new


def _columns(seen: Tensor, component: Tensor, places: int, block: int) -> Float[Tensor, "column dimension"]:
    """The signs of each component put together; where two patterns want one place, the more frequent has it."""
    names, column = component.unique(return_inverse=True)
    order = seen[:, 2].argsort(stable=True)
    signs = ((seen[:, 1:2] >> torch.arange(block, device=seen.device)) & 1) * 2 - 1
    whole = torch.zeros(len(names), places, block, device=seen.device)
    best = torch.full((len(names), places), -1, device=seen.device, dtype=torch.long)
    rank = torch.empty_like(order).index_copy_(0, order, torch.arange(len(order), device=seen.device))
    best.view(-1).scatter_reduce_(0, column * places + seen[:, 0], rank, "amax")
    column, place = (best >= 0).nonzero(as_tuple=True)
    whole[column, place] = signs[order[best[column, place]]].to(whole.dtype)
    return torch.nn.functional.normalize(whole.flatten(1), dim=1)
