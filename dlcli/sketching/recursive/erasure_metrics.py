"""Scalar metrics of the benchmark for erasure and network recovery."""

import math
from collections.abc import Sequence

import torch

from dlcli.sketching.recursive.benchmark import Measurement, slope
from dlcli.sketching.recursive.matrices import Matrices
from dlcli.sketching.recursive.network_recovery import recovered, unknown

_DIMENSION, _COLUMNS, _ACTIVE, _SAMPLES = 256, 64, 3, 2_000
_BLOCK, _DENSITY = 16, 0.25


def erasure(rows: Sequence[Measurement]) -> dict[str, float]:
    """Slope of log error over log kept fraction at the largest dimension, by decoder.

    At -1/2 an erased sketch is as accurate as a complete sketch of the same size.
    """
    largest = max(row.dimension for row in rows)
    slopes = {}
    for decoder in dict.fromkeys(row.decoder for row in rows if row.keep < 1):
        groups: dict[tuple[str, int, int], list[tuple[float, float]]] = {}
        for row in rows:
            if row.decoder == decoder and row.dimension == largest:
                point = (math.log(row.keep), math.log(max(row.error, 1e-30)))
                groups.setdefault((row.scale, row.depth, row.seed), []).append(point)
        each = [slope(points) for points in groups.values()]
        slopes[f"slope_erased_{decoder}"] = sum(each) / len(each)
    return slopes


def recovery(seed: int) -> dict[str, float]:
    """Fraction of a block-random matrix's columns recovered from flat sketches of unknown sparse attributes."""
    draw = torch.Generator().manual_seed(seed)
    matrix = Matrices("block", _DIMENSION, seed, block=_BLOCK, density=_DENSITY).attribute("module")
    columns = matrix.apply(torch.eye(_COLUMNS)).T
    active = torch.rand(_SAMPLES, _COLUMNS, generator=draw).topk(_ACTIVE, 1).indices
    sizes = torch.rand(_SAMPLES, _ACTIVE, generator=draw) + 0.1
    attributes = torch.zeros(_SAMPLES, _COLUMNS).scatter_(1, active, sizes)
    return {"recovered": recovered(unknown(attributes @ columns.T, _BLOCK), columns)}
