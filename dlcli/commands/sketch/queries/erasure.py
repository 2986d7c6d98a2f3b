"""Queries of sketches: accuracy after erasure, and the decoder benchmark on the store's matrices."""

import torch

from dlcli.commands.sketch.bench import artifacts, metrics
from dlcli.commands.sketch.metrics import DECODED_SCENES, count_errors, decode, decoders
from dlcli.commands.sketch.queries.answers import parse_integer
from dlcli.commands.sketch.store import QueryResult, SketchRun
from dlcli.core.errors import UsageError
from dlcli.report.formatting import number
from dlcli.sketching.recursive.benchmark import TreeBenchmark, measure
from dlcli.sketching.recursive.object_graphs import module_counts, select_scenes
from dlcli.sketching.recursive.queries import erase as erase_sketches
from dlcli.sketching.recursive.similarity import auc
from dlcli.sketching.recursive.store import Store


def erase(sketched: SketchRun, keep: str) -> QueryResult:
    """Measure counts, similarity and attributes after erasure.

    Args:
        sketched: the sketches.
        keep: comma-separated fractions of each sketch that are kept.
    """
    fractions = [parse_fraction(text) for text in keep.split(",")]
    store = sketched.store
    sketches = {fraction: erase_sketches(store.sketches, fraction) for fraction in (1.0, *fractions)}
    rows = {fraction: _measure(sketched, store, part) for fraction, part in sketches.items()}
    names = list(rows[1.0])
    lines = ["  ".join([f"{'kept':>8}", *(f"{name:>24}" for name in names)])]
    for fraction, row in rows.items():
        lines.append("  ".join([f"{fraction:>8g}", *(f"{number(row[name]):>24}" for name in names)]))
    each = [
        {"keep": fraction, "dimension": sketches[fraction].shape[1], **rows[fraction]} for fraction in fractions
    ]  # fmt: skip
    last = fractions[-1]
    facts = {"keep": last, "dimension": sketches[last].shape[1], "whole": rows[1.0], "kept": rows[last]}
    return QueryResult({**facts, "each": each}, lines)


def parse_fraction(text: str) -> float:
    """The fraction of a sketch that is kept.

    Raises:
        UsageError: the text is not a number in (0, 1].
    """
    try:
        fraction = float(text)
    except ValueError:
        fraction = 0.0
    if not 0 < fraction <= 1:
        raise UsageError("invalid_value", key="keep", must="a fraction in (0, 1]", got=text)
    return fraction


def _measure(sketched: SketchRun, store: Store, sketches: torch.Tensor) -> dict[str, float]:
    values = {"auc": auc(sketches, module_counts(store.structure)), **count_errors(store, sketches)}
    scenes = torch.arange(min(DECODED_SCENES, len(store)))
    structure, _ = select_scenes(store.structure, scenes)
    _, seen = sketched.seen(scenes.tolist())
    truth = seen.objects.attributes[select_scenes(seen.objects.structure, scenes)[1]]
    for name in decoders(store.about["kind"]):
        decoded = decode(name, store, sketches[scenes], structure, store.matrices)
        values[f"attribute_error_{name}"] = float((decoded - truth).abs().amax(1).mean())
    return values


def bench(sketched: SketchRun, seeds: str) -> QueryResult:
    """Measure decoder errors on random trees with the matrices, scale and attribute width of the store."""
    about = sketched.store.about
    if about["kind"] == "flat":
        hint = "dlcli sketch bench measures recursive sketches"
        raise UsageError("unsupported", subject="kind=flat", feature="bench", hint=hint)
    matrices, width = about["matrices"], about["width"]
    top = matrices["dimension"]
    sizes = [size for size in (top // 8, top // 4, top // 2, top) if size >= width] or [top]
    if len(sizes) < 2:
        requirement = f"a dimension of at least {2 * width}"
        hint = "dlcli sketch bench measures other dimensions"
        raise UsageError("mismatch", subject="bench", requirement=requirement, got=top, hint=hint)
    options = {name: matrices[name] for name in ("block", "density") if name in matrices}
    trees = TreeBenchmark(
        matrices["kind"], sizes, (1.0, 0.5, 0.25), (about["scale"],), depth=3, width=width, scenes=2,
        seeds=parse_integer(seeds, "seeds", 1), exact=1024, **options,
    )  # fmt: skip
    rows = list(measure(trees, lambda done: None))
    values = metrics(rows)
    slopes = {name: values[f"slope_{name}"] for name in ("identity", "matched")}
    lines = [f"slope of log error over log dimension, {name}: {value:.3f}" for name, value in slopes.items()]
    files = sketched.keep(artifacts(rows))
    return QueryResult({"slopes": slopes, "metrics": values, "dimensions": sizes}, lines, files)
