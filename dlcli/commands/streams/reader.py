"""Streams from files: a column of a table, lines, tokens, or arrays; a piece at a time."""

import io
import pickle
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from dlcli.commands.streams.dtypes import Typed
from dlcli.core.errors import Missing, UsageError, nearest
from dlcli.sketching.streams.chunk import Chunk

_ROWS, _BYTES = 1 << 18, 1 << 22  # of a piece
_TABLES = {".csv": ",", ".tsv": "\t"}
_ARRAYS = (".npy", ".npz", ".pt")

_HELD, _KINDS = "biufU", {"f": np.float64, "U": object}  # of arrays, and what they become

Piece = tuple[Chunk, float]
"""Items, and what share of the stream is read (0 where nobody knows)."""


@dataclass(frozen=True)
class Source:
    """Where a stream comes from.

    Args:
        path: a file, or - for standard input.
        column: of a table, or the name of an array.
        tokens: words between spaces, not lines.
        values: "auto", "integers", "numbers" or "words".
    """

    path: str
    column: str | None = None
    tokens: bool = False
    values: str = "auto"

    @property
    def name(self) -> str:
        place = "standard input" if self.path == "-" else self.path
        return f"{place}, {self.column}" if self.column else place


def pieces(source: Source) -> Iterator[Piece]:
    """The stream, in order.

    Raises:
        UsageError: it is empty, has gaps or several types, or the file is no such file.
        Missing: there is no such file.
    """
    path, empty = Path(source.path), True
    if source.path != "-" and not path.is_file():
        raise Missing(f"{path}: there is no such file")
    read = _array if path.suffix in _ARRAYS else _table if _is_table(source) else _text
    if read is not _table and read is not _array and source.column:
        raise UsageError(f"--column is of tables and files of arrays; {source.path} is read line by line")
    for chunk, done in read(source):
        empty = empty and not len(chunk)
        yield chunk, done
    if empty:
        raise UsageError(f"{source.name}: there is no item in it")


def _is_table(source: Source) -> bool:
    return Path(source.path).suffix in _TABLES or (source.path == "-" and source.column is not None)


def _open(source: Source) -> tuple[Any, int]:
    """A file to read bytes from, and its length; 0 for standard input."""
    if source.path == "-":
        return sys.stdin.buffer, 0
    return Path(source.path).open("rb"), Path(source.path).stat().st_size


def _table(source: Source) -> Iterator[Piece]:
    file, length = _open(source)
    typed = Typed(source.name, source.values)
    with file:
        try:
            options: dict[str, Any] = {"sep": _TABLES.get(Path(source.path).suffix, ","), "chunksize": _ROWS}
            reader = pd.read_csv(file, dtype=str, keep_default_na=False, skip_blank_lines=False, **options)
            for frame in reader:
                texts = frame[_column(list(frame.columns), source)].replace("", None).to_numpy(dtype=object)
                yield Chunk(typed(texts)), file.tell() / length if length else 0.0
        except pd.errors.EmptyDataError as error:
            raise UsageError(f"{source.name}: there is no item in it") from error
        except (pd.errors.ParserError, UnicodeDecodeError) as error:
            raise UsageError(f"{source.name}: is no table of text ({_first_line(error)})") from error


def _column(names: list[str], source: Source) -> str:
    if source.column in names:
        return str(source.column)
    if source.column is not None:
        raise UsageError(f"{source.path}: there is no column {source.column!r}{nearest(source.column, names)}")
    if len(names) > 1:
        raise UsageError(f"{source.path}: which column? --column NAME, one of {', '.join(names[:12])}")
    return names[0]


def _text(source: Source) -> Iterator[Piece]:
    file, length = _open(source)
    typed, begun = Typed(source.name, _text_values(source)), b""
    with file:
        while block := file.read(_BYTES):
            whole, _, begun = _split(begun + block, source.tokens)
            yield Chunk(typed(_items(whole, source))), file.tell() / length if length else 0.0
        yield Chunk(typed(_items(begun, source))), 1.0


def _text_values(source: Source) -> str:
    """Words of a running text may be numbers, and are words all the same."""
    return "words" if source.tokens and source.values == "auto" else source.values


