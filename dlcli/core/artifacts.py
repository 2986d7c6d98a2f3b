"""Encode artifacts of learners, tasks and models as files."""

import csv
import io
import json
import struct
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from dlcli.core import svg_chart
from dlcli.core.learner import AppendTable, Artifact, Curves, FileArtifact, Image, TableArtifact, Text


def encode(leaf: Artifact) -> tuple[str, bytes]:
    """Return file extension and content of an artifact.

    Tables are CSV (of a growing one the header only), images PNG, curves SVG, trees JSON.
    """
    if isinstance(leaf, TableArtifact):
        return ".csv", _csv((leaf.columns, *leaf.rows))
    if isinstance(leaf, AppendTable):
        return ".csv", _csv((leaf.columns,))
    if isinstance(leaf, Image):
        return ".png", _png(leaf.pixels)
    if isinstance(leaf, Curves):
        return ".svg", svg_chart.line_chart(leaf.x, leaf.series, leaf.up, leaf.logarithmic).encode()
    if isinstance(leaf, FileArtifact):
        return leaf.ending, leaf.text.encode()
    if isinstance(leaf, Text):
        return ".txt", leaf.text.encode()
    return ".json", json.dumps(leaf.tree, indent=1).encode()


def appended_rows(leaf: AppendTable) -> str:
    """Return the new rows of a growing table as CSV without header."""
    return _csv(leaf.rows).decode()


def _csv(rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _png(pixels: Tensor) -> bytes:
    """Portable network graphics (ISO/IEC 15948): eight bits, grayscale or RGB, no row filter."""
    image = pixels.detach().cpu().clamp(0, 1).mul(255).round().to(torch.uint8).contiguous()
    height, width = image.shape[:2]
    color_type = 2 if image.dim() == 3 else 0
    rows = b"".join(b"\0" + row.numpy().tobytes() for row in image)
    header = struct.pack(">IIBBBBB", width, height, 8, color_type, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
