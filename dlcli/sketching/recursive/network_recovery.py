"""Recovery of a network's matrices from its flat sketches."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dlcli.core.errors import UsageError

_MIN_OCCURRENCES = 2  # of a sign pattern, or a link between two patterns, to be accepted
_PAIRS = 2**22  # pairs of blocks compared at a time


def known(
    attributes: Float[Tensor, "sample attribute"], sketches: Float[Tensor, "sample dimension"]
) -> Float[Tensor, "dimension attribute"]:
    """The matrix that maps known attributes to flat sketches, by least squares.

    Raises:
        UsageError: there are fewer samples than attributes.
    """
    samples, width = attributes.shape
    if samples < width:
        raise UsageError("invalid_value", key="samples", must=f"at least {width}, the number of columns", got=samples)
    return torch.linalg.lstsq(attributes, sketches).solution.T


def unknown(
    sketches: Float[Tensor, "sample dimension"], block: int, *, tolerance: float = 1e-3
) -> Float[Tensor, "column dimension"]:
    """Columns of a block-random matrix from flat sketches of unknown sparse attributes.

    A block whose entries have equal magnitude contains a single active column with its signs ("pure" block). Pure
    blocks of one sample with equal magnitudes belong to the same column, since attributes are almost surely distinct.
    Similar to the block signatures of Ghazi, Panigrahy & Wang 2019, arXiv:1905.12730, but not from the paper.

    Args:
        sketches: flat sketches.
        block: block length, at most 62.
        tolerance: relative deviation of the magnitudes within a block; larger for noisy sketches.

    Returns:
        The recovered columns as rows of length 1; since attributes are non-negative, the signs are those of the column.

    Raises:
        UsageError: the block length is too large or does not divide the dimension.
    """
    if not 1 <= block <= 62 or sketches.shape[1] % block:
        must = f"from 1 to 62 and a divisor of dimension={sketches.shape[1]}"
        raise UsageError("invalid_value", key="block", must=must, got=block)
    blocks = sketches.unflatten(1, (-1, block))
    size = blocks.abs().mean(2)
    node, patterns = _nodes(blocks, _pure(blocks, size, tolerance))
    links = _links(node, size, tolerance / block**0.5)
    return _columns(patterns, _components(links, len(patterns)), blocks.shape[1], block).to(sketches.dtype)


def recovered(columns: Float[Tensor, "column dimension"], truth: Float[Tensor, "dimension attribute"]) -> float:
    """Fraction of the columns of a matrix that were recovered with all signs and zeros correct."""
    signs, true_signs = columns.sign(), truth.T.sign().to(columns.dtype)
    nonzero = true_signs.abs().sum(1)
    equal = (true_signs @ signs.T == nonzero.unsqueeze(1)) & (signs.abs().sum(1) == nonzero.unsqueeze(1))
    return float((equal.any(1) & (nonzero > 0)).float().mean())


def _pure(blocks: Tensor, size: Tensor, tolerance: float) -> Bool[Tensor, "sample position"]:
    """True for blocks whose entries have equal, non-negligible magnitude."""
    spread = blocks.abs().amax(2) - blocks.abs().amin(2)
    return (spread <= tolerance * size) & (size > tolerance * size.mean())


def _nodes(blocks: Tensor, pure: Tensor) -> tuple[Int[Tensor, "sample position"], Int[Tensor, "node 3"]]:
    """Index of the sign pattern of each pure block (-1 if rejected), and patterns as (position, sign bits, count)."""
    bits = ((blocks > 0).long() << torch.arange(blocks.shape[2], device=blocks.device)).sum(2)
    position = torch.arange(blocks.shape[1], device=blocks.device).expand_as(bits)
    rows = torch.stack([position[pure], bits[pure]], 1)
    patterns, inverse, counts = rows.unique(dim=0, return_inverse=True, return_counts=True)
    accepted = counts >= _MIN_OCCURRENCES
    number = torch.where(accepted, accepted.long().cumsum(0) - 1, -1)
    node = torch.full_like(bits, -1)
    node[pure] = number[inverse]
    return node, torch.cat([patterns, counts.unsqueeze(1)], 1)[accepted]


def _links(node: Tensor, size: Tensor, tolerance: float) -> Int[Tensor, "link 2"]:
    """Pairs of nodes with equal magnitude in most of the samples that contain both."""
    pairs_of_part, equal = [], []
    for nodes, sizes in zip(*(x.split(max(1, _PAIRS // node.shape[1] ** 2)) for x in (node, size)), strict=True):
        present = nodes >= 0
        both = (present.unsqueeze(1) & present.unsqueeze(2)).triu(1)
        sample, left, right = both.nonzero(as_tuple=True)
        pairs_of_part.append(torch.stack([nodes[sample, left], nodes[sample, right]], 1))
        difference = (sizes[sample, left] - sizes[sample, right]).abs()
        equal.append(difference <= tolerance * sizes[sample, left])
    pairs, inverse, counts = torch.cat(pairs_of_part).unique(dim=0, return_inverse=True, return_counts=True)
    same = torch.zeros_like(counts).index_add_(0, inverse, torch.cat(equal).long())
    return pairs[(same >= _MIN_OCCURRENCES) & (2 * same > counts)]


def _components(links: Tensor, nodes: int) -> Int[Tensor, " node"]:
    """Connected components: the smallest node of each node's component."""
    label = torch.arange(nodes, device=links.device)
    while True:
        least = label[links].amin(1)
        new = label.scatter_reduce(0, links[:, 0], least, "amin").scatter_reduce(0, links[:, 1], least, "amin")
        if torch.equal(new, label):
            return label
        label = new


def _columns(patterns: Tensor, component: Tensor, positions: int, block: int) -> Float[Tensor, "column dimension"]:
    """One column per component from its sign patterns; at a contested position the most frequent pattern is used."""
    labels, column = component.unique(return_inverse=True)
    order = patterns[:, 2].argsort(stable=True)
    signs = ((patterns[:, 1:2] >> torch.arange(block, device=patterns.device)) & 1) * 2 - 1
    columns = torch.zeros(len(labels), positions, block, device=patterns.device)
    best = torch.full((len(labels), positions), -1, device=patterns.device, dtype=torch.long)
    rank = torch.empty_like(order).index_copy_(0, order, torch.arange(len(order), device=patterns.device))
    best.view(-1).scatter_reduce_(0, column * positions + patterns[:, 0], rank, "amax")
    column, position = (best >= 0).nonzero(as_tuple=True)
    columns[column, position] = signs[order[best[column, position]]].to(columns.dtype)
    return torch.nn.functional.normalize(columns.flatten(1), dim=1)