def _split(block: bytes, tokens: bool) -> tuple[bytes, bytes, bytes]:
    """What ends in the block, and what goes on in the next one."""
    place = max(block.rfind(b"\n"), block.rfind(b" ")) if tokens else block.rfind(b"\n")
    return block[: place + 1], b"", block[place + 1 :]


def _items(block: bytes, source: Source) -> np.ndarray:
    try:
        text = block.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{source.name}: is no text in UTF-8") from error
    found = text.split() if source.tokens else [line.rstrip("\r") for line in text.split("\n")]
    if not source.tokens and found and not found[-1]:
        found.pop()
    items = np.empty(len(found), dtype=object)
    items[:] = [item or None for item in found]
    return items


def _array(source: Source) -> Iterator[Piece]:
    array = _values(_loaded(source), source)
    rows = max(1, _ROWS * 4 // max(1, array[:1].size))
    for start in range(0, len(array), rows):
        part = np.ascontiguousarray(array[start : start + rows])
        part = part.astype(_KINDS.get(part.dtype.kind, np.int64))
        if part.dtype.kind == "f" and not np.isfinite(part).all():
            place = start * array[:1].size + int((~np.isfinite(part)).argmax())
            raise UsageError(f"{source.name}: value {place + 1:,} is {part[~np.isfinite(part)][0]}, which is no item")
        total = part.reshape(len(part), -1).sum(0) if part.ndim > 1 and part.dtype != object else None
        yield Chunk(part.reshape(-1), total), (start + len(part)) / len(array)


def _values(array: np.ndarray, source: Source) -> np.ndarray:
    """An array that can be a stream."""
    kind = array.dtype.kind
    if kind not in _HELD:
        raise UsageError(f"{source.name}: holds {array.dtype}; a stream is of whole numbers, floats or words")
    if kind == "u" and array.size and array.max() > np.iinfo(np.int64).max:
        raise UsageError(f"{source.name}: holds {array.max()}; whole numbers have 64 bits with their sign")
    if kind == "U":
        if source.values not in ("auto", "words"):
            raise UsageError(f"{source.name}: holds words, which --as {source.values} cannot read")
        return array.reshape(-1)
    if source.values in ("words", "integers") and (source.values == "words" or kind == "f"):
        raise UsageError(f"{source.name}: holds {array.dtype}, which --as {source.values} cannot read")
    array = array.reshape(1) if not array.ndim else array
    return array.astype(np.float64) if source.values == "numbers" and kind != "f" else array


def _loaded(source: Source) -> np.ndarray:
    path = Path(source.path)
    try:
        if path.suffix == ".pt":
            return _one_of(torch.load(path, map_location="cpu", weights_only=True, mmap=True), source)
        found = np.load(path, mmap_mode="r", allow_pickle=False)
        return found if isinstance(found, np.ndarray) else _one_of({name: found[name] for name in found.files}, source)
    except (ValueError, EOFError, OSError, RuntimeError, zipfile.BadZipFile, pickle.UnpicklingError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{path}: is no file of plain arrays, or is damaged ({_first_line(error)})") from error


def _one_of(found: Any, source: Source) -> np.ndarray:
    """The array that is meant, of a tensor or a dictionary of them."""
    if isinstance(found, dict):
        arrays = {str(name): one for name, one in found.items() if isinstance(one, (np.ndarray, torch.Tensor))}
        if source.column is None and len(arrays) != 1:
            raise UsageError(f"{source.path}: which array? --column NAME, one of {', '.join(list(arrays)[:12])}")
        if source.column is not None and source.column not in arrays:
            raise UsageError(f"{source.path}: there is no array {source.column!r}{nearest(source.column, arrays)}")
        found = arrays[source.column or next(iter(arrays))]
    if not isinstance(found, (np.ndarray, torch.Tensor)):
        raise UsageError(f"{source.path}: holds no tensor, but {type(found).__name__}")
    if isinstance(found, np.ndarray):
        return found
    return (found.float() if found.dtype in (torch.bfloat16, torch.float16) else found).detach().numpy()


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:100]


def is_saved(path: str) -> bool:
    """Whether a file is one of saved sketches, not of items."""
    from dlcli.sketching.streams.saved import holds_sketches

    if not path.endswith(".npz") or not Path(path).is_file():
        return False
    return holds_sketches(io.BytesIO(Path(path).read_bytes()))
