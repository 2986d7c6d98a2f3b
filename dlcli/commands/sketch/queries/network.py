"""The query recover-network: recovers the matrices of a network from sketches, with and without its attributes."""

import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dlcli.commands.sketch.queries.answers import parse_integer, parse_module
from dlcli.commands.sketch.store import QueryResult, SketchRun
from dlcli.core.errors import UsageError
from dlcli.report.formatting import number
from dlcli.sketching.recursive.flat import coefficients
from dlcli.sketching.recursive.network_recovery import known, recovered, unknown
from dlcli.sketching.recursive.object_graphs import module_counts
from dlcli.sketching.recursive.store import Store

_SEED = 0  # seed of the random sparse attributes
_BATCH = 32  # scenes per forward pass of the network


@dataclass(frozen=True)
class _FlatSketches:
    """Flat sketches with the attributes and matrix that produced them.

    Args:
        description: text for the output.
        attributes: [sample, column], times weights.
        sketches: [sample, dimension].
        truth: [dimension, column], the matrix.
    """

    description: str
    attributes: Tensor
    sketches: Tensor
    truth: Tensor


def recover_network(sketched: SketchRun, module: str | None, samples: str, columns: str, active: str) -> QueryResult:
    """Recover matrix columns from flat sketches.

    A store of flat sketches is used as it is, for all modules together or one of them. Recursive sketches contain
    products of matrices with more columns than scenes, so flat sketches of one module's attributes are computed
    instead. Attributes of a network are dense or equal, so that few blocks have a single active column; for
    comparison, sketches of random attributes with `active` of `columns` non-zero values are used as well.

    Args:
        sketched: the sketches.
        module: name of the module; None for all (flat) or the most frequent one (recursive).
        samples, columns, active: number of samples, and size and non-zero values of the random attributes.
    """
    store, limit, start = sketched.store, parse_integer(samples, "samples", 1), time.monotonic()
    blocks = store.about["matrices"].get("block") if store.about["matrices"]["kind"] == "block" else None
    if store.about["kind"] != "flat" and blocks is None:
        hint = "create the sketches with dlcli sketch matrix=block"
        raise UsageError("requires", key="recover-network", requirement="block-random matrices", hint=hint)
    flat = (_from_store if store.about["kind"] == "flat" else _from_network)(sketched, module, limit)
    used = flat.attributes.amax(0) > 0
    facts: dict[str, Any] = {
        "what": flat.description, "from_store": store.about["kind"] == "flat", "samples": len(flat.attributes),
        "columns": int(used.sum()), "active": float((flat.attributes > 0).sum(1).float().mean()),
        "known_error": _known_error(flat, used), "recovered": None,
    }  # fmt: skip
    error = "too few samples" if facts["known_error"] is None else f"largest error {number(facts['known_error'])}"
    sizes = f"{facts['columns']} columns, {facts['samples']:,} samples with {facts['active']:.1f} active in each"
    lines = [f"{flat.description}: {sizes}", f"attributes known:   {error}"]
    if blocks is not None:
        facts["recovered"] = recovered(unknown(flat.sketches, blocks), flat.truth[:, used])
        facts |= _recover_sparse(store, limit, columns, active)
        lines += [
            f"attributes unknown: {facts['recovered']:.0%} of the columns recovered exactly",
            f"random attributes, {facts['sparse_active']} active of {facts['sparse_columns']}, {limit:,} samples: "
            f"{facts['recovered_sparse']:.0%} of the columns recovered exactly",
        ]
    facts["seconds"] = time.monotonic() - start
    return QueryResult(facts, [*lines, f"in {facts['seconds']:.1f} s"])


def _known_error(flat: _FlatSketches, used: Tensor) -> float | None:
    """The largest error of a matrix entry; None with fewer samples than columns."""
    if int(used.sum()) > len(flat.attributes):
        return None
    matrix = known(flat.attributes[:, used].double(), flat.sketches.double())
    return float((matrix - flat.truth[:, used]).abs().max())


