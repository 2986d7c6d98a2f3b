"""Artifacts as files in standard formats."""

import csv
import io
import json
import zlib

import pytest
import torch

from dlcli.core.artifacts import encode
from dlcli.core.learner import Image, TableArtifact, Text, Tree


def chunks(content):
    """Kind and body of every PNG chunk, with its checksum verified."""
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    offset = 8
    while offset < len(content):
        length = int.from_bytes(content[offset : offset + 4], "big")
        kind, body = content[offset + 4 : offset + 8], content[offset + 8 : offset + 8 + length]
        assert int.from_bytes(content[offset + 8 + length : offset + 12 + length], "big") == zlib.crc32(kind + body)
        yield kind, body
        offset += 12 + length


def pixels(content):
    chunk_by_kind = dict(chunks(content))
    header = chunk_by_kind[b"IHDR"]
    width, height = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    channels = {0: 1, 2: 3}[header[9]]
    assert header[8] == 8
    raw = zlib.decompress(chunk_by_kind[b"IDAT"])
    rows = [raw[i : i + 1 + width * channels] for i in range(0, len(raw), 1 + width * channels)]
    assert len(rows) == height
    assert all(row[0] == 0 for row in rows)
    return [list(row[1:]) for row in rows]


def test_encode_table_as_csv_with_quoted_commas():
    ending, content = encode(TableArtifact(("name", "value"), [("a, b", 0.1), ('"', None)]))
    assert ending == ".csv"
    assert list(csv.reader(io.StringIO(content.decode()))) == [["name", "value"], ["a, b", "0.1"], ['"', ""]]


def test_encode_gray_image_as_png():
    ending, content = encode(Image(torch.tensor([[0.0, 0.5, 1.0], [-3.0, 2.0, 0.2]])))
    assert ending == ".png"
    assert pixels(content) == [[0, 128, 255], [0, 255, 51]]


def test_encode_noncontiguous_color_image_as_png():
    image = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]] * 3).permute(1, 2, 0)
    assert pixels(encode(Image(image))[1]) == [[255, 255, 255, 0, 0, 0], [0, 0, 0, 255, 255, 255]]


@pytest.mark.parametrize(
    ("leaf", "ending", "text"),
    [(Text("λ\n"), ".txt", "λ\n"), (Tree({"a": [1, {"b": None}]}), ".json", None)],
)
def test_encode_text_and_trees(leaf, ending, text):
    extension, content = encode(leaf)
    assert extension == ending
    assert content.decode() == text if text else json.loads(content) == leaf.tree
