"""Serialization of stream sketches as .npz files."""

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
    """Serialize sketches as plain arrays with a JSON header of kinds, settings and item types."""
    header = {"format": _FORMAT, "sketches": [sketch.about() | {"settings": sketch.settings} for sketch in sketches]}
    arrays = {_HEADER: np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)}
    for index, sketch in enumerate(sketches):
        arrays |= {f"{index}.{name}": array for name, array in sketch.state().items()}
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    return file.getvalue()


def holds_sketches(content: io.BufferedIOBase) -> bool:
    """True if the content is an intact .npz archive with the header of saved sketches."""
    try:
        with zipfile.ZipFile(content) as archive:
            return f"{_HEADER}.npy" in archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return False


def decode(content: bytes, name: str) -> list[Sketch]:
    """Deserialize saved sketches.

    Args:
        content: the bytes of the file.
        name: file name, for messages.

    Raises:
        UsageError: the file is damaged or does not contain sketches.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            if _HEADER not in file:
                hint = "dlcli sketch stream PATH --save FILE.npz creates a file of sketches"
                raise UsageError("invalid_data", path=name, problem="contains arrays but no sketches", hint=hint)
            header = json.loads(file[_HEADER].tobytes())
            return [_decode_sketch(file, index, about) for index, about in enumerate(header["sketches"])]
    except UsageError:
        raise
    except _BROKEN as error:
        problem = f"not a readable file of saved sketches ({type(error).__name__})"
        raise UsageError("damaged", path=name, problem=problem) from error


def _decode_sketch(file: Any, index: int, about: dict[str, Any]) -> Sketch:
    sketch = KINDS[about["kind"]](**about["settings"])
    prefix = f"{index}."
    sketch.load({name.removeprefix(prefix): file[name] for name in file.files if name.startswith(prefix)})
    sketch.items, sketch.values = about["items"], about["values"]
    return sketch
