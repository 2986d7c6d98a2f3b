"""Unpickle data only: every global other than NumPy's array constructors is rejected, so that no code is executed."""

import io
import pickle
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import numpy as np

from dlcli.core.errors import UsageError

_BYTES = ("u1", "uint8", b"u1", b"uint8")


def read_pickle(content: bytes, source: str) -> dict[str, Any]:
    """Read a pickled dictionary of numbers, text, bytes, lists, and uint8 NumPy arrays.

    Text written by Python 2 is returned as bytes, keys always as text. NumPy's own unpickling is not used: arrays are
    built from their shape and bytes.

    Args:
        content: the pickle.
        source: name of the file, for messages.

    Raises:
        UsageError: the pickle is truncated or corrupt, or contains anything else.
    """
    try:
        data = _DataUnpickler(io.BytesIO(content), encoding="bytes").load()
    except UsageError as error:
        raise UsageError(error.code, **error.fields | {"path": source}) from None
    except (KeyboardInterrupt, SystemExit):
        raise
    except Exception as error:  # noqa: BLE001 - a damaged pickle may raise anything
        problem = f"truncated, or not a pickle: {str(error) or type(error).__name__}"
        raise UsageError("damaged", path=source, problem=problem) from None
    if not isinstance(data, dict):
        raise UsageError("mismatch", subject=source, requirement="a dictionary", got=type(data).__name__)
    return {_text(key): _converted(value, source) for key, value in data.items()}


def _text(key: Any) -> str:
    return key.decode("latin1") if isinstance(key, bytes) else str(key)


@dataclass
class _DtypeState:
    """Pickled state of a `numpy.dtype`."""

    name: Any

    def __setstate__(self, state: Any) -> None:
        pass  # byte order and alignment: irrelevant to single bytes


@dataclass
class _ArrayState:
    """Pickled state of a `numpy.ndarray`: version, shape, dtype, Fortran order, bytes."""

    state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


def _reconstruct(*_: Any) -> _ArrayState:
    """Replacement of NumPy's function, which returns an empty array whose state follows."""
    return _ArrayState()


def _dtype(name: Any, *_: Any) -> _DtypeState:
    return _DtypeState(name)


def _encode_latin1(text: Any, encoding: Any) -> bytes:
    """Decode bytes that Python 3 wrote in a protocol for Python 2."""
    if not isinstance(text, str) or encoding != "latin1":
        raise UsageError("invalid_data", path="", problem=f"bytes in the unknown encoding {encoding}")
    return text.encode("latin1")


_ALLOWED = {
    "_codecs.encode": _encode_latin1,
    "numpy.dtype": _dtype,
    "numpy.ndarray": _ArrayState,
    "numpy.core.multiarray._reconstruct": _reconstruct,
    "numpy._core.multiarray._reconstruct": _reconstruct,
}


class _DataUnpickler(pickle._Unpickler):
    """Unpickler in pure Python: the C implementation allocates as large a memo as a malicious file declares."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[f"{module}.{name}"]
        except KeyError:
            problem = f"it refers to {module}.{name}; only plain data are read, nothing is executed"
            raise UsageError("invalid_data", path="", problem=problem) from None

    def load_build(self) -> None:
        if not isinstance(self.stack[-2], _ArrayState | _DtypeState):  # type: ignore[attr-defined]
            raise UsageError("invalid_data", path="", problem="it sets the state of an object that is not an array")
        super().load_build()  # type: ignore[misc]

    dispatch: ClassVar = pickle._Unpickler.dispatch | {pickle.BUILD[0]: load_build}  # type: ignore[assignment]


def _converted(value: Any, source: str) -> Any:
    """The value, with array states converted to NumPy arrays.

    Raises:
        UsageError: the data type of an array is not uint8, or its number of bytes does not match its shape.
    """
    if not isinstance(value, _ArrayState):
        return value
    try:
        _, shape, dtype, by_column, content = value.state
        if dtype.name not in _BYTES or not isinstance(content, bytes) or prod(shape) != len(content):
            raise ValueError
        return np.frombuffer(content, np.uint8).reshape(shape, order="F" if by_column else "C")
    except (TypeError, ValueError, AttributeError):
        problem = "it contains an array that is not uint8, or whose size does not match its shape"
        raise UsageError("invalid_data", path=source, problem=problem) from None
