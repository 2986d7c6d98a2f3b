"""All ways from objects to their outputs, and how long a column of a sketch's linear map is expected to be."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.sketching.recursive.object_graph import OUTPUT, Structure
from dlcli.sketching.recursive.scale import Scale, scaled
from dlcli.sketching.recursive.sketch import rate

_MOST = 2**22  # paths of one depth


@dataclass(frozen=True)
class Paths:
    """Ways from objects to outputs, those of one object side by side.

    Args:
        object: where the way begins.
        coefficient: the product of weights and gains along it.
        letters: which matrices may be met, in order; -1 is none.
    """

    object: Int[Tensor, " path"]
    coefficient: Float[Tensor, " path"]
    letters: Int[Tensor, "path place"]


def paths(structure: Structure, scale: Scale) -> Paths:
    """Every path, by following edges from the outputs down.

    Raises:
        UsageError: there are millions, as deep graphs may have whose objects are shared at every level.
    """
    weight = scaled(structure.weight, scale)
    tuples = 1 + max(1, int(structure.position.max())) if len(structure.position) else 2
    edge = (structure.parent == OUTPUT).nonzero().squeeze(1)
    order, first, count = _edges_by_parent(structure)
    found: list[tuple[Tensor, Tensor, Tensor]] = []
    letters, flow, depth = structure.position[edge].unsqueeze(1), weight[edge], 1
    while len(edge) or not found:
        if len(edge) > _MOST:
            raise UsageError(f"{len(edge):,} paths lead to objects at depth {depth}: more than {_MOST:,}")
        here = structure.child[edge]
        own = torch.stack([tuples + structure.module[here], torch.zeros_like(here)], 1)
        found.append((here, flow * rate(depth, scale), torch.cat([letters, own], 1)))
        source = torch.arange(len(edge), device=here.device).repeat_interleave(count[here])
        step = torch.arange(len(source), device=here.device) - (count[here].cumsum(0) - count[here])[source]
        edge = order[first[here][source] + step]
        way = torch.stack([tuples + structure.module[here][source], torch.ones_like(source), structure.position[edge]])
        letters, flow, depth = torch.cat([letters[source], way.T], 1), flow[source] * weight[edge], depth + 1
    return _sorted(found)


def squared_norms(structure: Structure, scale: Scale) -> Float[Tensor, " object"]:
    """Expected squared length of a column of the map from an object's attributes to its sketch.

    A path is a product of T = I + R, hence a sum of words of matrices. Equal words add up, different ones are at right
    angles; how many pairs of words are equal is counted without listing them.
    """
    ways = paths(structure, scale)
    left, right = _pairs(ways.object)
    ones = equal_words(ways.letters[left], ways.letters[right])
    squared = ways.coefficient[left] * ways.coefficient[right] * ones.to(ways.coefficient.dtype)
    total = squared.new_zeros(len(structure.module))
    return total.index_add_(0, ways.object[left], squared)


def equal_words(left: Int[Tensor, "pair place"], right: Int[Tensor, "pair other"]) -> Float[Tensor, " pair"]:
    """In how many ways a word can be picked from both sequences of letters, the empty word included."""
    row = [torch.ones(len(left), dtype=torch.float64, device=left.device) for _ in range(right.shape[1] + 1)]
    for letter in left.T:
        above, row = row, row[:1]
        for place, other in enumerate(right.T, 1):
            here = above[place] + row[-1] - above[place - 1]
            same = (letter == other) & (letter >= 0)
            row.append(torch.where(same, here + above[place - 1], here))
    return row[-1]


def _edges_by_parent(structure: Structure) -> tuple[Tensor, Tensor, Tensor]:
    """Numbers of edges ordered by parent, where those of an object begin, and how many it has."""
    objects = len(structure.module)
    inside = (structure.parent != OUTPUT).nonzero().squeeze(1)
    parent, order = structure.parent[inside].sort(stable=True)
    count = torch.bincount(parent, minlength=objects)
    return inside[order], count.cumsum(0) - count, count


def _sorted(found: list[tuple[Tensor, Tensor, Tensor]]) -> Paths:
    most = max((letters.shape[1] for *_, letters in found), default=0)
    where = torch.cat([here for here, *_ in found])
    order = where.argsort(stable=True)
    return Paths(
        where[order],
        torch.cat([flow for _, flow, _ in found])[order],
        torch.cat([F.pad(letters, (0, most - letters.shape[1]), value=-1) for *_, letters in found])[order],
    )


def _pairs(group: Tensor) -> tuple[Tensor, Tensor]:
    """All ordered pairs of places in one group; groups lie side by side."""
    _, inverse, count = group.unique_consecutive(return_inverse=True, return_counts=True)
    mine = count[inverse]
    left = torch.arange(len(group), device=group.device).repeat_interleave(mine)
    begin = (count.cumsum(0) - count)[inverse][left]
    step = torch.arange(len(left), device=group.device) - (mine.cumsum(0) - mine)[left]
    return left, begin + step
