"""Picture files of one size and mode, read into bytes."""

import logging
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from dlcli.core.errors import UsageError, nearest

CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4}
_NAMED = 5  # files that a message names
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")  # none that needs another program to be read

Size = tuple[int, int]
"""(height, width)."""

Look = tuple[Size, str]
"""Size and mode."""


class Pictures:
    """Files, the unreadable ones left out or refused.

    Args:
        paths: where they are.
        skip_bad: leave out what cannot be read, and say so, instead of refusing the whole.

    Raises:
        UsageError: a file cannot be read and is not to be skipped, or none can be.
    """

    def __init__(self, paths: Sequence[Path], *, skip_bad: bool) -> None:
        looks = _looks(paths, _look)
        if any(isinstance(look, str) for look in looks.values()):  # so that all of them are told at once
            looks |= _looks([path for path, look in looks.items() if not isinstance(look, str)], _loaded)
        _refuse({path: look for path, look in looks.items() if isinstance(look, str)}, len(paths), skip_bad)
        self._looks = {path: look for path, look in looks.items() if not isinstance(look, str)}
        self.paths = list(self._looks)
        self.skip_bad = skip_bad

    def size(self, wanted: Size | None, known: Size | None) -> Size:
        """What all of them have, or are to be resized to.

        Args:
            wanted: what the user asks for.
            known: what a run was trained on.

        Raises:
            UsageError: they differ from one another, or from the run's.
        """
        return self._one({path: look[0] for path, look in self._looks.items()}, wanted, known, "size", _times, _sized)

    def mode(self, wanted: str | None, known: str | None) -> str:
        """As `size`, for the mode: L (grey), RGB or RGBA."""
        modes = {path: look[1] for path, look in self._looks.items()}
        if deep := next((path for path, mode in modes.items() if mode.startswith(("I", "F"))), None):
            raise UsageError(f"{deep} has mode {modes[deep]}, more than 8 bits a channel: only bytes are read")
        mode = self._one(modes, wanted, known, "mode", str, str)
        if mode not in CHANNELS:
            asked = f"task.mode is {' or '.join(CHANNELS)}, not {mode!r}{nearest(mode, CHANNELS)}"
            raise UsageError(
                asked if wanted else f"pictures of mode {mode} have no channels: task.mode=RGB converts them"
            )
        return mode

    def _one(
        self,
        found: Mapping[Path, Any],
        wanted: Any,
        known: Any,
        key: str,
        say: Callable[[Any], str],
        write: Callable[[Any], str],
    ) -> Any:
        counts = Counter(found.values())
        most = counts.most_common(1)[0][0]
        if wanted is None and len(counts) > 1:
            listed = ", ".join(
                f"{say(value)} ({count:,}, {_example(found, value)})" for value, count in counts.most_common(4)
            )
            raise UsageError(
                f"the pictures have {len(counts)} {key}s: {listed}{', ...' if len(counts) > 4 else ''}\n"
                f"task.{key}={write(most if known is None else known)} makes them one"
            )
        chosen = most if wanted is None else wanted
        if known is not None and chosen != known:
            raise UsageError(
                f"the pictures have {key} {say(chosen)}, the run was trained on {say(known)}: task.{key}={write(known)}"
            )
        return chosen

    def read(self, size: Size, mode: str) -> UInt8[np.ndarray, "sample channel height width"]:
        """The pixels of those that can be read; `paths` is then of those."""
        pixels = np.empty((len(self.paths), *size, CHANNELS[mode]), np.uint8)
        bad: dict[Path, str] = {}
        kept: list[Path] = []
        for path in self.paths:
            try:
                pixels[len(kept)] = _pixels(path, size, mode)
                kept.append(path)
            except Exception as error:  # noqa: BLE001 - a damaged file may raise anything
                bad[path] = _words(error)
        _refuse(bad, len(self.paths), self.skip_bad)
        self.paths = kept
        return np.ascontiguousarray(pixels[: len(kept)].transpose(0, 3, 1, 2))


def _looks(paths: Sequence[Path], look: Callable[[Path], Look]) -> dict[Path, Look | str]:
    """Size and mode of every picture, or words about what is wrong."""
    found: dict[Path, Look | str] = {}
    for path in paths:
        try:
            found[path] = look(path)
        except Exception as error:  # noqa: BLE001 - a damaged file may raise anything
            found[path] = _words(error)
    return found


def _look(path: Path) -> Look:
    with Image.open(path, formats=_FORMATS) as picture:
        return (picture.height, picture.width), picture.mode


def _loaded(path: Path) -> Look:
    """As `_look`, of a picture whose pixels are there too."""
    with Image.open(path, formats=_FORMATS) as picture:
        picture.load()
    return _look(path)


def _pixels(path: Path, size: Size, mode: str) -> UInt8[np.ndarray, "height width channel"]:
    with Image.open(path, formats=_FORMATS) as picture:
        picture.load()
        made = picture if picture.mode == mode else picture.convert(mode)
        if (made.height, made.width) != size:
            made = made.resize(size[::-1], Image.Resampling.BILINEAR)
        return np.asarray(made, np.uint8).reshape(*size, -1)


def _refuse(bad: Mapping[Path, str], count: int, skip: bool) -> None:
    """Say which files cannot be read; raises unless they are to be skipped and some are left."""
    if not bad:
        return
    listed = "\n".join(f"  {path}: {why}" for path, why in list(bad.items())[:_NAMED])
    more = f"\n  and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
    told = f"{len(bad)} of {count} files cannot be read as pictures:\n{listed}{more}"
    if not skip or len(bad) == count:
        raise UsageError(f"{told}\ntask.skip_bad=true leaves them out")
    logging.getLogger("dlcli").warning("left out: %s", told)


def _words(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return "not a picture" if isinstance(error, Image.UnidentifiedImageError) else lines[0][:100]


def _example(found: Mapping[Path, Hashable], value: Hashable) -> str:
    path = next(path for path, one in found.items() if one == value)
    return f"{path.parent.name}/{path.name}"


def _times(size: Size) -> str:
    return f"{size[0]}x{size[1]}"


def _sized(size: Size) -> str:
    return f"[{size[0]},{size[1]}]"
