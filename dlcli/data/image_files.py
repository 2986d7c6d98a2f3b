"""Decode image files of one size and mode into a uint8 array."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from dlcli.core.errors import UsageError

CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4}
_MAX_LISTED = 5  # files named in a message
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")  # formats that Pillow decodes without other programs

Size = tuple[int, int]
"""(height, width)."""

Header = tuple[Size, str]
"""Size and mode."""


class ImageFiles:
    """Readable image files.

    Args:
        paths: the files.
        skip_bad: skip unreadable files with a warning instead of raising.

    Raises:
        UsageError: a file is unreadable and `skip_bad` is false, or all files are unreadable.
    """

    def __init__(self, paths: Sequence[Path], *, skip_bad: bool) -> None:
        headers = _headers(paths, _header)
        if any(
            isinstance(header, str) for header in headers.values()
        ):  # decode all files, to report all errors at once
            headers |= _headers([path for path, header in headers.items() if not isinstance(header, str)], _decoded)
        _report({path: header for path, header in headers.items() if isinstance(header, str)}, len(paths), skip_bad)
        self._headers = {path: header for path, header in headers.items() if not isinstance(header, str)}
        self.paths = list(self._headers)
        self.skip_bad = skip_bad

    def size(self, target: Size | None, fitted: Size | None) -> Size:
        """Common size of all images, or the size to which they are resized.

        Args:
            target: size requested by the user; None requires one common size.
            fitted: size with which a run was trained.

        Raises:
            UsageError: the sizes differ from each other, or from the run's.
        """
        sizes = {path: header[0] for path, header in self._headers.items()}
        return _common(sizes, target, fitted, "size", lambda size: f"{size[0]}x{size[1]}")

    def mode(self, target: str | None, fitted: str | None) -> str:
        """Common mode of all images, or the mode to which they are converted: L (grayscale), RGB or RGBA."""
        modes = {path: header[1] for path, header in self._headers.items()}
        if deep := next((path for path, mode in modes.items() if mode.startswith(("I", "F"))), None):
            raise UsageError("unsupported", subject=deep, feature=f"mode {modes[deep]}: only 8 bits per channel")
        mode = _common(modes, target, fitted, "mode", str)
        if mode not in CHANNELS:
            hint = None if target else "task.mode=RGB converts the images"
            raise UsageError("unknown_name", kind="task.mode", name=mode, known=CHANNELS, hint=hint)
        return mode

    def read(self, size: Size, mode: str) -> UInt8[np.ndarray, "sample channel height width"]:
        """Pixels of the readable images; afterwards `paths` lists exactly these."""
        pixels = np.empty((len(self.paths), *size, CHANNELS[mode]), np.uint8)
        unreadable: dict[Path, str] = {}
        readable: list[Path] = []
        for path in self.paths:
            try:
                pixels[len(readable)] = _pixels(path, size, mode)
                readable.append(path)
            except Exception as error:  # noqa: BLE001 - a damaged file may raise anything
                unreadable[path] = _problem(error)
        _report(unreadable, len(self.paths), self.skip_bad)
        self.paths = readable
        return np.ascontiguousarray(pixels[: len(readable)].transpose(0, 3, 1, 2))


def _common(values: Mapping[Path, Any], target: Any, fitted: Any, key: str, text: Callable[[Any], str]) -> Any:
    """The property that all images have, or `target`.

    Args:
        values: the property by file.
        key: name of the property, below `task.`.
        text: formats a value.
    """
    counts = Counter(values.values())
    most_frequent = counts.most_common(1)[0][0]
    if target is None and len(counts) > 1:
        listed = ", ".join(
            f"{text(value)} ({count:,}, {_example(values, value)})" for value, count in counts.most_common(3)
        )
        raise UsageError(
            "invalid_data",
            path="task.path",
            problem=f"{len(counts)} {key}s: {listed}{', ...' if len(counts) > 3 else ''}",
            hint=f"{_setting(key, most_frequent if fitted is None else fitted)} converts all images",
        )
    chosen = most_frequent if target is None else target
    if fitted is not None and chosen != fitted:
        requirement = f"images of {key} {text(fitted)}, as in training"
        raise UsageError(
            "mismatch", subject="the run", requirement=requirement, got=text(chosen), hint=_setting(key, fitted)
        )
    return chosen


def _headers(paths: Sequence[Path], read: Callable[[Path], Header]) -> dict[Path, Header | str]:
    """Size and mode of every image, or the problem as text."""
    headers: dict[Path, Header | str] = {}
    for path in paths:
        try:
            headers[path] = read(path)
        except Exception as error:  # noqa: BLE001 - a damaged file may raise anything
            headers[path] = _problem(error)
    return headers


def _header(path: Path) -> Header:
    with Image.open(path, formats=_FORMATS) as image:
        return (image.height, image.width), image.mode


def _decoded(path: Path) -> Header:
    """Size and mode of an image whose pixels can be decoded."""
    with Image.open(path, formats=_FORMATS) as image:
        header = (image.height, image.width), image.mode
        image.load()  # may change the mode of a palette image
        return header


def _pixels(path: Path, size: Size, mode: str) -> UInt8[np.ndarray, "height width channel"]:
    with Image.open(path, formats=_FORMATS) as image:
        image.load()
        converted = image if image.mode == mode else image.convert(mode)
        if (converted.height, converted.width) != size:
            converted = converted.resize(size[::-1], Image.Resampling.BILINEAR)
        return np.asarray(converted, np.uint8).reshape(*size, -1)


def _report(unreadable: Mapping[Path, str], count: int, skip: bool) -> None:
    """Log the unreadable files if they are skipped.

    Raises:
        UsageError: they are not skipped, or no file is readable.
    """
    if not unreadable:
        return
    total = f"{len(unreadable)} of {count} files are unreadable"
    if not skip or len(unreadable) == count:
        path, problem = next(iter(unreadable.items()))
        others = ", ".join(str(path) for path in list(unreadable)[1:_MAX_LISTED])
        hint = f"{total}{f' ({others} ...)' if others else ''}; task.skip_bad=true skips them"
        raise UsageError("invalid_data", path=path, problem=problem, count=len(unreadable), total=count, hint=hint)
    listed = "\n".join(f"  {path}: {problem}" for path, problem in list(unreadable.items())[:_MAX_LISTED])
    more = f"\n  and {len(unreadable) - _MAX_LISTED} more" if len(unreadable) > _MAX_LISTED else ""
    logging.getLogger("dlcli").warning("skipped: %s:\n%s%s", total, listed, more)


def _problem(error: BaseException) -> str:
    if isinstance(error, Image.UnidentifiedImageError):
        return "not a readable image"
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:100]


def _example(values: Mapping[Path, Any], value: Any) -> str:
    path = next(path for path, other in values.items() if other == value)
    return f"{path.parent.name}/{path.name}"


def _setting(key: str, value: Any) -> str:
    return f"task.{key}={value if isinstance(value, str) else '[' + ','.join(map(str, value)) + ']'}"
