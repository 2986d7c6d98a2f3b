"""`dlcli sketch stream PATH`: estimates of stream statistics with guarantees and, optionally, exact values."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from dlcli.commands.streams.reader import StreamSource, is_saved, pieces
from dlcli.core.errors import Mismatch, Missing, UsageError
from dlcli.engine.device import numeric_settings
from dlcli.report.progress import progress
from dlcli.report.terminal_tables import print_line, print_table
from dlcli.runs.files import replace_file
from dlcli.sketching.streams import kinds
from dlcli.sketching.streams.exact import Exact
from dlcli.sketching.streams.saved import decode, encode
from dlcli.sketching.streams.sketch import ItemQuery, Sketch, StreamEstimate

_DEFAULT = "hll,frequent"
_NAME = 60  # characters of an item in the table


@dataclass(frozen=True)
class StreamRequest:
    """Options of `dlcli sketch stream`.

    Args:
        kinds: comma-separated kinds of sketches; None for those of the saved file, or hll and frequent.
        sizes: KEY=VALUE, applied to every kind that has the key.
        seed: seed of the hash functions.
        load: file of saved sketches to continue from.
        merge: files of saved sketches to merge.
        subtract: file of saved sketches to subtract.
        save: output file (.npz).
        exact: True to compute exact values, in memory proportional to the number of distinct items.
        asked: items whose counts are estimated.
        show: progress display: auto, none, ...
    """

    kinds: str | None = None
    sizes: Sequence[str] = ()
    seed: int = 0
    load: Path | None = None
    merge: Sequence[Path] = ()
    subtract: Path | None = None
    save: Path | None = None
    exact: bool = False
    asked: ItemQuery = field(default_factory=ItemQuery)
    show: str = "auto"


def main(source: StreamSource | None, wish: StreamRequest, as_json: bool) -> int:
    """Sketch a stream and print estimates with guarantees; return the exit code."""
    if wish.save is not None and (wish.save.suffix != ".npz" or not wish.save.absolute().parent.is_dir()):
        must = "a file NAME.npz in an existing folder"
        raise UsageError("invalid_value", key="--save", must=must, got=str(wish.save))
    sketches, exact = sketch(source, wish)
    if wish.save is not None:
        replace_file(wish.save, encode(sketches))
    rows = [row for each in sketches for row in _rows(each, wish.asked, exact)]
    if as_json:
        result: dict[str, Any] = {"sketches": [each.about() for each in sketches], "estimates": rows}
        print(json.dumps(result | ({"saved": str(wish.save)} if wish.save else {}), indent=1))  # noqa: T201
        return 0
    _print(sketches, rows, exact is not None)
    if wish.save is not None:
        print_line(f"saved: {wish.save}")
    return 0


def sketch(source: StreamSource | None, wish: StreamRequest) -> tuple[list[Sketch], Exact | None]:
    """Sketch a stream, merge and subtract saved sketches, and compute exact values if requested.

    Raises:
        UsageError: there is no input, or it is invalid.
        Missing: a file does not exist.
        Mismatch: sketches cannot be combined.
    """
    saved, source = _initial(source, wish)
    if wish.exact and (saved or wish.merge or wish.subtract):
        reason = "exact values require all items of PATH"
        raise UsageError("conflict", first="--exact", second="saved sketches", reason=reason)
    sketches = _select(saved, wish) if saved else _create(wish)
    exact = Exact() if wish.exact else None
    if source is not None:
        _read(source, sketches, exact, wish.show)
    for path in wish.merge:
        _combine(sketches, path, "merge")
    if wish.subtract is not None:
        _combine(sketches, wish.subtract, "subtract")
    return sketches, exact


def _initial(source: StreamSource | None, wish: StreamRequest) -> tuple[list[Sketch], StreamSource | None]:
    """Saved sketches to continue from, and the stream to read."""
    load = wish.load
    if source is not None and is_saved(source.path):
        if load is not None:
            second = f"the saved sketches {source.path}"
            raise UsageError("conflict", first="--load", second=second, hint="--merge FILE merges saved sketches")
        load, source = Path(source.path), None
    if load is None and source is None:
        raise UsageError("required", key="PATH or --load FILE")
    return ([] if load is None else _read_saved(load)), source


def _read_saved(path: Path) -> list[Sketch]:
    if not path.is_file():
        raise Missing("missing_file", path=str(path))
    return decode(path.read_bytes(), str(path))


def _select(saved: list[Sketch], wish: StreamRequest) -> list[Sketch]:
    """The saved sketches of the requested kinds."""
    if wish.sizes:
        reason = "the sizes of saved sketches are fixed"
        raise UsageError("conflict", first=wish.sizes[0], second="saved sketches", reason=reason)
    if wish.kinds is None:
        return saved
    by_kind = {each.kind: each for each in saved}
    for name in _parse_kinds(wish.kinds):
        if name not in by_kind:
            raise UsageError("not_found", kind="saved sketch", name=name, known=by_kind)
    return [by_kind[name] for name in _parse_kinds(wish.kinds)]


def _parse_kinds(text: str) -> list[str]:
    """Distinct kinds of a comma-separated list.

    Raises:
        UsageError: a kind is unknown.
    """
    names = [name for name in text.split(",") if name]
    for name in names:
        if name not in kinds.KINDS:
            hint = f"kinds: {', '.join(kinds.KINDS)}"
            raise UsageError("unknown_name", kind="sketch", name=name, known=kinds.KINDS, hint=hint)
    return list(dict.fromkeys(names))


def _create(wish: StreamRequest) -> list[Sketch]:
    names = _parse_kinds(wish.kinds or _DEFAULT)
    known = {key for name in names for key in kinds.SIZES[kinds.KINDS[name]]}
    sizes = {}
    for text in wish.sizes:
        key, _, value = text.partition("=")
        if key not in known:
            raise UsageError("unknown_name", kind=f"size of {', '.join(names)}:", name=key, known=known)
        if not value.isdecimal():
            raise UsageError("invalid_value", key=key, must="a whole number", got=value)
        sizes[key] = int(value)
    return [kinds.make(name, wish.seed, sizes) for name in names]


def _read(source: StreamSource, sketches: Sequence[Sketch], exact: Exact | None, show: str) -> None:
    with numeric_settings(1), progress.create_display(show, source.name, "", lambda text: None) as shown:
        items = 0
        for chunk, done in pieces(source):
            for each in sketches:
                each.update(chunk)
            if exact is not None and len(chunk):
                exact.update(chunk)
            items += len(chunk)
            shown.tick(items, done, {})


def _combine(sketches: Sequence[Sketch], path: Path, operation: Literal["merge", "subtract"]) -> None:
    """Merge or subtract the saved sketches of a file, kind by kind."""
    others = {other.kind: other for other in _read_saved(path)}
    for each in sketches:
        if each.kind not in others:
            subject, got = f"--{operation} {path}", ", ".join(others)
            raise UsageError("mismatch", subject=subject, requirement=f"a {each.kind} sketch", got=got)
        try:
            (each.merge if operation == "merge" else each.subtract)(others[each.kind])
        except Mismatch as error:
            raise Mismatch(error.code, **{**error.fields, "subject": f"--{operation} {path}: {each.kind}"}) from error


def _rows(each: Sketch, asked: ItemQuery, exact: Exact | None) -> list[dict[str, Any]]:
    """Rows of one sketch. Sketches that store no item names report the truly most frequent items, if known."""
    if not asked.items and exact is not None and each.kind in ("countmin", "countsketch"):
        asked = ItemQuery(exact.top(asked.top), asked.top)
    return [_row(each, estimate, exact) for estimate in each.estimates(asked)]


def _row(each: Sketch, estimate: StreamEstimate, exact: Exact | None) -> dict[str, Any]:
    row = {"kind": each.kind, "question": estimate.question, "of": estimate.of, "estimate": estimate.value}
    row |= {"low": estimate.low, "high": None if estimate.high == float("inf") else estimate.high}
    if exact is not None:
        truth = exact.answer(estimate.question, estimate.of, each.of_vectors)
        row |= {"exact": truth, "within": estimate.low <= truth <= estimate.high}
    return row | {"guarantee": estimate.guarantee}


def _print(sketches: Sequence[Sketch], rows: Sequence[dict[str, Any]], exact: bool) -> None:
    columns = ["sketch", "of", "estimate", *(["exact", "within"] if exact else []), "guarantee"]
    cells = []
    for row in rows:
        truth = [_number(row["exact"]), "yes" if row["within"] else "NO"] if exact else []
        of = row["of"] if len(row["of"]) <= _NAME else f"{row['of'][:_NAME]}..."
        cells.append([row["kind"], f"{row['question']} {of}".strip(), _number(row["estimate"]), *truth])
        cells[-1].append(row["guarantee"])
    print_table(columns, cells, numeric=("estimate", "exact"), whole=("sketch", "estimate", "exact", "within"))
    for each in sketches:
        about = ", ".join(f"{name} {value:,}" for name, value in each.settings.items())
        print_line(
            f"{each.kind}: {abs(each.items):,} {each.values or 'items'}{' (net)' if each.items < 0 else ''}; {about}"
        )
        if each.kind in ("countmin", "countsketch") and not any(row["kind"] == each.kind for row in rows):
            print(f"{each.kind} stores no item names: --item X reports the count of X", file=sys.stderr)  # noqa: T201


def _number(value: float) -> str:
    """Six significant digits; integers in full."""
    if abs(value) < 1e15 and value == int(value):
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(value) >= 1e5 else f"{value:.6g}"
