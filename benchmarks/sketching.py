"""How fast dlcli sketches, decodes and compares.

1. Seven objects of 64 values in three levels: matrices made, sketched and decoded (matched filter), with structured
   matrices and with dense ones; the same again with all matrices made before, as far as a gigabyte holds them.
2. A store of 10,000 scenes at dimension 1,024, each of a scene object made of three digits (modules: ten classes):
   all at once, against the same public functions called scene by scene, and against a plain recursion object by object.
   The slow arms are timed on some of the scenes; their seconds are for all.
3. The ten most similar of 100,000 sketches of dimension 1,024, against one product of matrix and vector.

python benchmarks/sketching.py [--json] [--repeats N] [--threads N]
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dlcli.sketching.recursive.decoding import matched_filter
from dlcli.sketching.recursive.matrices import Matrices
from dlcli.sketching.recursive.object_graph import OUTPUT, Objects, Structure
from dlcli.sketching.recursive.queries import similar
from dlcli.sketching.recursive.sketch import sketch

FASTER, STORE, QUERY, EQUAL = 20.0, 20.0, 1.5, 1e-4
SCENES, SOME, WIDTH, DIMENSION, SKETCHES = 10_000, 200, 16, 1024, 100_000


def unit(rows: int, width: int) -> Tensor:
    x = torch.rand(rows, width, generator=torch.Generator().manual_seed(0))
    return x / x.norm(dim=1, keepdim=True)


def tree() -> Objects:
    """Seven objects of seven modules, all weights a half."""
    child = torch.arange(7)
    parent = torch.tensor([OUTPUT, 0, 0, 1, 1, 2, 2])
    weight = torch.tensor([1.0, *[0.5] * 6])
    names = tuple(f"module {number}" for number in range(7))
    shape = Structure(names, child, torch.zeros_like(child), parent, child, (child - 1).clamp(min=0) % 2, weight, 1)
    return Objects(shape, unit(7, 64))


def scenes(count: int) -> Objects:
    """A scene object with three digits each."""
    classes = torch.randint(0, 10, (count, 3), generator=torch.Generator().manual_seed(1))
    module = torch.cat([torch.full((count, 1), 10), classes], 1).flatten()
    base = 4 * torch.arange(count).unsqueeze(1)
    parent = torch.cat([torch.full((count, 1), OUTPUT), base.expand(-1, 3)], 1).flatten()
    position = torch.tensor([0, 0, 1, 2]).repeat(count)
    weight = torch.tensor([1.0, *[1 / 3] * 3]).repeat(count)
    names = (*(f"digit {number}" for number in range(10)), "scene")
    scene = torch.arange(count).repeat_interleave(4)
    shape = Structure(names, module, scene, parent, torch.arange(4 * count), position, weight, count)
    return Objects(shape, unit(4 * count, WIDTH))


def alone(objects: Objects, scene: int) -> Objects:
    """One of `scenes`, cut out."""
    shape, rows = objects.structure, slice(4 * scene, 4 * scene + 4)
    parent = torch.where(shape.parent[rows] == OUTPUT, OUTPUT, 0)
    one = (torch.zeros(4, dtype=torch.int64), parent, torch.arange(4), shape.position[rows], shape.weight[rows], 1)
    return Objects(Structure(shape.modules, shape.module[rows], *one), objects.attributes[rows])


def plain(objects: Objects, made: Matrices, scene: int) -> Tensor:
    """The recursion of one scene as the paper writes it."""
    shape = objects.structure

    def through(operator: Any, s: Tensor) -> Tensor:
        return (s + operator.apply(s)) / 2

    def of(number: int, inside: Tensor) -> Tensor:
        name = shape.modules[int(shape.module[number])]
        own = made.attribute(name).apply(objects.attributes[number]) / 2 + made.mark(name) / 2
        pair = through(made.position(0), own) / 2 + through(made.position(1), inside) / 2
        return through(made.object(name), pair)

    nothing = torch.zeros(made.dimension)
    digits = [of(4 * scene + place + 1, nothing) for place in range(3)]
    whole = sum((through(made.position(place), s) / 3 for place, s in enumerate(digits)), nothing)
    return through(made.position(0), of(4 * scene, whole))


def timed(call: Callable[[], Any], repeats: int) -> float:
    """The median, after one round that does not count where there are several."""
    taken = []
    for _ in range(repeats + (repeats > 1)):
        begin = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken[repeats > 1 :])


def resident() -> float:
    """The most that this process had resident, in MB (Linux)."""
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024


def there_and_back(objects: Objects, made: Matrices) -> Tensor:
    return matched_filter(sketch(objects, made, "paper"), objects.structure, made, 64, "paper")


def matrices(repeats: int) -> list[dict[str, Any]]:
    """Structured ones first, so that the memory they add is theirs."""
    rows = []
    for kind, dimension, times in (("hadamard", 4096, repeats), ("hadamard", 32768, repeats), ("dense", 4096, 1)):
        objects, before = tree(), resident()
        fresh = timed(lambda: there_and_back(objects, Matrices(kind, dimension, 0)), times)  # noqa: B023
        made = Matrices(kind, dimension, 0)
        there_and_back(objects, made)
        again = timed(lambda: there_and_back(objects, made), times)  # noqa: B023
        added = resident() - before
        rows.append({"kind": kind, "dimension": dimension, "fresh_s": fresh, "made_s": again, "added_mb": added})
    return rows


def store(repeats: int) -> dict[str, Any]:
    objects, made = scenes(SCENES), Matrices("hadamard", DIMENSION, 0)
    once = timed(lambda: sketch(scenes(SCENES), made, "paper"), repeats)
    built = timed(lambda: sketch(objects, made, "paper"), repeats)
    loop = timed(lambda: [sketch(alone(objects, number), made, "paper") for number in range(SOME)], repeats)
    recursion = timed(lambda: [plain(objects, made, number) for number in range(SOME)], repeats)
    whole = sketch(objects, made, "paper")[:SOME]
    others = torch.cat([sketch(alone(objects, number), made, "paper") for number in range(SOME)])
    plainly = torch.stack([plain(objects, made, number) for number in range(SOME)])
    differs = max(float((whole - other).abs().max() / whole.abs().max()) for other in (others, plainly))
    times = SCENES / SOME
    return {
        "whole_s": once,
        "sketch_s": built,
        "loop_s": loop * times,
        "plain_s": recursion * times,
        "differs": differs,
    }


def query(repeats: int) -> dict[str, float]:
    """The two take turns, since they share a memory with everything else on the machine."""
    rows = torch.randn(SKETCHES, DIMENSION, generator=torch.Generator().manual_seed(0))
    vector = rows[17].clone()
    rounds = [
        (timed(lambda: similar(vector, rows, 10), 1), timed(lambda: torch.mv(rows, vector), 1))
        for _ in range(4 * repeats + 1)
    ]
    asked, product = (statistics.median(column) for column in zip(*rounds[1:], strict=True))
    return {"similar_s": asked, "product_s": product}


def held(what: str, true: bool) -> None:
    print(f"{what}: {'held' if true else 'NOT held'}")


def show(facts: dict[str, Any]) -> None:
    print(", ".join(f"{key} {value}" for key, value in facts.items() if not isinstance(value, (dict, list))))
    for row in facts["matrices"]:
        print(
            f"7 objects, {row['kind']:<9}{row['dimension']:>6}: {row['fresh_s']:.4f} s from nothing, "
            f"{row['made_s']:.4f} s with matrices made, {row['added_mb']:,.0f} MB more"
        )
    fast, _, dense = facts["matrices"]
    fresh, made = (dense[key] / fast[key] for key in ("fresh_s", "made_s"))
    print(f"  {fresh:.0f} times, {made:.0f} times with matrices made")
    held(f"structured {FASTER:g} times faster than dense at 4,096", dense["fresh_s"] >= FASTER * fast["fresh_s"])
    one = facts["store"]
    print(
        f"{SCENES:,} scenes: {one['whole_s']:.2f} s ({one['sketch_s']:.2f} s the sketches), scene by scene "
        f"{one['loop_s']:.1f} s ({one['loop_s'] / one['whole_s']:.0f} times), plain recursion {one['plain_s']:.1f} s "
        f"({one['plain_s'] / one['whole_s']:.0f} times); differs by {one['differs']:.1e}"
    )
    slowest = min(one["loop_s"], one["plain_s"])
    held(f"store {STORE:g} times faster than both loops", slowest >= STORE * one["whole_s"] and one["differs"] <= EQUAL)
    ask = facts["query"]
    times = ask["similar_s"] / ask["product_s"]
    print(f"{SKETCHES:,} sketches: {ask['similar_s']:.4f} s, the product {ask['product_s']:.4f} s ({times:.2f} times)")
    held(f"similarity within {QUERY:g} times a product of matrix and vector", times <= QUERY)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of words")
    parser.add_argument("--repeats", type=int, default=5, help="timed rounds (5)")
    parser.add_argument("--threads", type=int, default=1, help="of torch (1)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    facts = {
        "threads": arguments.threads,
        "cores": os.cpu_count() or 0,
        "machine": f"{platform.machine()} {platform.system()}",
        "torch": torch.__version__,
        "matrices": matrices(arguments.repeats),
        "store": store(arguments.repeats),
        "query": query(arguments.repeats),
    }
    print(json.dumps(facts, indent=2)) if arguments.json else show(facts)


if __name__ == "__main__":
    main()
