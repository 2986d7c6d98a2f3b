"""Decoder errors on random trees against sketch dimension, object depth and erasure."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from dlcli.sketching.recursive.decoding import Decoder, identity_path, matched_filter
from dlcli.sketching.recursive.least_squares import least_squares
from dlcli.sketching.recursive.matrices import Matrices
from dlcli.sketching.recursive.object_graph import OUTPUT, Objects, Structure
from dlcli.sketching.recursive.queries import erase
from dlcli.sketching.recursive.scale import Scale
from dlcli.sketching.recursive.sketch import sketch

DECODERS: dict[str, Decoder] = {"identity": identity_path, "matched": matched_filter, "lsq": least_squares}


@dataclass(frozen=True)
class Measurement:
    """Largest attribute error, averaged over the objects of one depth.

    Args:
        keep: fraction of the sketch that is kept.
        depth: depth of the objects; outputs have depth 1.
    """

    scale: Scale
    decoder: str
    dimension: int
    keep: float
    depth: int
    seed: int
    error: float


@dataclass(frozen=True)
class TreeBenchmark:
    """Benchmark on binary trees; each object has its own module and a random attribute of length 1.

    Args:
        kind: kind of the matrices.
        dimensions: sketch dimensions.
        keep: fractions of a sketch that are kept.
        scales: scalings of the sketches.
        depth: depth of the trees, which have 2^depth - 1 objects.
        width: width of the attributes.
        scenes: trees per seed.
        seeds: number of seeds of matrices and attributes.
        exact: largest dimension at which least squares are solved (complete sketches only).
        block: block length of block-random matrices.
        density: density of block-random matrices.
        first: the first seed.
    """

    kind: str
    dimensions: Sequence[int]
    keep: Sequence[float]
    scales: Sequence[Scale]
    depth: int
    width: int
    scenes: int
    seeds: int
    exact: int
    block: int = 16
    density: float = 0.25
    first: int = 0


def measure(trees: TreeBenchmark, report: Callable[[float], None]) -> Iterator[Measurement]:
    """Yield all measurements; `report` is called with the fraction done."""
    structure, depth = _forest(trees.depth, trees.scenes)
    numbers = range(trees.first, trees.first + trees.seeds)
    points = [(size, seed, scale) for size in trees.dimensions for seed in numbers for scale in trees.scales]
    work, done = sum(size for size, _, _ in points), 0
    for dimension, seed, scale in points:
        matrices = Matrices(trees.kind, dimension, seed, block=trees.block, density=trees.density)
        objects = Objects(structure, _attributes(len(depth), trees.width, seed))
        sketches = sketch(objects, matrices, scale)
        for keep in trees.keep:
            point = Measurement(scale, "", dimension, keep, 0, seed, 0.0)
            yield from _measure_point(trees, objects, depth, erase(sketches, keep), matrices, point)
        done += dimension
        report(done / work)


def _measure_point(
    trees: TreeBenchmark, objects: Objects, depth: Tensor, kept: Tensor, matrices: Matrices, row: Measurement
) -> Iterator[Measurement]:
    """Measurements of all decoders and depths at one point, of which `row` has the other values."""
    for name, decoder in DECODERS.items():
        if name == "lsq" and (row.dimension > trees.exact or row.keep < 1):
            continue
        decoded = decoder(kept, objects.structure, matrices, trees.width, row.scale)
        errors = (decoded - objects.attributes).abs().amax(1)
        for level in range(1, trees.depth + 1):
            error = float(errors[depth == level].mean())
            yield Measurement(row.scale, name, row.dimension, row.keep, level, row.seed, error)


def slopes(rows: Sequence[Measurement]) -> dict[str, float]:
    """Slope of log error over log dimension for complete sketches by decoder, averaged over scale, depth and seed.

    Least squares, whose error is rounding, is excluded.
    """
    values = {}
    for decoder in ("identity", "matched"):
        groups: dict[tuple[str, int, int], list[tuple[float, float]]] = {}
        for row in rows:
            if row.decoder == decoder and row.keep == 1:
                point = (math.log(row.dimension), math.log(max(row.error, 1e-30)))
                groups.setdefault((row.scale, row.depth, row.seed), []).append(point)
        each = [slope(points) for points in groups.values()]
        values[decoder] = sum(each) / len(each)
    return values


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Slope of the least-squares line through points (x, y); NaN if all x are equal."""
    x, y = (torch.tensor(values, dtype=torch.float64) for values in zip(*points, strict=True))
    x = x - x.mean()
    return float(x @ y / (x @ x)) if x.any() else math.nan


def _attributes(objects: int, width: int, seed: int) -> Float[Tensor, "object attribute"]:
    draw = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(objects, width, generator=draw).abs())


def _forest(depth: int, scenes: int) -> tuple[Structure, Tensor]:
    """Binary trees, and the depth of each object; outputs have depth 1."""
    size = 2**depth - 1
    child, scene = torch.arange(size).repeat(scenes), torch.arange(scenes).repeat_interleave(size)
    number = torch.arange(size * scenes)
    root = child == 0
    parent = torch.where(root, OUTPUT, (child - 1) // 2 + scene * size)
    position = torch.where(root, 0, (child - 1) % 2)
    weight = torch.where(root, 1.0, 0.5)
    modules = tuple(f"module {index}" for index in range(size))
    return Structure(modules, child, scene, parent, number, position, weight, scenes), (child + 1).log2().long() + 1
