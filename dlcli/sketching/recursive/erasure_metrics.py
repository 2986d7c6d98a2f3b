"""What a bench says of erasure and of network recovery, as single numbers."""

import math
from collections.abc import Sequence

import torch

from dlcli.sketching.recursive.benchmark import Row, slope
from dlcli.sketching.recursive.matrices import Matrices
from dlcli.sketching.recursive.network_recovery import recovered, unknown

_DIMENSION, _COLUMNS, _ACTIVE, _SAMPLES = 256, 64, 3, 2_000
_BLOCK, _DENSITY = 16, 0.25


def erasure(rows: Sequence[Row]) -> dict[str, float]:
    """Slope of log error over the log of what is kept, of each decoder that is measured so, at the largest dimension.

    -1/2 says that a part of a sketch is as good as a sketch of that dimension.
    """
    largest = max(row.dimension for row in rows)
    found = {}
    for decoder in dict.fromkeys(row.decoder for row in rows if row.keep < 1):
        groups: dict[tuple[str, int, int], list[tuple[float, float]]] = {}
        for row in rows:
            if row.decoder == decoder and row.dimension == largest:
                point = (math.log(row.keep), math.log(max(row.error, 1e-30)))
                groups.setdefault((row.scale, row.depth, row.seed), []).append(point)
        each = [slope(points) for points in groups.values()]
        found[f"slope_erased_{decoder}"] = sum(each) / len(each)
    return found


def recovery(seed: int) -> dict[str, float]:
    """The share of a block-random matrix's columns that are found from flat sketches of unseen sparse attributes."""
    draw = torch.Generator().manual_seed(seed)
    matrix = Matrices("block", _DIMENSION, seed, block=_BLOCK, density=_DENSITY).attribute("module")
    columns = matrix.apply(torch.eye(_COLUMNS)).T
    active = torch.rand(_SAMPLES, _COLUMNS, generator=draw).topk(_ACTIVE, 1).indices
    sizes = torch.rand(_SAMPLES, _ACTIVE, generator=draw) + 0.1
    attributes = torch.zeros(_SAMPLES, _COLUMNS).scatter_(1, active, sizes)
    return {"recovered": recovered(unknown(attributes @ columns.T, _BLOCK), columns)}
