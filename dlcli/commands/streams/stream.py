"""`dlcli sketch stream PATH`: classical sketches of a stream, with their guarantees and, if wished, the truth."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlcli.commands.streams.reader import Source, is_saved, pieces
from dlcli.core.errors import Mismatch, Missing, UsageError, nearest
from dlcli.engine.device import computing
from dlcli.report.progress import progress
from dlcli.report.terminal_tables import print_table, say
from dlcli.runs.files import replace_file
from dlcli.sketching.streams import kinds
from dlcli.sketching.streams.exact import Exact
from dlcli.sketching.streams.saved import decode, encode
from dlcli.sketching.streams.sketch import Asked, Estimate, Sketch

_DEFAULT = "hll,frequent"


@dataclass(frozen=True)
class Wish:
    """What is asked for.

    Args:
        kinds: names with commas; None is what the saved file holds, or distinct and frequent items.
        sizes: KEY=VALUE, of every kind that has the key.
        load, merge, subtract: files of saved sketches: to go on from, to add, to take off.
        save: where the sketches go.
        exact: whether the truth is computed as well, in memory that grows with the number of distinct items.
    """

    kinds: str | None = None
    sizes: Sequence[str] = ()
    seed: int = 0
    load: Path | None = None
    merge: Sequence[Path] = ()
    subtract: Path | None = None
    save: Path | None = None
    exact: bool = False
    asked: Asked = field(default_factory=Asked)
    show: str = "auto"


def main(source: Source | None, wish: Wish, as_json: bool) -> int:
    """Sketch, and print estimates with guarantees."""
    if wish.save is not None and (wish.save.suffix != ".npz" or not wish.save.absolute().parent.is_dir()):
        raise UsageError(f"--save {wish.save}: a file FOLDER/NAME.npz, in a folder that is there")
    sketches, exact = sketch(source, wish)
    if wish.save is not None:
        replace_file(wish.save, encode(sketches))
    rows = [row for one in sketches for row in _rows(one, _asked(one, wish.asked, exact), exact)]
    if as_json:
        found: dict[str, Any] = {"sketches": [one.about() for one in sketches], "estimates": rows}
        print(json.dumps(found | ({"saved": str(wish.save)} if wish.save else {}), indent=1))  # noqa: T201
        return 0
    _print(sketches, rows, exact is not None)
    if wish.save is not None:
        say(f"saved: {wish.save}")
    return 0


def sketch(source: Source | None, wish: Wish) -> tuple[list[Sketch], Exact | None]:
    """The sketches of a stream, with saved ones added and taken off; and the truth where it is wished.

    Raises:
        UsageError, Missing, Mismatch: there is nothing to sketch, or what there is does not fit.
    """
    saved, source = _begun(source, wish)
    if wish.exact and (saved or wish.merge or wish.subtract):
        raise UsageError("--exact needs the items themselves: it is of PATH alone, without saved sketches")
    sketches = _chosen(saved, wish) if saved else _made(wish)
    exact = Exact() if wish.exact else None
    if source is not None:
        _read(source, sketches, exact, wish.show)
    for path in wish.merge:
        _with(sketches, path, "merge")
    if wish.subtract is not None:
        _with(sketches, wish.subtract, "subtract")
    return sketches, exact


def _begun(source: Source | None, wish: Wish) -> tuple[list[Sketch], Source | None]:
    """What is gone on from, and the stream that is still to be read."""
    load = wish.load
    if source is not None and is_saved(source.path):
        if load is not None:
            raise UsageError(f"--load {load}: {source.path} holds sketches too; --merge puts two together")
        load, source = Path(source.path), None
    if load is None and source is None:
        raise UsageError("nothing to sketch: PATH, or --load FILE")
    return ([] if load is None else _saved(load)), source


def _saved(path: Path) -> list[Sketch]:
    if not path.is_file():
        raise Missing(f"{path}: there is no such file")
    return decode(path.read_bytes(), str(path))


def _chosen(saved: list[Sketch], wish: Wish) -> list[Sketch]:
    """Of the saved ones those that are wished."""
    if wish.sizes:
        raise UsageError(f"{wish.sizes[0]}: saved sketches have their sizes")
    if wish.kinds is None:
        return saved
    by_kind = {one.kind: one for one in saved}
    for name in _names(wish.kinds):
        if name not in by_kind:
            raise UsageError(f"the saved file has no {name} sketch, but {', '.join(by_kind)}")
    return [by_kind[name] for name in _names(wish.kinds)]


def _names(said: str) -> list[str]:
    names = [name for name in said.split(",") if name]
    for name in names:
        if name not in kinds.KINDS:
            raise UsageError(f"no kind of sketch {name!r}{nearest(name, kinds.KINDS)}\nAll: {', '.join(kinds.KINDS)}")
    return list(dict.fromkeys(names))


def _made(wish: Wish) -> list[Sketch]:
    names = _names(wish.kinds or _DEFAULT)
    known = {key for name in names for key in kinds.SIZES[kinds.KINDS[name]]}
    sizes = {}
    for said in wish.sizes:
        key, _, value = said.partition("=")
        if key not in known:
            raise UsageError(f"{said}: {', '.join(names)} has no size {key!r}{nearest(key, known)}")
        if not value.isdecimal():
            raise UsageError(f"{said}: a whole number is wanted")
        sizes[key] = int(value)
    return [kinds.make(name, wish.seed, sizes) for name in names]


def _read(source: Source, sketches: Sequence[Sketch], exact: Exact | None, show: str) -> None:
    with computing(1), progress.choose(show, source.name, "", lambda text: None) as shown:
        items = 0
        for chunk, done in pieces(source):
            for one in sketches:
                one.update(chunk)
            if exact is not None and len(chunk):
                exact.update(chunk)
            items += len(chunk)
            shown.tick(items, done, {})


def _with(sketches: Sequence[Sketch], path: Path, how: str) -> None:
    """Add or take off what a file holds, kind by kind."""
    others = {one.kind: one for one in _saved(path)}
    for one in sketches:
        if one.kind not in others:
            raise UsageError(f"--{how} {path}: has no {one.kind} sketch, but {', '.join(others)}")
        try:
            getattr(one, how)(others[one.kind])
        except Mismatch as error:
            raise Mismatch(f"--{how} {path}: {error}") from error


def _asked(one: Sketch, asked: Asked, exact: Exact | None) -> Asked:
    """Sketches that know no names answer for the items that are truly the most frequent."""
    if asked.items or exact is None or one.kind not in ("countmin", "countsketch"):
        return asked
    return Asked(exact.top(asked.top), asked.top)


def _rows(one: Sketch, asked: Asked, exact: Exact | None) -> list[dict[str, Any]]:
    return [_row(one, estimate, exact) for estimate in one.estimates(asked)]


def _row(one: Sketch, estimate: Estimate, exact: Exact | None) -> dict[str, Any]:
    row = {"kind": one.kind, "question": estimate.question, "of": estimate.of, "estimate": estimate.value}
    row |= {"low": estimate.low, "high": None if estimate.high == float("inf") else estimate.high}
    if exact is not None:
        truth = exact.answer(estimate.question, estimate.of, one.of_vectors)
        row |= {"exact": truth, "within": estimate.low <= truth <= estimate.high}
    return row | {"guarantee": estimate.guarantee}


def _print(sketches: Sequence[Sketch], rows: Sequence[dict[str, Any]], exact: bool) -> None:
    columns = ["sketch", "of", "estimate", *(["exact", "within"] if exact else []), "guarantee"]
    cells = []
    for row in rows:
        truth = [_number(row["exact"]), "yes" if row["within"] else "NO"] if exact else []
        cells.append([row["kind"], f"{row['question']} {row['of']}".strip(), _number(row["estimate"]), *truth])
        cells[-1].append(row["guarantee"])
    print_table(columns, cells, numeric=("estimate", "exact"), whole=("sketch", "estimate", "exact", "within"))
    for one in sketches:
        about = ", ".join(f"{name} {value:,}" for name, value in one.settings.items())
        say(f"{one.kind}: {abs(one.items):,} {one.values or 'items'}{' (net)' if one.items < 0 else ''}; {about}")
        if one.kind in ("countmin", "countsketch") and not any(row["kind"] == one.kind for row in rows):
            print(f"{one.kind} knows counts, not names: --item X asks for one", file=sys.stderr)  # noqa: T201


def _number(value: float) -> str:
    """Six significant digits; whole numbers whole."""
    if abs(value) < 1e15 and value == int(value):
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(value) >= 1e5 else f"{value:.6g}"
