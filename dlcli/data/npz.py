"""Read and check the user's .npz file: inputs and targets by split."""

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
_EXPECTED = "expected arrays: x_train and y_train, optionally x_valid, y_valid, x_test, y_test; or x and y"
_NUMERIC_KINDS = "biuf"
_COLOR_CHANNELS = (1, 3, 4)  # numbers of channels of images


def read_arrays(path: str | None) -> dict[str, np.ndarray]:
    """Read the inputs, targets and class names of an .npz file; other arrays are ignored.

    Raises:
        UsageError: the file is missing, not an .npz file or corrupt, it has no inputs or targets, or an array is
            pickled.
    """
    if not path:
        raise UsageError("required", key="task.path", reason="an .npz file", hint="task.path=FILE.npz")
    file = Path(path).expanduser()
    if not file.is_file():
        raise UsageError("missing_file", path=path, hint="set task.path to an .npz file")
    if not zipfile.is_zipfile(file):
        problem = "not an .npz file, or truncated"
        raise UsageError("invalid_data", path=path, problem=problem, hint="write it with numpy.savez")
    known = [f"{part}{split}" for part in "xy" for split in ("", *(f"_{name}" for name in SPLITS))]
    with np.load(file, allow_pickle=False) as archive:
        names = list(archive.files)
        arrays = {name: _read(path, archive, name) for name in (*known, "class_names") if name in names}
    if not any(name in arrays for name in known):
        problem = f"unknown arrays {', '.join(names) or '(none)'}"
        raise UsageError("invalid_data", path=path, problem=problem, hint=_EXPECTED)
    return arrays


def _read(path: str, arrays: np.lib.npyio.NpzFile, name: str) -> np.ndarray:
    try:
        return arrays[name]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise UsageError("damaged", path=path, problem=f"array {name} cannot be read ({error})") from None
        raise UsageError(
            "invalid_data",
            path=path,
            problem=f"array {name} contains pickled Python objects, which may execute code when read",
            hint="save it as numbers: rows of equal length, dtype float32 or int64",
        ) from None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise UsageError("damaged", path=path, problem=f"array {name} cannot be read ({error})") from None


def checked_pairs(
    arrays: Mapping[str, np.ndarray], blank: Callable[[int], np.ndarray] | None = None
) -> dict[str, Pair]:
    """Check inputs and targets, and return them by split; `x` and `y` without suffix are "train".

    Inputs are returned as integers (sample, time) or real values (sample, channel, ...); targets as integers (sample)
    or (sample, time), or real values (sample, value) or (sample, value, time).

    Args:
        blank: targets for inputs without targets, by their number; None requires targets.

    Raises:
        UsageError: an array is missing, has the wrong type or shape, or contains values that are not finite.
    """
    names = {split: (f"x_{split}", f"y_{split}") for split in SPLITS}
    if not any(name in arrays for both in names.values() for name in both):
        names = {"train": ("x", "y")}
    splits = {}
    for split, (x, y) in names.items():
        if x in arrays and y not in arrays and blank is not None:
            splits[split] = (_inputs(x, arrays[x]), blank(len(arrays[x])))
            continue
        if (x in arrays) != (y in arrays):
            present, absent = (x, y) if x in arrays else (y, x)
            raise UsageError("requires", key=f"array {present}", requirement=f"the array {absent}", hint=_EXPECTED)
        if x in arrays:
            splits[split] = _pair(x, arrays[x], y, arrays[y])
    for position, part in enumerate("xy"):
        _check_consistent(part, {split: pair[position] for split, pair in splits.items()})
    if splits:
        _warn_of_channels_last(next(iter(splits.values()))[0])
    return splits


def _warn_of_channels_last(x: np.ndarray) -> None:
    """Log a warning if the channel axis of images seems to be the last one."""
    if x.ndim == 4 and x.shape[3] in _COLOR_CHANNELS and x.shape[1] not in _COLOR_CHANNELS:
        logging.getLogger("dlcli").warning(
            "x of shape %s is read as images of %d channels: (sample, channel, height, width); if the channel axis is "
            "the last one, save x.transpose(0, 3, 1, 2)",
            x.shape,
            x.shape[1],
        )


