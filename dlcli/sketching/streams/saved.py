"""Sketches as the bytes of an .npz file, and back."""

import io
import json
import zipfile
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from dlcli.core.errors import UsageError
from dlcli.sketching.streams.kinds import KINDS
from dlcli.sketching.streams.sketch import Sketch

_HEADER, _FORMAT = "dlcli_sketches", 1
_BROKEN = (zipfile.BadZipFile, zlib.error, ValueError, KeyError, TypeError, EOFError, RuntimeError, IndexError, OSError)


def encode(sketches: Sequence[Sketch]) -> bytes:
    """Plain arrays, and a header of JSON that says what they are."""
    header = {"format": _FORMAT, "sketches": [sketch.about() | {"settings": sketch.settings} for sketch in sketches]}
    arrays = {_HEADER: np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)}
    for place, sketch in enumerate(sketches):
        arrays |= {f"{place}.{name}": array for name, array in sketch.state().items()}
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    return file.getvalue()


def holds_sketches(content: io.BufferedIOBase) -> bool:
    """Whether a file is one of ours; a damaged one is not."""
    try:
        with zipfile.ZipFile(content) as archive:
            return f"{_HEADER}.npy" in archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return False


def decode(content: bytes, name: str) -> list[Sketch]:
    """The sketches of a file.

    Raises:
        UsageError: it is damaged, or is no file of sketches.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            if _HEADER not in file:
                raise UsageError(f"{name}: holds arrays, but no sketches (dlcli sketch stream ... --save makes them)")
            header = json.loads(file[_HEADER].tobytes())
            return [_one(file, place, about) for place, about in enumerate(header["sketches"])]
    except UsageError:
        raise
    except _BROKEN as error:
        raise UsageError(f"{name}: is no file of saved sketches, or is damaged ({type(error).__name__})") from error


def _one(file: Any, place: int, about: dict[str, Any]) -> Sketch:
    sketch = KINDS[about["kind"]](**about["settings"])
    start = f"{place}."
    sketch.load({name.removeprefix(start): file[name] for name in file.files if name.startswith(start)})
    sketch.items, sketch.values = about["items"], about["values"]
    return sketch
