"""Registry of sketch kinds with their default sizes."""

from collections.abc import Mapping

from dlcli.core.errors import UsageError
from dlcli.sketching.streams.ams import AMS
from dlcli.sketching.streams.count_min import CountMin
from dlcli.sketching.streams.count_sketch import CountSketch
from dlcli.sketching.streams.entropy import Entropy
from dlcli.sketching.streams.fast_ams import FastAMS
from dlcli.sketching.streams.frequent import Frequent
from dlcli.sketching.streams.hll import HLL
from dlcli.sketching.streams.jl import JL
from dlcli.sketching.streams.kll import KLL
from dlcli.sketching.streams.norms import Norms
from dlcli.sketching.streams.sketch import Sketch

SIZES: dict[type[Sketch], dict[str, int]] = {
    HLL: {"log2": 12},
    KLL: {"size": 200},
    CountMin: {"rows": 5, "width": 2048},
    CountSketch: {"rows": 5, "width": 2048},
    AMS: {"means": 5, "copies": 256},
    FastAMS: {"rows": 5, "width": 2048},
    Frequent: {"log2": 12},
    Entropy: {"samples": 4096},
    JL: {"components": 1024},
    Norms: {"projections": 256, "rows": 5, "width": 2048},
}
KINDS = {kind.kind: kind for kind in SIZES}
_SEEDLESS = (KLL, Frequent)


def make(name: str, seed: int, sizes: Mapping[str, int]) -> Sketch:
    """Create an empty sketch.

    Args:
        name: a key of `KINDS`.
        seed: seed of the hash functions; ignored by kinds without one.
        sizes: sizes by name; names that the kind does not have are ignored.

    Raises:
        UsageError: the kind is unknown or a size is out of range.
    """
    if name not in KINDS:
        raise UsageError("unknown_name", kind="sketch", name=name, known=KINDS)
    kind = KINDS[name]
    own = {key: sizes.get(key, value) for key, value in SIZES[kind].items()}
    return kind(**own) if kind in _SEEDLESS else kind(**own, seed=seed)
