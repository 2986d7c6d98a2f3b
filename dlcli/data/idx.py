"""Reader of the IDX format of MNIST: a header with the shape, followed by the values."""

import gzip
import io
import math
import struct
import zlib
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor

from dlcli.core.errors import UsageError

_UNSIGNED_BYTE = 8  # type code of the values
_GZIP, _UNCOMPRESSED = b"\x1f\x8b", b"\0\0"  # some browsers decompress a download but keep the suffix .gz
_MAX_VALUES = 1 << 31  # a kilobyte of gzip can expand to more than the memory holds


def read_idx(path: Path, axes: int) -> UInt8[Tensor, "..."]:
    """Read the unsigned bytes of an IDX file, gzip-compressed or not.

    Format (LeCun, Cortes & Burges, the MNIST page): two zero bytes, the type code of the values, the number of axes,
    the length of each axis as a big-endian 32-bit integer, then the values with the last axis fastest. At most the
    number of bytes declared in the header is decompressed.

    Args:
        path: the file, `*-ubyte.gz` or `*-ubyte`.
        axes: required number of axes: 3 for images, 1 for labels.

    Raises:
        UsageError: the file is missing, corrupt, truncated, not IDX, empty, too large, or has another number of axes.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(2)
            compressed = magic == _GZIP or (path.suffix == ".gz" and magic != _UNCOMPRESSED)
            file.seek(0)
            with gzip.GzipFile(fileobj=file) if compressed else file as stream:
                return _read_values(path, stream, axes)
    except FileNotFoundError:
        raise UsageError("missing_file", path=path) from None
    except gzip.BadGzipFile as error:
        raise UsageError("damaged", path=path, problem=f"invalid gzip file: {error}") from None
    except (EOFError, zlib.error):
        raise UsageError("damaged", path=path, problem="its gzip stream is truncated or corrupt") from None
    except OSError as error:
        raise UsageError("invalid_data", path=path, problem=f"cannot be read: {error.strerror or error}") from None


def _read_values(path: Path, stream: io.BufferedIOBase, axes: int) -> UInt8[Tensor, "..."]:
    shape = _shape(path, stream.read(4 + 4 * axes), axes)
    count = math.prod(shape)
    declared = f"{' x '.join(map(str, shape))} = {count:,}"
    if count > _MAX_VALUES:
        raise UsageError(
            "invalid_data", path=path, problem=f"its header declares {declared} values, more than {_MAX_VALUES:,}"
        )
    content = bytearray(stream.read(count + 1))
    if len(content) != count or not count:
        actual = f"at least {len(content):,}" if len(content) > count else f"{len(content):,}"
        raise UsageError("damaged", path=path, problem=f"it has {actual} values, its header declares {declared}")
    return torch.frombuffer(content, dtype=torch.uint8).view(shape)


def _shape(path: Path, header: bytes, axes: int) -> tuple[int, ...]:
    magic, expected = header[:4], bytes((0, 0, _UNSIGNED_BYTE, axes))
    if magic[:3] != expected[:3] or len(magic) < 4:
        problem = (
            f"not an IDX file of unsigned bytes: starts with {magic.hex(' ') or 'nothing'}, not {expected.hex(' ')}"
        )
        raise UsageError("invalid_data", path=path, problem=problem)
    if magic != expected:
        raise UsageError("mismatch", subject=path, requirement=f"{axes} axes", got=magic[3])
    if len(header) < 4 + 4 * axes:
        problem = f"its header is truncated: {len(header)} bytes, not {4 + 4 * axes}"
        raise UsageError("damaged", path=path, problem=problem)
    return struct.unpack(f">{axes}I", header[4:])