def _from_store(sketched: SketchRun, module: str | None, limit: int) -> _FlatSketches:
    """The sketches of the store; for one module, the contributions of the other modules are subtracted."""
    store, names = sketched.store, sketched.store.modules
    width, scale, scenes = store.about["width"], store.about["scale"], range(min(limit, len(store)))
    weighted = torch.zeros(len(scenes), len(names) * width)
    for begin in range(0, len(scenes), _BATCH):
        _, seen = sketched.seen(scenes[begin : begin + _BATCH])
        structure = seen.objects.structure
        values = seen.objects.attributes * coefficients(structure, scale).unsqueeze(1)
        rows = weighted[begin : begin + _BATCH].view(-1, width)
        rows.index_add_(0, structure.scene * len(names) + structure.module, values)
    truth = torch.cat([_matrix(store, name, width) for name in names], 1)[: store.sketches.shape[1]]
    sketches, description = store.sketches[: len(scenes)], f"all {len(names)} modules, sketches of the store"
    if module is not None:
        index = parse_module(module, names)
        own = torch.zeros(len(names) * width, dtype=torch.bool)
        own[index * width : (index + 1) * width] = True
        present = weighted[:, own].any(1)
        sketches = (sketches - weighted[:, ~own] @ truth[:, ~own].T)[present]
        weighted, truth = weighted[present][:, own], truth[:, own]
        description = f"{names[index]}, other modules known"
    return _FlatSketches(description, weighted, sketches, truth)


def _from_network(sketched: SketchRun, module: str | None, limit: int) -> _FlatSketches:
    """Flat sketches of a module's attributes alone, in the first scenes of the store."""
    store, parts, rows = sketched.store, [], 0
    counts = module_counts(store.structure).sum(0)
    index = parse_module(module, store.modules) if module is not None else int(counts.argmax())
    for begin in range(0, len(store), _BATCH):
        _, seen = sketched.seen(range(begin, min(begin + _BATCH, len(store))))
        parts.append(seen.objects.attributes[seen.objects.structure.module == index])
        rows += len(parts[-1])
        if rows >= limit:
            break
    attributes, name = torch.cat(parts)[:limit], store.modules[index]
    if not len(attributes):
        raise UsageError("not_found", kind="object", name=name, hint="no scene contains this module")
    sketches = store.matrices.attribute(name).apply(attributes)
    description = f"{name}, flat sketches computed for this query (the store is recursive; see kind=flat)"
    return _FlatSketches(description, attributes, sketches, _matrix(store, name, store.about["width"]))


def _matrix(store: Store, module: str, columns: int) -> Tensor:
    """The first columns of a module's attribute matrix, [dimension, column]."""
    return store.matrices.attribute(module).apply(torch.eye(columns)).T


def _recover_sparse(store: Store, samples: int, columns: str, active: str) -> dict[str, Any]:
    """Recover the first columns of a matrix from sketches of random sparse attributes."""
    width, nonzero = parse_integer(columns, "columns", 1), parse_integer(active, "active", 1)
    dimension = store.about["matrices"]["dimension"]
    if width > dimension:
        raise UsageError("invalid_value", key="columns", must=f"at most {dimension}, the dimension", got=width)
    if nonzero > width:
        raise UsageError("invalid_value", key="active", must=f"at most columns={width}", got=nonzero)
    draw, truth = torch.Generator().manual_seed(_SEED), _matrix(store, store.modules[0], width)
    indices = torch.rand(samples, width, generator=draw).topk(nonzero).indices
    values = torch.rand(samples, nonzero, generator=draw) + 0.1
    attributes = torch.zeros(samples, width).scatter_(1, indices, values)
    share = recovered(unknown(attributes @ truth.T, store.about["matrices"]["block"]), truth)
    return {"recovered_sparse": share, "sparse_columns": width, "sparse_active": nonzero}
