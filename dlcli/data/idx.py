"""The IDX format of the MNIST files: a header with the shape, then the values."""

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

_UNSIGNED_BYTE = 8
_GZIP, _PLAIN = b"\x1f\x8b", b"\0\0"  # some browsers unpack a download and leave its name as it was
_MOST = 1 << 31  # bytes of values; a stream of a kilobyte can be made to unpack to more than any memory


def read_idx(path: Path, axes: int) -> UInt8[Tensor, "..."]:
    """The unsigned bytes of an IDX file, gzip-compressed or plain.

    The format (LeCun, Cortes & Burges, the MNIST page): two zero bytes, the type of the values, the number of
    axes, the length of each axis as a big-endian 32-bit integer, the values with the last axis fastest.
    No more is unpacked than the header says.

    Args:
        path: the file, `*-ubyte.gz` or `*-ubyte`.
        axes: how many axes the values must have, 3 for images and 1 for labels.

    Raises:
        UsageError: the file is not there, not sound gzip, cut off, not IDX, without values, too large, or has
            other axes.
    """
    try:
        with path.open("rb") as file:
            begin = file.read(2)
            packed = begin == _GZIP or (path.suffix == ".gz" and begin != _PLAIN)
            file.seek(0)
            with gzip.GzipFile(fileobj=file) if packed else file as stream:
                return _read(path, stream, axes)
    except FileNotFoundError:
        raise UsageError(f"{path} is missing") from None
    except gzip.BadGzipFile as error:
        raise UsageError(f"{path} is not a sound gzip file: {error}") from None
    except (EOFError, zlib.error):
        raise UsageError(f"{path} is cut off or damaged: its gzip stream does not end properly") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None


def _read(path: Path, stream: io.BufferedIOBase, axes: int) -> UInt8[Tensor, "..."]:
    shape = _shape(path, stream.read(4 + 4 * axes), axes)
    wanted = math.prod(shape)
    size = " x ".join(map(str, shape))
    if wanted > _MOST:
        raise UsageError(f"{path}: its header says {size} = {wanted:,} values, more than {_MOST:,}")
    content = bytearray(stream.read(wanted + 1))
    if len(content) != wanted or not wanted:
        there = f"at least {len(content)}" if len(content) > wanted else len(content)
        raise UsageError(f"{path} has {there} values, but its header says {size} = {wanted}")
    return torch.frombuffer(content, dtype=torch.uint8).view(shape)


def _shape(path: Path, header: bytes, axes: int) -> tuple[int, ...]:
    wanted, found = bytes((0, 0, _UNSIGNED_BYTE, axes)), header[:4]
    if found[:3] != wanted[:3] or len(found) < 4:
        raise UsageError(
            f"{path} is not an IDX file of unsigned bytes: "
            f"it begins with {found.hex(' ') or 'nothing'}, not with {wanted.hex(' ')}"
        )
    if found != wanted:
        raise UsageError(f"{path} has {found[3]} axes, not {axes}")
    if len(header) < 4 + 4 * axes:
        raise UsageError(f"{path} is cut off in its header: {len(header)} bytes, not {4 + 4 * axes}")
    return struct.unpack(f">{axes}I", header[4:])
