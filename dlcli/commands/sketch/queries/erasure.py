"""Questions to sketches: what is left when most of each is erased, and the bench."""

import torch

from dlcli.commands.sketch.bench import leaves, metrics
from dlcli.commands.sketch.metrics import count_errors, decode, decoders
from dlcli.commands.sketch.queries.answers import whole
from dlcli.commands.sketch.store import Answer, Sketched
from dlcli.core.errors import UsageError
from dlcli.report.formatting import number
from dlcli.sketching.recursive.benchmark import Trees, measured
from dlcli.sketching.recursive.object_graphs import counts, of_scenes
from dlcli.sketching.recursive.queries import erase as erased
from dlcli.sketching.recursive.similarity import auc
from dlcli.sketching.recursive.store import Store

_LOOKED = 32  # scenes whose attributes are decoded


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
    for name in decoders(store.about["kind"]):
        decoded = decode(name, store, sketches[some], structure, store.matrices)
        found[f"attribute_error_{name}"] = float((decoded - truth).abs().amax(1).mean())
    return found


def bench(sketched: Sketched, seeds: str) -> Answer:
    """Error of the decoders on random trees, with the store's own matrices, scale and width of attributes."""
    about = sketched.store.about
    if about["kind"] == "flat":
        raise UsageError("the bench is of recursive sketches: dlcli sketch bench")
    matrices, width = about["matrices"], about["width"]
    top = matrices["dimension"]
    sizes = [size for size in (top // 8, top // 4, top // 2, top) if size >= width] or [top]
    if len(sizes) < 2:
        raise UsageError(f"a dimension of {top} leaves one size to measure, which has no slope: dlcli sketch bench")
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
