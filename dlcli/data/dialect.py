"""Dialect of a delimited text file: encoding, comment lines, separator and number format, detected from a sample."""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dlcli.core.errors import UsageError

SEPARATORS = {",": ",", "comma": ",", ";": ";", "semicolon": ";", "\t": "\t", "\\t": "\t", "tab": "\t", "|": "|",
              "pipe": "|", " ": " ", "space": " "}  # fmt: skip
"""Accepted values of `task.separator`, and the character of each."""

DECIMALS = {".": ".", "point": ".", ",": ",", "comma": ","}
"""Accepted values of `task.decimal`, and the character of each."""

_HEAD, _CHUNK, _CHUNKS = 1 << 18, 1 << 14, 12  # bytes of the head, bytes and number of the later samples
_CONSISTENT = 0.9  # share of sampled lines with as many fields as the header

_POINT = re.compile(r"[+-]?(\d+\.\d*|\.\d+)([eE][+-]?\d+)?")
_COMMA = re.compile(r"[+-]?(\d+,\d*|,\d+)([eE][+-]?\d+)?")
_GROUP = r"[+-]?[1-9]\d{0,2}(%s\d{3})+"
_COMMA_GROUPS = re.compile(_GROUP % ",")
_POINT_GROUPS = re.compile(_GROUP % r"\.")
_US = re.compile(_GROUP % "," + r"\.\d*")
_EUROPEAN = re.compile(_GROUP % r"\." + r",\d*")


@dataclass(frozen=True)
class Dialect:
    """How a file is written.

    Args:
        encoding: name of a codec.
        comments: number of lines that start with # at the head of the file.
        separator: character between fields.
        decimal: decimal mark, "." or ",".
        header: column names.
        sample: rows of fields from the head of the file and from further positions.
    """

    encoding: str
    comments: int
    separator: str
    decimal: str
    header: Sequence[str]
    sample: Sequence[Sequence[str]]


def detect_dialect(
    file: Path, *, separator: str | None = None, decimal: str | None = None, encoding: str | None = None
) -> Dialect:
    """Detect the dialect of a file from its first 256 KiB and twelve further samples.

    Args:
        file: path of the file.
        separator: key or value of `SEPARATORS`; None: detected.
        decimal: key or value of `DECIMALS`; None: detected.
        encoding: name of a codec; None: UTF-8 (with or without byte order mark), UTF-16 or Windows-1252.

    Raises:
        UsageError: the file is empty or not a table, an option has an unknown value, or the decimal mark is ambiguous.
    """
    for key, value, known in (("separator", separator, SEPARATORS), ("decimal", decimal, DECIMALS)):
        if value is not None and value not in known:
            raise UsageError(
                "invalid_value", key=f"task.{key}", must=f"one of {', '.join(map(repr, known))}", got=value
            )
    head, rest = _sample(file)
    codec = encoding or _encoding(file, head, rest)
    try:
        lines, later = _lines(head, codec), [line for part in rest for line in _lines(part, codec)[1:-1]]
    except (LookupError, UnicodeError) as error:
        hint = "Set task.encoding=NAME, for example utf-8, cp1252 or utf-16."
        raise UsageError(
            "invalid_value", key="task.encoding", must=f"the encoding of {file}", got=codec, hint=hint
        ) from error
    comments = next((number for number, line in enumerate(lines) if not line.startswith("#")), len(lines))
    data = [line for line in lines[comments:] if line.strip()]
    if len(data) < 2:
        raise UsageError(
            "invalid_data", path=file, problem="is empty: a line of column names and rows below it required"
        )
    complete = data[:-1] if file.stat().st_size > len(head) else data
    mark = _separator(complete) if separator is None else SEPARATORS[separator]
    header, *rows = _fields([*complete, *later], mark)
    rows = [row for row in rows if len(row) == len(header)]
    names = [name.strip() for name in header]
    point = _decimal(rows, mark, file) if decimal is None else DECIMALS[decimal]
    if all(_is_number(name) for name in names):
        hint = f"Insert a first line with the names of the {len(names)} columns."
        raise UsageError(
            "invalid_data", path=file, problem="the first line must name the columns, got numbers", hint=hint
        )
    return Dialect(codec, comments, mark, point, names, rows)


