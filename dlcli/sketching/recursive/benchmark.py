"""How far decoders are off, against the dimension of a sketch, the depth of an object, and what was erased."""

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
class Row:
    """One measurement: the mean over objects of one depth of the largest error of an attribute's values."""

    scale: Scale
    decoder: str
    dimension: int
    keep: float
    depth: int
    seed: int
    error: float


@dataclass(frozen=True)
class Trees:
    """What is measured: binary trees of objects, each of a module of its own, with random attributes of length 1.

    Args:
        kind: of the matrices.
        dimensions: of sketches.
        keep: fractions that are kept.
        scales: of sketches.
        depth: of the trees, which have 2^depth - 1 objects.
        width: of the attributes.
        scenes: trees of each seed.
        seeds: how many; of matrices and attributes.
        exact: the largest dimension that least squares are solved for, of whole sketches.
        first: of the seeds.
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


def measured(trees: Trees, tell: Callable[[float], None]) -> Iterator[Row]:
    """All measurements; `tell` is told the part that is done."""
    structure, depth = _forest(trees.depth, trees.scenes)
    numbers = range(trees.first, trees.first + trees.seeds)
    points = [(size, seed, scale) for size in trees.dimensions for seed in numbers for scale in trees.scales]
    work, done = sum(size for size, _, _ in points), 0
    for dimension, seed, scale in points:
        matrices = Matrices(trees.kind, dimension, seed, block=trees.block, density=trees.density)
        objects = Objects(structure, _attributes(len(depth), trees.width, seed))
        whole = sketch(objects, matrices, scale)
        for keep in trees.keep:
            yield from _at(
                trees, objects, depth, erase(whole, keep), matrices, Row(scale, "", dimension, keep, 0, seed, 0.0)
            )
        done += dimension
        tell(done / work)


def _at(trees: Trees, objects: Objects, depth: Tensor, kept: Tensor, matrices: Matrices, row: Row) -> Iterator[Row]:
    for name, decoder in DECODERS.items():
        if name == "lsq" and (row.dimension > trees.exact or row.keep < 1):
            continue
        found = decoder(kept, objects.structure, matrices, trees.width, row.scale)
        wrong = (found - objects.attributes).abs().amax(1)
        for level in range(1, trees.depth + 1):
            error = float(wrong[depth == level].mean())
            yield Row(row.scale, name, row.dimension, row.keep, level, row.seed, error)


def slopes(rows: Sequence[Row]) -> dict[str, float]:
    """Of each decoder but the exact one: of log error over log dimension, whole sketches; the mean over all else."""
    found = {}
    for decoder in ("identity", "matched"):
        groups: dict[tuple[str, int, int], list[tuple[float, float]]] = {}
        for row in rows:
            if row.decoder == decoder and row.keep == 1:
                point = (math.log(row.dimension), math.log(max(row.error, 1e-30)))
                groups.setdefault((row.scale, row.depth, row.seed), []).append(point)
        each = [slope(points) for points in groups.values()]
        found[decoder] = sum(each) / len(each)
    return found


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Of a line through points, by least squares; not a number where all have one place."""
    x, y = (torch.tensor(values, dtype=torch.float64) for values in zip(*points, strict=True))
    x = x - x.mean()
    return float(x @ y / (x @ x)) if x.any() else math.nan


def _attributes(objects: int, width: int, seed: int) -> Float[Tensor, "object attribute"]:
    draw = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(objects, width, generator=draw).abs())


def _forest(depth: int, scenes: int) -> tuple[Structure, Tensor]:
    """Binary trees, and the depth of each of their objects, 1 being an output."""
    many = 2**depth - 1
    child, scene = torch.arange(many).repeat(scenes), torch.arange(scenes).repeat_interleave(many)
    number = torch.arange(many * scenes)
    root = child == 0
    parent = torch.where(root, OUTPUT, (child - 1) // 2 + scene * many)
    position = torch.where(root, 0, (child - 1) % 2)
    weight = torch.where(root, 1.0, 0.5)
    modules = tuple(f"module {place}" for place in range(many))
    return Structure(modules, child, scene, parent, number, position, weight, scenes), (child + 1).log2().long() + 1
