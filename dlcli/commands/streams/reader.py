"""Streams read chunk by chunk: lines or tokens of text, a column of a table, or an array."""

import bz2
import gzip
import io
import lzma
import pickle
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dlcli.commands.streams.dtypes import ItemParser
from dlcli.core.errors import Missing, UsageError
from dlcli.sketching.streams.chunk import Chunk

_ROWS, _BYTES = 1 << 18, 1 << 22  # rows and bytes per chunk
_TABLES = {".csv": ",", ".tsv": "\t"}
_ARRAYS = (".npy", ".npz", ".pt")
_OPEN: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_COMPRESSED = (*_OPEN, ".zst")
_BROKEN = (EOFError, OSError, zlib.error, lzma.LZMAError)

_DTYPE_KINDS, _CONVERSIONS = "biufU", {"f": np.float64, "U": object}  # accepted arrays, and their item dtypes

Piece = tuple[Chunk, float]
"""A chunk, and the fraction of the stream read so far (0 if unknown)."""


@dataclass(frozen=True)
class StreamSource:
    """Location and format of a stream.

    Args:
        path: a file or named pipe, or - for standard input. The suffixes .gz, .bz2, .xz and .zst are decompressed.
        column: column of a table, or array in the file.
        tokens: True for whitespace-separated words in place of lines.
        values: item type: "auto" (words for text, the array's type otherwise), "words", "integers" or "floats".
        skip_empty: True to ignore empty rows.
    """

    path: str
    column: str | None = None
    tokens: bool = False
    values: str = "auto"
    skip_empty: bool = False

    @property
    def name(self) -> str:
        path = "standard input" if self.path == "-" else self.path
        return f"{path}, {self.column}" if self.column else path

    @property
    def suffix(self) -> str:
        """File format: the suffix below that of the compression."""
        path = Path(self.path)
        return (path.with_suffix("") if path.suffix in _COMPRESSED else path).suffix


def pieces(source: StreamSource) -> Iterator[Piece]:
    """Read the chunks of a stream in order.

    Raises:
        UsageError: the stream is empty, has empty rows, or the file is invalid.
        Missing: the file does not exist.
    """
    path, empty = Path(source.path), True
    if source.path != "-" and (not path.exists() or path.is_dir()):
        raise Missing("missing_file", path=str(path))
    if source.suffix in _ARRAYS:
        if path.suffix in _COMPRESSED:
            raise UsageError("unsupported", subject=source.path, feature="compression", hint=f"gunzip {source.path}")
        read = _array
    else:
        read = _table if _is_table(source) else _text
    if read is _text and source.column:
        hint = f"{source.path} is read line by line"
        raise UsageError("requires", key="--column", requirement="a table (.csv, .tsv) or a file of arrays", hint=hint)
    for chunk, done in read(source):
        empty = empty and not len(chunk)
        yield chunk, done
    if empty:
        raise UsageError("invalid_data", path=source.name, problem="is empty")


def _is_table(source: StreamSource) -> bool:
    return source.suffix in _TABLES or (source.path == "-" and source.column is not None)


def _open(source: StreamSource) -> tuple[Any, Callable[[], float]]:
    """A binary file object, decompressed, and a function that returns the fraction read (0 if unknown)."""
    if source.path == "-":
        return sys.stdin.buffer, lambda: 0.0
    path = Path(source.path)
    raw, length = path.open("rb"), path.stat().st_size
    file: Any = raw
    if path.suffix == ".zst":
        file = _zstandard().ZstdDecompressor().stream_reader(raw, read_across_frames=True)
    elif path.suffix in _COMPRESSED:
        file = _OPEN[path.suffix](raw)
    return file, lambda: raw.tell() / length if length else 0.0


def _zstandard() -> Any:
    try:
        import zstandard
    except ImportError:
        hint = "pip install zstandard"
        raise Missing("missing_package", feature="reading .zst files", package="zstandard", hint=hint) from None
    return zstandard


def _table(source: StreamSource) -> Iterator[Piece]:
    file, done = _open(source)
    parser = ItemParser(source.name, source.values, skip_empty=source.skip_empty)
    with file:
        try:
            options: dict[str, Any] = {"sep": _TABLES.get(source.suffix, ","), "chunksize": _ROWS}
            reader = pd.read_csv(file, dtype=str, keep_default_na=False, skip_blank_lines=False, **options)
            for frame in reader:
                texts = frame[_column(list(frame.columns), source)].replace("", None).to_numpy(dtype=object)
                yield Chunk(parser(texts)), done()
        except pd.errors.EmptyDataError as error:
            raise UsageError("invalid_data", path=source.name, problem="is empty") from error
        except (pd.errors.ParserError, UnicodeDecodeError) as error:
            problem = f"not a readable table ({_first_line(error)})"
            raise UsageError("invalid_data", path=source.name, problem=problem) from error
        except _BROKEN as error:
            raise UsageError("damaged", path=source.name, problem=_first_line(error)) from error


def _column(names: list[str], source: StreamSource) -> str:
    if source.column in names:
        return str(source.column)
    if source.column is not None:
        raise UsageError("unknown_name", kind=f"column of {source.path}:", name=source.column, known=names)
    if len(names) > 1:
        hint = f"columns of {source.path}: {', '.join(names[:12])}"
        raise UsageError("required", key="--column NAME", reason="the table has several columns", hint=hint)
    return names[0]