def _sample(file: Path) -> tuple[bytes, list[bytes]]:
    """The head of the file, and chunks at evenly spaced positions behind it."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        head = stream.read(_HEAD)
        rest = []
        for number in range(_CHUNKS if size > _HEAD + _CHUNK else 0):
            position = _HEAD + (size - _HEAD - _CHUNK) * number // (_CHUNKS - 1)
            stream.seek(position - position % 2)
            rest.append(stream.read(_CHUNK))
    return head, rest


def _encoding(file: Path, head: bytes, rest: Sequence[bytes]) -> str:
    """UTF-8, UTF-16 by its byte order mark, else Windows-1252.

    Raises:
        UsageError: the sample contains NUL bytes, or bytes that no text in Windows-1252 has.
    """
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    content = b"".join((head, *rest))
    if b"\0" in content:
        raise UsageError("invalid_data", path=file, problem="is not a table: it contains NUL bytes")
    try:
        for part in (head, *rest):
            _trimmed(part).decode("utf-8")
    except UnicodeDecodeError:
        if set(content) & {0x81, 0x8D, 0x8F, 0x90, 0x9D} or any(byte < 9 for byte in content):
            raise UsageError("invalid_data", path=file, problem="is not a table: its bytes are not text") from None
        return "cp1252"
    return "utf-8-sig"


def _trimmed(part: bytes) -> bytes:
    """A chunk between its first and its last line break, so that no character is cut."""
    first, last = part.find(b"\n"), part.rfind(b"\n")
    return part if first == last else part[first + 1 : last]


def _lines(part: bytes, codec: str) -> list[str]:
    try:
        text = part.decode(codec)
    except UnicodeDecodeError:
        text = part[: part.rfind(b"\n") + 1].decode(codec, errors="replace" if codec == "utf-16" else "strict")
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _fields(lines: Sequence[str], separator: str) -> list[list[str]]:
    if separator == " ":
        return [line.split() for line in lines]
    rows = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    return [[cell.strip() for cell in row] for row in rows if row]


def _separator(lines: Sequence[str]) -> str:
    """The separator with the most consistent number of fields; "," for a single column without a separator."""
    best, separator = (0.0, 0), ""
    for candidate in (",", ";", "\t", "|"):
        header, *rows = _fields(lines[:1000], candidate)
        if len(header) < 2:
            continue
        consistent = sum(len(row) == len(header) for row in rows) / max(len(rows), 1)
        if (consistent, len(header)) > best or not separator:
            best, separator = (consistent, len(header)), candidate
    if separator:
        return separator
    header, *rows = (line.split() for line in lines[:1000])
    if len(header) > 1 and all(len(row) == len(header) for row in rows):
        return " "
    return next(mark for mark in ("\t", ";", "|", ",") if mark == "," or not any(mark in line for line in lines))


def _is_number(cell: str) -> bool:
    return bool(re.fullmatch(r"[+-]?\d+", cell) or _POINT.fullmatch(cell) or _COMMA.fullmatch(cell))


def _decimal(rows: Sequence[Sequence[str]], separator: str, file: Path) -> str:
    """The decimal mark. Groups of three digits behind a mark prove nothing; any other number of digits does.

    Raises:
        UsageError: both marks are possible, or both are proven.
    """
    evidence: Counter[str] = Counter()
    example: dict[str, str] = {}
    for cell in (cell for row in rows for cell in row if cell and len(cell) < 40):
        kind = _evidence(cell)
        evidence[kind] += 1
        example.setdefault(kind, cell)
    if evidence["comma"] and evidence["point"]:
        problem = f"the decimal mark is ambiguous: {example['comma']!r} and {example['point']!r}"
        raise UsageError(
            "invalid_data", path=file, problem=problem, hint="Set task.decimal=point or task.decimal=comma."
        )
    if evidence["comma"]:
        return ","
    if evidence["point"] or separator == "," or not evidence["groups"]:
        return "."
    cell = example["groups"]
    problem = f"the number {cell!r} can be read as {cell.replace(',', '')} or as {cell.replace(',', '.')}"
    raise UsageError("invalid_data", path=file, problem=problem, hint="Set task.decimal=point or task.decimal=comma.")


def _evidence(cell: str) -> str:
    """What a cell proves: decimal "point" or "comma", ambiguous comma "groups", or nothing ("")."""
    if _US.fullmatch(cell) or (_COMMA_GROUPS.fullmatch(cell) and cell.count(",") > 1):
        return "point"
    if _EUROPEAN.fullmatch(cell) or (_POINT_GROUPS.fullmatch(cell) and cell.count(".") > 1):
        return "comma"
    if _COMMA_GROUPS.fullmatch(cell):
        return "groups"
    if _COMMA.fullmatch(cell):
        return "comma"
    return "point" if _POINT.fullmatch(cell) and not _POINT_GROUPS.fullmatch(cell) else ""
