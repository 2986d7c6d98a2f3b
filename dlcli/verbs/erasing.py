"""Questions to sketches: what is left when most of each is erased, what network made them, and the bench."""

import time
from typing import Any

import torch

from dlcli.core.errors import UsageError
from dlcli.report.words import number
from dlcli.sketching.asking import erase as erased
from dlcli.sketching.benching import Trees, measured
from dlcli.sketching.graphs import counts, of_scenes
from dlcli.sketching.likeness import auc
from dlcli.sketching.operators import Operator
from dlcli.sketching.recovery import known, recovered, unknown
from dlcli.sketching.store import Store
from dlcli.verbs.bench import leaves, metrics
from dlcli.verbs.fidelity import DECODERS, count_errors, decode
from dlcli.verbs.questions import module_of, whole
from dlcli.verbs.sketched import Answer, Sketched

_LOOKED = 32  # scenes whose attributes are decoded
_DRAWN = 0  # seed of sparse attributes


def erase(sketched: Sketched, keep: str) -> Answer:
    """Counts, likeness and attributes from fractions of each sketch, beside those from the whole."""
    shares = [fraction(word) for word in keep.split(",")]
    store = sketched.store
    cuts = {share: erased(store.sketches, share) for share in (1.0, *shares)}
    rows = {share: _measured(sketched, store, cut) for share, cut in cuts.items()}
    names = list(rows[1.0])
    lines = ["  ".join([f"{'kept':>8}", *(f"{name:>24}" for name in names)])]
    for share, row in rows.items():
        lines.append("  ".join([f"{share:>8g}", *(f"{number(row[name]):>24}" for name in names)]))
    each = [{"keep": share, "dimension": cuts[share].shape[1], **rows[share]} for share in shares]
    facts = {"keep": shares[-1], "dimension": cuts[shares[-1]].shape[1], "whole": rows[1.0], "kept": rows[shares[-1]]}
    return Answer({**facts, "each": each}, lines)


def fraction(word: str) -> float:
    """A share of a sketch.

    Raises:
        UsageError: it is no number in (0, 1].
    """
    try:
        found = float(word)
    except ValueError:
        found = 0.0
    if not 0 < found <= 1:
        raise UsageError(f"keep is a fraction in (0, 1], not {word!r}")
    return found


def _measured(sketched: Sketched, store: Store, sketches: torch.Tensor) -> dict[str, float]:
    found = {"auc": auc(sketches, counts(store.structure)), **count_errors(store, sketches)}
    some = torch.arange(min(_LOOKED, len(store)))
    structure, _ = of_scenes(store.structure, some)
    _, seen = sketched.seen(some.tolist())
    truth = seen.objects.attributes[of_scenes(seen.objects.structure, some)[1]]
    for name in DECODERS if store.about["kind"] == "recursive" else ("identity",):
        decoded = decode(name, store, sketches[some], structure, store.matrices)
        found[f"attribute_error_{name}"] = float((decoded - truth).abs().amax(1).mean())
    return found


