"""The IDX format of the MNIST files: a header with the shape, then the values."""

import gzip
import math
import struct
import zlib
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor

from dlcli.core.errors import UsageError

_UNSIGNED_BYTE = 8


def read_idx(path: Path, axes: int) -> UInt8[Tensor, "..."]:
    """The unsigned bytes of a gzip-compressed IDX file.

    The format (LeCun, Cortes & Burges, the MNIST page): two zero bytes, the type of the values, the number of
    axes, the length of each axis as a big-endian 32-bit integer, the values with the last axis fastest.

    Args:
        path: the file, `*-ubyte.gz`.
        axes: how many axes the values must have, 3 for images and 1 for labels.

    Raises:
        UsageError: the file is not there, not gzip, cut off, not IDX, without values, or has other axes.
    """
    content = _unpack(path)
    shape, header = _shape(path, content, axes), 4 + 4 * axes
    wanted, there = math.prod(shape), len(content) - header
    if there != wanted or not wanted:
        size = " x ".join(map(str, shape))
        raise UsageError(f"{path} has {there} values, but its header says {size} = {wanted}")
    return torch.frombuffer(content, dtype=torch.uint8, offset=header).view(shape)


def _shape(path: Path, content: bytearray, axes: int) -> tuple[int, ...]:
    wanted, found = bytes((0, 0, _UNSIGNED_BYTE, axes)), bytes(content[:4])
    if found[:3] != wanted[:3] or len(found) < 4:
        raise UsageError(
            f"{path} is not an IDX file of unsigned bytes: "
            f"it begins with {found.hex(' ') or 'nothing'}, not with {wanted.hex(' ')}"
        )
    if found != wanted:
        raise UsageError(f"{path} has {found[3]} axes, not {axes}")
    if len(content) < 4 + 4 * axes:
        raise UsageError(f"{path} is cut off in its header: {len(content)} bytes, not {4 + 4 * axes}")
    return struct.unpack(f">{axes}I", content[4 : 4 + 4 * axes])


def _unpack(path: Path) -> bytearray:
    try:
        return bytearray(gzip.decompress(path.read_bytes()))
    except FileNotFoundError:
        raise UsageError(f"{path} is missing") from None
    except gzip.BadGzipFile as error:
        raise UsageError(f"{path} is not a sound gzip file: {error}") from None
    except (EOFError, zlib.error):
        raise UsageError(f"{path} is cut off or damaged: its gzip stream does not end properly") from None
