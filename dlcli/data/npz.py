"""A user's .npz file: inputs and targets by split, and in words what is wrong with it."""

import logging
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from dlcli.core.errors import UsageError
from dlcli.core.spec import IGNORED

Pair = tuple[np.ndarray, np.ndarray]

SPLITS = ("train", "valid", "test")
_WANTED = "x_train and y_train; x_valid, y_valid, x_test, y_test where there are; or just x and y"
_NUMBERS = "biuf"
_COLOURS = (1, 3, 4)  # channels that images have


def read_arrays(path: str | None) -> dict[str, np.ndarray]:
    """Those arrays of the file that the task knows by name.

    Raises:
        UsageError: there is no such file, it is not an .npz file, it is damaged, or an array is pickled.
    """
    if not path:
        raise UsageError("task=npz reads a file of yours: task.path=FILE.npz")
    file = Path(path).expanduser()
    if not file.is_file():
        raise UsageError(f"task.path: there is no file {path}")
    if not zipfile.is_zipfile(file):
        raise UsageError(f"{path} is not an .npz file, or is cut short; numpy.savez writes one")
    known = [f"{part}{split}" for part in "xy" for split in ("", *(f"_{name}" for name in SPLITS))]
    with np.load(file, allow_pickle=False) as arrays:
        found = list(arrays.files)
        read = {name: _read(path, arrays, name) for name in (*known, "class_names") if name in found}
    if not any(name in read for name in known):
        raise UsageError(f"{path} has arrays {', '.join(found) or '(none)'}.\nWanted: {_WANTED}")
    return read


def _read(path: str, arrays: np.lib.npyio.NpzFile, name: str) -> np.ndarray:
    try:
        return arrays[name]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise UsageError(f"{path}: {name} cannot be read, the file is damaged ({error})") from None
        raise UsageError(
            f"{path}: {name} holds Python objects; they are pickled, and unpickling may run foreign code.\n"
            "Save it as numbers: rows of one length, dtype float32 or int64"
        ) from None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise UsageError(f"{path}: {name} cannot be read, the file is damaged ({error})") from None


def pairs(arrays: Mapping[str, np.ndarray], blank: Callable[[int], np.ndarray] | None = None) -> dict[str, Pair]:
    """Checked inputs and targets by split; `x` and `y` alone are "train".

    Inputs come as integers (sample, time) or numbers (sample, channel, ...); targets as integers (sample) or
    (sample, time), or numbers (sample, value) or (sample, value, time).

    Args:
        blank: targets for inputs without targets, by their number; None requires targets.

    Raises:
        UsageError: an array is missing, has the wrong type or shape, or holds values that are not finite.
    """
    names = {split: (f"x_{split}", f"y_{split}") for split in SPLITS}
    if not any(name in arrays for both in names.values() for name in both):
        names = {"train": ("x", "y")}
    found = {}
    for split, (x, y) in names.items():
        if x in arrays and y not in arrays and blank is not None:
            found[split] = (_inputs(x, arrays[x]), blank(len(arrays[x])))
            continue
        if (x in arrays) != (y in arrays):
            there, absent = (x, y) if x in arrays else (y, x)
            raise UsageError(f"the file has {there} but not {absent}; it has: {', '.join(arrays)}.\nWanted: {_WANTED}")
        if x in arrays:
            found[split] = _pair(x, arrays[x], y, arrays[y])
    for place, part in enumerate("xy"):
        _check_alike(part, {split: pair[place] for split, pair in found.items()})
    if found:
        _doubt_channels(next(iter(found.values()))[0])
    return found


def _doubt_channels(x: np.ndarray) -> None:
    """A word of warning where images seem to have their channels last."""
    if x.ndim == 4 and x.shape[3] in _COLOURS and x.shape[1] not in _COLOURS:
        logging.getLogger("dlcli").warning(
            "x of shape %s is read as images of %d channels, (sample, channel, height, width); if the channels come "
            "last, save x.transpose(0, 3, 1, 2)",
            x.shape,
            x.shape[1],
        )


def _pair(x_name: str, x: np.ndarray, y_name: str, y: np.ndarray) -> Pair:
    _check(y_name, y, (1, 2, 3))
    x = _inputs(x_name, x)
    if len(x) != len(y):
        raise UsageError(f"{x_name} has {len(x):,} rows, {y_name} {len(y):,}")
    return x, _target(y_name, y, x)


def _inputs(name: str, x: np.ndarray) -> np.ndarray:
    """Return inputs with a channel axis; integers (sample, time) are tokens."""
    _check(name, x, (2, 3, 4))
    if x.ndim == 2 and x.dtype.kind == "f":
        return x[:, None]
    return _natural(name, x, "tokens") if x.ndim == 2 else x


def _target(name: str, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Targets in their layout: one a step only where the input is a sequence of as many steps."""
    steps = x.shape[-1] if x.ndim < 4 else None
    if y.dtype.kind == "f":
        if y.ndim == 3 and y.shape[2] != steps:
            raise UsageError(
                f"{name} is (sample, value, time) with {y.shape[2]} steps, the input has {steps or 'none'}"
            )
        return y[:, None] if y.ndim == 1 else y
    if y.ndim == 2 and y.shape[1] == 1 != steps:
        y = y[:, 0]
    if y.ndim == 3 or (y.ndim == 2 and y.shape[1] != steps):
        raise UsageError(
            f"{name} holds integers of shape {y.shape}: classes are (sample), or (sample, time) with the "
            f"input's {steps or 'no'} steps; save values to be predicted as floats"
        )
    return _natural(name, y, "classes")


def _natural(name: str, array: np.ndarray, what: str) -> np.ndarray:
    array = array.astype(np.int64)
    if array.min() < 0 and (array.ndim == 1 or what == "tokens" or array[array != IGNORED].min(initial=0) < 0):
        ignored = f" ({IGNORED} at a step that does not count)" if array.ndim == 2 and what == "classes" else ""
        raise UsageError(
            f"{name} holds negative integers, the smallest is {array.min()}; integers are {what} 0, 1, ...{ignored}"
        )
    return array


def _check(name: str, array: np.ndarray, axes: Sequence[int]) -> None:
    if array.dtype.kind not in _NUMBERS:
        raise UsageError(f"{name} has dtype {array.dtype}, wanted floats or integers")
    if array.ndim not in axes:
        raise UsageError(f"{name} has {array.ndim} axes {array.shape}, wanted {axes[0]} to {axes[-1]}, samples first")
    if not array.size:
        raise UsageError(f"{name} is empty: shape {array.shape}")
    if array.dtype.kind == "f" and not (finite := np.isfinite(array)).all():
        first = tuple(int(place) for place in np.unravel_index(np.argmin(finite), array.shape))
        bad = int(array.size - finite.sum())
        raise UsageError(f"{name} holds {bad:,} values that are NaN or infinite, the first at index {first}")


def _check_alike(part: str, arrays: Mapping[str, np.ndarray]) -> None:
    (first, one), *others = arrays.items()
    for split, other in others:
        if (one.dtype.kind == "f") != (other.dtype.kind == "f"):
            raise UsageError(f"{part}_{first} is {one.dtype}, {part}_{split} is {other.dtype}: one kind is wanted")
        if one.shape[1:] != other.shape[1:]:
            raise UsageError(
                f"{part}_{first} and {part}_{split} differ in the shape of a sample: "
                f"{one.shape[1:]} and {other.shape[1:]}"
            )
