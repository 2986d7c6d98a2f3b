"""The question what network made some sketches: the columns of its matrices, with its attributes known and unknown."""

import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dlcli.commands.sketch.queries.answers import module_of, whole
from dlcli.commands.sketch.store import Answer, Sketched
from dlcli.core.errors import UsageError
from dlcli.report.formatting import number
from dlcli.sketching.recursive.flat import coefficients
from dlcli.sketching.recursive.network_recovery import known, recovered, unknown
from dlcli.sketching.recursive.object_graphs import counts
from dlcli.sketching.recursive.store import Store

_DRAWN = 0  # seed of sparse attributes
_AT_ONCE = 32  # scenes that the network reads


@dataclass(frozen=True)
class _Flat:
    """Flat sketches and what they are of.

    Args:
        what: for people.
        attributes: [sample, column], times weights.
        sketches: [sample, dimension].
        truth: [dimension, column].
    """

    what: str
    attributes: Tensor
    sketches: Tensor
    truth: Tensor


def recover_network(sketched: Sketched, module: str | None, samples: str, columns: str, active: str) -> Answer:
    """Of flat sketches the store's own are read: all its modules' matrices at once, or one of them.

    Recursive ones hold products of matrices, more columns than there are scenes: there flat sketches are made afresh
    of one module's attributes. The network's own attributes are dense (half of a pose's values), or equal (counts), so
    that few blocks are pure; beside them stand sketches of random attributes with `active` of `columns` values.
    """
    store, wanted, begun = sketched.store, whole(samples, "samples", 1), time.monotonic()
    blocks = store.about["matrices"].get("block") if store.about["matrices"]["kind"] == "block" else None
    if store.about["kind"] != "flat" and blocks is None:
        raise UsageError("recover-network needs the blocks of block-random matrices: dlcli sketch matrix=block")
    own = (_of_store if store.about["kind"] == "flat" else _afresh)(sketched, module, wanted)
    used = own.attributes.amax(0) > 0
    facts: dict[str, Any] = {
        "what": own.what, "from_store": store.about["kind"] == "flat", "samples": len(own.attributes),
        "columns": int(used.sum()), "active": float((own.attributes > 0).sum(1).float().mean()),
        "known_error": _known_error(own, used), "recovered": None,
    }  # fmt: skip
    error = "too few samples" if facts["known_error"] is None else f"largest error {number(facts['known_error'])}"
    sizes = f"{facts['columns']} columns, {facts['samples']:,} samples with {facts['active']:.1f} active in each"
    lines = [
        f"{own.what}: {sizes}",
        f"attributes known:   {error}",
    ]
    if blocks is not None:
        facts["recovered"] = recovered(unknown(own.sketches, blocks), own.truth[:, used])
        facts |= _sparse(store, wanted, columns, active)
        lines += [
            f"attributes unknown: {facts['recovered']:.0%} of the columns exactly",
            f"random attributes instead, {facts['sparse_active']} active of {facts['sparse_columns']}, "
            f"{wanted:,} samples: {facts['recovered_sparse']:.0%} of the columns exactly",
        ]
    facts["seconds"] = time.monotonic() - begun
    return Answer(facts, [*lines, f"in {facts['seconds']:.1f} s"])


def _known_error(own: _Flat, used: Tensor) -> float | None:
    """The largest error of an entry; None with fewer samples than columns."""
    if int(used.sum()) > len(own.attributes):
        return None
    found = known(own.attributes[:, used].double(), own.sketches.double())
    return float((found - own.truth[:, used]).abs().max())


def _of_store(sketched: Sketched, module: str | None, wanted: int) -> _Flat:
    """The sketches themselves; without the part of the others' where one module is asked for."""
    store, names = sketched.store, sketched.store.modules
    width, scale, some = store.about["width"], store.about["scale"], range(min(wanted, len(store)))
    weighed = torch.zeros(len(some), len(names) * width)
    for begin in range(0, len(some), _AT_ONCE):
        _, seen = sketched.seen(some[begin : begin + _AT_ONCE])
        structure = seen.objects.structure
        values = seen.objects.attributes * coefficients(structure, scale).unsqueeze(1)
        rows = weighed[begin : begin + _AT_ONCE].view(-1, width)
        rows.index_add_(0, structure.scene * len(names) + structure.module, values)
    truth = torch.cat([_matrix(store, name, width) for name in names], 1)[: store.sketches.shape[1]]
    sketches, what = store.sketches[: len(some)], f"all {len(names)} modules, from the sketches of the store"
    if module is not None:
        which = module_of(module, names)
        mine = torch.zeros(len(names) * width, dtype=torch.bool)
        mine[which * width : (which + 1) * width] = True
        there = weighed[:, mine].any(1)
        sketches = (sketches - weighed[:, ~mine] @ truth[:, ~mine].T)[there]
        weighed, truth, what = weighed[there][:, mine], truth[:, mine], f"{names[which]}, the other modules known"
    return _Flat(what, weighed, sketches, truth)


def _afresh(sketched: Sketched, module: str | None, wanted: int) -> _Flat:
    """Sketches of a module's attributes alone, in the store's first scenes."""
    store, found, many = sketched.store, [], 0
    which = module_of(module, store.modules) if module is not None else int(counts(store.structure).sum(0).argmax())
    for begin in range(0, len(store), _AT_ONCE):
        _, seen = sketched.seen(range(begin, min(begin + _AT_ONCE, len(store))))
        found.append(seen.objects.attributes[seen.objects.structure.module == which])
        many += len(found[-1])
        if many >= wanted:
            break
    attributes, name = torch.cat(found)[:wanted], store.modules[which]
    if not len(attributes):
        raise UsageError(f"no scene has an object of {name}, so that nothing is sketched")
    flat = store.matrices.attribute(name).apply(attributes)
    what = f"{name}, flat sketches made afresh (those of the store are recursive: kind=flat)"
    return _Flat(what, attributes, flat, _matrix(store, name, store.about["width"]))


def _matrix(store: Store, module: str, columns: int) -> Tensor:
    """The first columns of a module's matrix of attributes."""
    return store.matrices.attribute(module).apply(torch.eye(columns)).T


def _sparse(store: Store, samples: int, columns: str, active: str) -> dict[str, Any]:
    """The share of a matrix's first columns that sketches of sparse attributes give away."""
    width, few = whole(columns, "columns", 1), whole(active, "active", 1)
    top = store.about["matrices"]["dimension"]
    if not few <= width <= top:
        raise UsageError(f"active={few} of columns={width}: at most the dimension, {top}")
    draw, truth = torch.Generator().manual_seed(_DRAWN), _matrix(store, store.modules[0], width)
    there = torch.rand(samples, width, generator=draw).topk(few).indices
    attributes = torch.zeros(samples, width).scatter_(1, there, torch.rand(samples, few, generator=draw) + 0.1)
    share = recovered(unknown(attributes @ truth.T, store.about["matrices"]["block"]), truth)
    return {"recovered_sparse": share, "sparse_columns": width, "sparse_active": few}