def recover_network(sketched: Sketched, module: str | None, samples: str, columns: str, active: str) -> Answer:
    """The columns of a module's matrix, from flat sketches: with attributes known, and from the sketches alone.

    The network's own attributes are dense (half of a pose's values), or equal (counts), so that few blocks are pure;
    beside them stand sketches of as many random attributes with `active` of `columns` values.
    """
    store, wanted = sketched.store, whole(samples, "samples", 1)
    if store.about["matrices"]["kind"] != "block":
        raise UsageError("recover-network needs the blocks of block-random matrices: dlcli sketch matrix=block")
    which = module_of(module, store.modules) if module is not None else int(counts(store.structure).sum(0).argmax())
    attributes = _attributes(sketched, which, wanted)
    matrices, begun = store.matrices, time.monotonic()
    operator = matrices.attribute(store.modules[which])
    truth = operator.apply(torch.eye(store.about["width"])).T
    used = attributes.amax(0) > 0
    flat = operator.apply(attributes)
    plain = known(attributes[:, used], flat) if int(used.sum()) <= len(attributes) else None
    found = unknown(flat, store.about["matrices"]["block"])
    facts: dict[str, Any] = {
        "module": store.modules[which], "samples": len(attributes), "columns": int(used.sum()),
        "active": float((attributes > 0).sum(1).float().mean()),
        "known_error": float((plain - truth[:, used]).abs().max()) if plain is not None else None,
        "recovered_own": recovered(found, truth[:, used]), 
        **_sparse(store, operator, wanted, columns, active), "seconds": time.monotonic() - begun,
    }  # fmt: skip
    error = "too few samples" if facts["known_error"] is None else f"largest error {number(facts['known_error'])}"
    lines = [
        f"{facts['module']}: {facts['columns']} columns from {facts['samples']:,} samples, "
        f"{facts['active']:.1f} of them active in each",
        f"attributes known:   {error}",
        f"attributes unknown: {facts['recovered_own']:.0%} of the columns exactly",
        f"attributes unknown, {facts['sparse_active']} active of {facts['sparse_columns']}, "
        f"{facts['sparse_samples']:,} samples: {facts['recovered']:.0%} of the columns exactly",
        f"in {facts['seconds']:.1f} s",
    ]
    return Answer(facts, lines)


def _sparse(store: Store, operator: Operator, samples: int, columns: str, active: str) -> dict[str, Any]:
    """The share of a matrix's first columns that sketches of sparse attributes give away."""
    width, few = whole(columns, "columns", 1), whole(active, "active", 1)
    if not few <= width <= store.about["matrices"]["dimension"]:
        raise UsageError(
            f"active={few} of columns={width}: at most the dimension, {store.about['matrices']['dimension']}"
        )
    draw = torch.Generator().manual_seed(_DRAWN)
    there = torch.rand(samples, width, generator=draw).topk(few).indices
    attributes = torch.zeros(samples, width).scatter_(1, there, torch.rand(samples, few, generator=draw) + 0.1)
    found = unknown(operator.apply(attributes), store.about["matrices"]["block"])
    share = recovered(found, operator.apply(torch.eye(width)).T)
    return {"recovered": share, "sparse_samples": samples, "sparse_columns": width, "sparse_active": few}


def _attributes(sketched: Sketched, module: int, wanted: int) -> torch.Tensor:
    """Of a module's objects in the store's first scenes."""
    store, found, many = sketched.store, [], 0
    for begin in range(0, len(store), 256):
        _, seen = sketched.seen(range(begin, min(begin + 256, len(store))))
        found.append(seen.objects.attributes[seen.objects.structure.module == module])
        many += len(found[-1])
        if many >= wanted:
            break
    return torch.cat(found)[:wanted]


def bench(sketched: Sketched, seeds: str) -> Answer:
    """Error of the decoders on random trees, with the store's own matrices, scale and width of attributes."""
    about = sketched.store.about
    if about["kind"] == "flat":
        raise UsageError("the bench is of recursive sketches: dlcli sketch bench")
    matrices, width = about["matrices"], about["width"]
    top = matrices["dimension"]
    sizes = [size for size in (top // 8, top // 4, top // 2, top) if size >= width] or [top]
    more = {name: matrices[name] for name in ("block", "density") if name in matrices}
    trees = Trees(
        matrices["kind"], sizes, (1.0, 0.5, 0.25), (about["scale"],), depth=3, width=width, scenes=2,
        seeds=whole(seeds, "seeds", 1), exact=1024, **more,
    )  # fmt: skip
    rows = list(measured(trees, lambda done: None))
    found = metrics(rows)
    slopes = {name: found[f"slope_{name}"] for name in ("identity", "matched")}
    lines = [f"slope of log error over log dimension, {name}: {value:.3f}" for name, value in slopes.items()]
    files = sketched.keep(leaves(rows))
    return Answer({"slopes": slopes, "metrics": found, "dimensions": sizes}, lines, files)