def _pair(x_name: str, x: np.ndarray, y_name: str, y: np.ndarray) -> Pair:
    x = _inputs(x_name, x)
    _check_array(y_name, y, (1, 2, 3))
    if len(x) != len(y):
        raise UsageError("mismatch", subject=y_name, requirement=f"{len(x):,} rows, as {x_name}", got=f"{len(y):,}")
    return x, _target(y_name, y, x)


def _inputs(name: str, x: np.ndarray) -> np.ndarray:
    """Return inputs with a channel axis; integers (sample, time) are tokens."""
    _check_array(name, x, (2, 3, 4))
    if x.ndim == 2 and x.dtype.kind == "f":
        return x[:, None]
    return _as_indices(name, x, "tokens") if x.ndim == 2 else x


def _target(name: str, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Targets with their axes checked: a time axis requires an input sequence of the same length."""
    steps = x.shape[-1] if x.ndim < 4 else None
    if y.dtype.kind == "f":
        if y.ndim == 3 and y.shape[2] != steps:
            requirement = f"as many time steps as the input ({steps or 'none'})"
            raise UsageError("mismatch", subject=name, requirement=requirement, got=y.shape[2])
        return y[:, None] if y.ndim == 1 else y
    if y.ndim == 2 and y.shape[1] == 1 != steps:
        y = y[:, 0]
    if y.ndim == 3 or (y.ndim == 2 and y.shape[1] != steps):
        shapes = "(sample)" if steps is None else f"(sample) or (sample, {steps})"
        raise UsageError(
            "mismatch",
            subject=name,
            requirement=f"integers of shape {shapes}",
            got=y.shape,
            hint="integers are class labels; save values to be predicted as floats",
        )
    return _as_indices(name, y, "classes")


def _as_indices(name: str, array: np.ndarray, meaning: str) -> np.ndarray:
    """Class labels or tokens as int64.

    Raises:
        UsageError: an element is negative, other than the ignored label in sequences of classes.
    """
    array = array.astype(np.int64)
    if array.min() < 0 and (array.ndim == 1 or meaning == "tokens" or array[array != IGNORED].min(initial=0) < 0):
        ignored = f", or {IGNORED} at ignored steps" if array.ndim == 2 and meaning == "classes" else ""
        must = f"{meaning} numbered from 0{ignored}"
        raise UsageError("invalid_value", key=name, must=must, got=f"a minimum of {array.min()}")
    return array


def _check_array(name: str, array: np.ndarray, axes: Sequence[int]) -> None:
    if array.dtype.kind not in _NUMERIC_KINDS:
        raise UsageError("invalid_value", key=name, must="floats or integers", got=array.dtype)
    if array.ndim not in axes:
        must = f"of {axes[0]} to {axes[-1]} axes, samples first"
        raise UsageError("invalid_value", key=name, must=must, got=f"shape {array.shape}")
    if not array.size:
        raise UsageError("invalid_value", key=name, must="non-empty", got=f"shape {array.shape}")
    if array.dtype.kind == "f" and not (finite := np.isfinite(array)).all():
        first = tuple(int(index) for index in np.unravel_index(np.argmin(finite), array.shape))
        count = int(array.size - finite.sum())
        got = f"{count:,} values that are NaN or infinite, the first at index {first}"
        raise UsageError("invalid_value", key=name, must="finite", got=got, count=count, first=first)


def _check_consistent(part: str, arrays: Mapping[str, np.ndarray]) -> None:
    (first_split, first), *others = arrays.items()
    reference = f"as {part}_{first_split}"
    for split, other in others:
        name = f"{part}_{split}"
        if (first.dtype.kind == "f") != (other.dtype.kind == "f"):
            kind = "floats" if first.dtype.kind == "f" else "integers"
            raise UsageError("mismatch", subject=name, requirement=f"{kind}, {reference}", got=other.dtype)
        if first.shape[1:] != other.shape[1:]:
            requirement = f"samples of shape {first.shape[1:]}, {reference}"
            raise UsageError("mismatch", subject=name, requirement=requirement, got=other.shape[1:])
