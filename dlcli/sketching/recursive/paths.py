"""Paths from outputs to objects, and the expected squared column norms of the linear map of a sketch."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.sketching.recursive.object_graph import OUTPUT, Structure
from dlcli.sketching.recursive.scale import Scale, scaled
from dlcli.sketching.recursive.sketch import rate

_MAX_PATHS = 2**22  # paths of one depth


@dataclass(frozen=True)
class Paths:
    """Paths from outputs to objects, sorted by object.

    Args:
        object: the object at the end of the path.
        coefficient: product of weights and gains along the path.
        letters: indices of the matrices along the path, in order, padded with -1.
    """

    object: Int[Tensor, " path"]
    coefficient: Float[Tensor, " path"]
    letters: Int[Tensor, "path step"]


def paths(structure: Structure, scale: Scale) -> Paths:
    """Enumerate all paths level by level from the outputs.

    Raises:
        UsageError: there are more than 2^22 paths of one depth, as in deep graphs with shared objects at every level.
    """
    weight = scaled(structure.weight, scale)
    tuples = 1 + max(1, int(structure.position.max())) if len(structure.position) else 2
    edge = (structure.parent == OUTPUT).nonzero().squeeze(1)
    order, first, count = _edges_by_parent(structure)
    levels: list[tuple[Tensor, Tensor, Tensor]] = []
    letters, flow, depth = structure.position[edge].unsqueeze(1), weight[edge], 1
    while len(edge) or not levels:
        if len(edge) > _MAX_PATHS:
            feature = f"{len(edge):,} paths at depth {depth} (at most {_MAX_PATHS:,})"
            raise UsageError("unsupported", subject="this decoder", feature=feature, hint="use decoder=identity")
        node = structure.child[edge]
        own = torch.stack([tuples + structure.module[node], torch.zeros_like(node)], 1)
        levels.append((node, flow * rate(depth, scale), torch.cat([letters, own], 1)))
        source = torch.arange(len(edge), device=node.device).repeat_interleave(count[node])
        step = torch.arange(len(source), device=node.device) - (count[node].cumsum(0) - count[node])[source]
        edge = order[first[node][source] + step]
        added = torch.stack(
            [tuples + structure.module[node][source], torch.ones_like(source), structure.position[edge]], 1
        )
        letters, flow, depth = torch.cat([letters[source], added], 1), flow[source] * weight[edge], depth + 1
    return _sorted(levels)


def squared_norms(structure: Structure, scale: Scale) -> Float[Tensor, " object"]:
    """Expected squared norm of a column of the map from an object's attributes to the sketch.

    A path is a product of factors T = I + R, hence a sum of words of matrices. Equal words add coherently, different
    words are orthogonal in expectation; pairs of equal words are counted by dynamic programming.
    """
    all_paths = paths(structure, scale)
    left, right = _pairs(all_paths.object)
    words = equal_words(all_paths.letters[left], all_paths.letters[right])
    coefficient = all_paths.coefficient
    squared = coefficient[left] * coefficient[right] * words.to(coefficient.dtype)
    total = squared.new_zeros(len(structure.module))
    return total.index_add_(0, all_paths.object[left], squared)


def equal_words(left: Int[Tensor, "pair step"], right: Int[Tensor, "pair other"]) -> Float[Tensor, " pair"]:
    """Number of pairs of equal subsequences of two letter sequences, including the empty ones."""
    row = [torch.ones(len(left), dtype=torch.float64, device=left.device) for _ in range(right.shape[1] + 1)]
    for letter in left.T:
        above, row = row, row[:1]
        for index, other in enumerate(right.T, 1):
            count = above[index] + row[-1] - above[index - 1]
            same = (letter == other) & (letter >= 0)
            row.append(torch.where(same, count + above[index - 1], count))
    return row[-1]


def _edges_by_parent(structure: Structure) -> tuple[Tensor, Tensor, Tensor]:
    """Edge indices ordered by parent, and the start and number of the edges of each object."""
    objects = len(structure.module)
    inside = (structure.parent != OUTPUT).nonzero().squeeze(1)
    parent, order = structure.parent[inside].sort(stable=True)
    count = torch.bincount(parent, minlength=objects)
    return inside[order], count.cumsum(0) - count, count


def _sorted(levels: list[tuple[Tensor, Tensor, Tensor]]) -> Paths:
    """The paths of all levels sorted by object."""
    longest = max((letters.shape[1] for *_, letters in levels), default=0)
    objects = torch.cat([node for node, *_ in levels])
    order = objects.argsort(stable=True)
    return Paths(
        objects[order],
        torch.cat([flow for _, flow, _ in levels])[order],
        torch.cat([F.pad(letters, (0, longest - letters.shape[1]), value=-1) for *_, letters in levels])[order],
    )


def _pairs(group: Tensor) -> tuple[Tensor, Tensor]:
    """All ordered pairs of indices within a group; `group` is sorted."""
    _, inverse, count = group.unique_consecutive(return_inverse=True, return_counts=True)
    size = count[inverse]
    left = torch.arange(len(group), device=group.device).repeat_interleave(size)
    begin = (count.cumsum(0) - count)[inverse][left]
    step = torch.arange(len(left), device=group.device) - (size.cumsum(0) - size)[left]
    return left, begin + step