def _text(source: StreamSource) -> Iterator[Piece]:
    file, done = _open(source)
    parser, remainder = ItemParser(source.name, source.values, skip_empty=source.skip_empty), b""
    with file:
        try:
            while block := file.read(_BYTES):
                block = remainder + block
                end = max(block.rfind(b"\n"), block.rfind(b" ") if source.tokens else -1) + 1
                complete, remainder = block[:end], block[end:]
                yield Chunk(parser(_items(complete, source))), done()
        except _BROKEN as error:
            raise UsageError("damaged", path=source.name, problem=_first_line(error)) from error
        yield Chunk(parser(_items(remainder, source))), 1.0


def _items(block: bytes, source: StreamSource) -> np.ndarray:
    """Object array of texts: tokens, or lines with None for empty ones."""
    try:
        text = block.decode()
    except UnicodeDecodeError as error:
        hint = f"if it is compressed, pipe it: zcat {source.path} | dlcli sketch stream -"
        raise UsageError("invalid_data", path=source.name, problem="not UTF-8 text", hint=hint) from error
    texts = text.split() if source.tokens else [line.rstrip("\r") for line in text.split("\n")]
    if not source.tokens and texts and not texts[-1]:
        texts.pop()
    items = np.empty(len(texts), dtype=object)
    items[:] = [item or None for item in texts]
    return items


def _array(source: StreamSource) -> Iterator[Piece]:
    array = _checked(_load_array(source), source)
    rows = max(1, _ROWS * 4 // max(1, array[:1].size))
    for start in range(0, len(array), rows):
        part = np.ascontiguousarray(array[start : start + rows])
        part = part.astype(_CONVERSIONS.get(part.dtype.kind, np.int64))
        if part.dtype.kind == "f" and not np.isfinite(part).all():
            index = start * array[:1].size + int((~np.isfinite(part)).argmax())
            problem = f"value {index + 1:,} is {part[~np.isfinite(part)][0]}; NaN and infinity cannot be sketched"
            raise UsageError("invalid_data", path=source.name, problem=problem, row=index + 1)
        total = part.reshape(len(part), -1).sum(0) if part.ndim > 1 and part.dtype != object else None
        yield Chunk(part.reshape(-1), total), (start + len(part)) / len(array)


def _checked(array: np.ndarray, source: StreamSource) -> np.ndarray:
    """The array, flattened or converted to the item type.

    Raises:
        UsageError: its dtype cannot be sketched, or does not fit `--as`.
    """
    kind = array.dtype.kind
    if kind not in _DTYPE_KINDS:
        problem = f"dtype {array.dtype} cannot be sketched; use integers, floats or strings"
        raise UsageError("invalid_data", path=source.name, problem=problem)
    if kind == "u" and array.size and array.max() > np.iinfo(np.int64).max:
        problem = f"contains {array.max()}, which exceeds the range of 64-bit integers"
        raise UsageError("invalid_data", path=source.name, problem=problem)
    if kind == "U":
        if source.values not in ("auto", "words"):
            raise UsageError("requires", key=f"--as {source.values}", requirement="numbers", hint="the array has words")
        return array.reshape(-1)
    if source.values == "words" or (source.values == "integers" and kind == "f"):
        hint = f"the dtype of {source.name} is {array.dtype}"
        raise UsageError("requires", key=f"--as {source.values}", requirement=f"an array of {source.values}", hint=hint)
    array = array.reshape(1) if not array.ndim else array
    return array.astype(np.float64) if source.values in ("floats", "numbers") and kind != "f" else array


def _load_array(source: StreamSource) -> np.ndarray:
    path = Path(source.path)
    try:
        if path.suffix == ".pt":
            import torch

            return _select_array(torch.load(path, map_location="cpu", weights_only=True, mmap=True), source)
        content = np.load(path, mmap_mode="r", allow_pickle=False)
        if isinstance(content, np.ndarray):
            return content
        return _select_array({name: content[name] for name in content.files}, source)
    except UsageError:
        raise
    except (ValueError, EOFError, OSError, RuntimeError, zipfile.BadZipFile, pickle.UnpicklingError) as error:
        problem = f"not a readable file of plain arrays ({_first_line(error)})"
        raise UsageError("damaged", path=str(path), problem=problem) from error


def _select_array(content: Any, source: StreamSource) -> np.ndarray:
    """The array named by `--column` from a tensor, an array or a dictionary of them."""
    if isinstance(content, dict):
        arrays = {str(name): value for name, value in content.items() if _is_array(value)}
        if source.column is None and len(arrays) != 1:
            hint = f"arrays of {source.path}: {', '.join(list(arrays)[:12])}"
            raise UsageError("required", key="--column NAME", reason="the file has several arrays", hint=hint)
        if source.column is not None and source.column not in arrays:
            raise UsageError("unknown_name", kind=f"array of {source.path}:", name=source.column, known=arrays)
        content = arrays[source.column or next(iter(arrays))]
    if isinstance(content, np.ndarray):
        return content
    if not _is_array(content):
        problem = f"contains {type(content).__name__}, not a tensor"
        raise UsageError("invalid_data", path=source.path, problem=problem)
    return (content.float() if str(content.dtype) in ("torch.bfloat16", "torch.float16") else content).detach().numpy()


def _is_array(value: Any) -> bool:
    """True for NumPy arrays and PyTorch tensors (which exist only if PyTorch has been imported)."""
    torch = sys.modules.get("torch")
    return isinstance(value, np.ndarray) or (torch is not None and isinstance(value, torch.Tensor))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:100]


def is_saved(path: str) -> bool:
    """True if the file contains saved sketches."""
    from dlcli.sketching.streams.saved import holds_sketches

    if not path.endswith(".npz") or not Path(path).is_file():
        return False
    return holds_sketches(io.BytesIO(Path(path).read_bytes()))
