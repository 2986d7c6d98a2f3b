"""Synthetic object graphs and attributes for tests of sketches."""

import torch
from torch import Tensor

from dlcli.sketching.recursive.object_graph import OUTPUT, Objects, Structure

Edge = tuple[int, int, int, float]  # parent, child, position, weight


def structure(modules: tuple[str, ...], module: list[int], scene: list[int], edges: list[Edge]) -> Structure:
    parent, child, position, weight = zip(*edges, strict=True)
    return Structure(
        modules,
        torch.tensor(module),
        torch.tensor(scene),
        torch.tensor(parent),
        torch.tensor(child),
        torch.tensor(position),
        torch.tensor(weight),
        max(scene) + 1,
    )


def binary_tree(modules: int = 7) -> Structure:
    """Seven objects in three levels, all weights 1/2."""
    edges: list[Edge] = [(OUTPUT, 0, 0, 1.0)]
    edges += [((child - 1) // 2, child, (child - 1) % 2, 0.5) for child in range(1, 7)]
    return structure(tuple(f"m{i}" for i in range(modules)), [i % modules for i in range(7)], [0] * 7, edges)


def random_graphs(scenes: int, seed: int, modules: int = 3) -> Structure:
    """One to eight objects per scene; children have one to three parents, so depths differ and some are shared."""
    draw = torch.Generator().manual_seed(seed)

    def number(high: int) -> int:
        return int(torch.randint(high, (), generator=draw))

    module: list[int] = []
    scene: list[int] = []
    pairs: list[tuple[int, int]] = []
    for index in range(scenes):
        base, count = len(module), 1 + number(8)
        for child in range(count):
            module.append(number(modules))
            scene.append(index)
            parents = {OUTPUT if child == 0 else number(child + 1) - 1 for _ in range(1 + number(3))}
            pairs += [(parent if parent == OUTPUT else base + parent, base + child) for parent in sorted(parents)]
    readers: dict[int, list[int]] = {}
    for parent, child in pairs:
        readers.setdefault(parent if parent != OUTPUT else -1 - scene[child], []).append(child)
    edges: list[Edge] = []
    for reader, children in readers.items():
        weights = torch.rand(len(children), generator=draw) + 0.1
        positions = torch.randperm(len(children) + 1, generator=draw).tolist()
        shares = (weights / weights.sum()).tolist()
        edges += [
            (max(reader, OUTPUT), child, position, share)
            for child, position, share in zip(children, positions[:-1], shares, strict=True)
        ]
    return structure(tuple("abc"[:modules]), module, scene, edges)


def attributes(objects: int, width: int, seed: int) -> Tensor:
    rows = torch.rand(objects, width, generator=torch.Generator().manual_seed(seed))
    return rows / rows.norm(dim=1, keepdim=True)


def bag(modules: list[int], scene: list[int], count: int) -> Structure:
    """Objects at depth 1 with equal weights within their scene."""
    edges: list[Edge] = []
    for index in range(max(scene) + 1):
        children = [child for child, own in enumerate(scene) if own == index]
        edges += [(OUTPUT, child, position, 1 / len(children)) for position, child in enumerate(children)]
    return structure(tuple(f"m{i}" for i in range(count)), modules, scene, edges)


def random_objects(shape: Structure, width: int, seed: int) -> Objects:
    return Objects(shape, attributes(len(shape.module), width, seed))
