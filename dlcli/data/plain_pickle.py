"""Pickles that hold data alone: what else they name is refused, so that nothing of a stranger's is ever run."""

import io
import pickle
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import numpy as np

from dlcli.core.errors import UsageError

_BYTES = ("u1", "uint8", b"u1", b"uint8")


def read_pickle(content: bytes, source: str) -> dict[str, Any]:
    """A pickled dictionary of numbers, text, bytes, lists, and NumPy arrays of bytes.

    Python 2's text comes as bytes, keys always as text. NumPy itself never sees what is in the file: arrays are
    put together from their shape and bytes.

    Args:
        source: where it comes from, for messages.

    Raises:
        UsageError: it is cut off or damaged, or holds anything else.
    """
    try:
        made = _Plain(io.BytesIO(content), encoding="bytes").load()
    except UsageError as error:
        raise UsageError(f"{source}: {error}") from None
    except (KeyboardInterrupt, SystemExit):
        raise
    except Exception as error:  # noqa: BLE001 - a damaged pickle may raise anything
        raise UsageError(f"{source} is cut off or is no pickle: {str(error) or type(error).__name__}") from None
    if not isinstance(made, dict):
        raise UsageError(f"{source} holds no dictionary, but {type(made).__name__}")
    return {_text(key): _finished(value, source) for key, value in made.items()}


def _text(key: Any) -> str:
    return key.decode("latin1") if isinstance(key, bytes) else str(key)


@dataclass
class _Dtype:
    """What a pickle says of the type of an array's values."""

    name: Any

    def __setstate__(self, state: Any) -> None:
        pass  # byte order and the like: single bytes have none


@dataclass
class _Array:
    """What a pickle says of an array."""

    state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


def _reconstruct(*_: Any) -> _Array:
    """Stands in for NumPy's, which makes an empty array whose state follows."""
    return _Array()


def _dtype(name: Any, *_: Any) -> _Dtype:
    return _Dtype(name)


def _encode(text: Any, encoding: Any) -> bytes:
    """Python 3 writes bytes so where Python 2 shall read them."""
    if not isinstance(text, str) or encoding != "latin1":
        raise UsageError("bytes are written in an unknown way")
    return text.encode("latin1")


_ALLOWED = {
    "_codecs.encode": _encode,
    "numpy.dtype": _dtype,
    "numpy.ndarray": _Array,
    "numpy.core.multiarray._reconstruct": _reconstruct,
    "numpy._core.multiarray._reconstruct": _reconstruct,
}


class _Plain(pickle._Unpickler):
    """Python's own unpickler, the one written in C makes as much room for its memo as a hostile file asks for."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[f"{module}.{name}"]
        except KeyError:
            raise UsageError(f"it names {module}.{name}, and only plain data are read; it is not run") from None

    def load_build(self) -> None:
        if not isinstance(self.stack[-2], _Array | _Dtype):  # type: ignore[attr-defined]
            raise UsageError("it changes what is no array, and only plain data are read")
        super().load_build()  # type: ignore[misc]

    dispatch: ClassVar = pickle._Unpickler.dispatch | {pickle.BUILD[0]: load_build}  # type: ignore[assignment]


def _finished(value: Any, source: str) -> Any:
    """The value, an array as NumPy's.

    Raises:
        UsageError: an array is not of bytes, or has other bytes than its shape says.
    """
    if not isinstance(value, _Array):
        return value
    try:
        _, shape, dtype, by_column, content = value.state
        if dtype.name not in _BYTES or not isinstance(content, bytes) or prod(shape) != len(content):
            raise ValueError
        return np.frombuffer(content, np.uint8).reshape(shape, order="F" if by_column else "C")
    except (TypeError, ValueError, AttributeError):
        raise UsageError(f"{source} has an array that is not one of bytes with as many as its shape says") from None
