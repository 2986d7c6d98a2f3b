"""An episode as a moving picture: `dlcli eval RUN --render FILE.gif`."""

import importlib
from pathlib import Path

from torch import nn

from dlcli.core.errors import Missing, UsageError
from dlcli.core.population import Renders
from dlcli.core.task import Task
from dlcli.report import output_file

_ENDINGS = {".gif": "imageio", ".mp4": "imageio_ffmpeg"}


def check(path: Path) -> None:
    """Whether such a file can be written.

    Raises:
        UsageError: it is neither a GIF nor an MP4.
        Missing: what writes it is not installed.
    """
    if path.suffix.lower() not in _ENDINGS:
        raise UsageError(f"--render writes {' or '.join(_ENDINGS)} files, not {path.name}")
    try:
        importlib.import_module("imageio")
        importlib.import_module(_ENDINGS[path.suffix.lower()])
    except ImportError as error:
        raise Missing(f"--render {path.suffix} needs {error.name}\nGet it: pip install 'dlcli[render]'") from None


def draw(path: Path, model: nn.Module, task: Task) -> None:
    """The first episode of the test split, written as a whole or not at all.

    Raises:
        UsageError: the task has nothing to look at.
    """
    from imageio import v3

    if not isinstance(task, Renders):
        raise UsageError(f"{type(task).__name__} has nothing to look at: --render is for environments")
    pixels, fps = task.frames(model, int(task.batch("test", 0).index[0]))
    path = output_file.place(path, "--render")
    side = path.with_name(f".{path.stem}.tmp{path.suffix}")
    try:
        if path.suffix.lower() == ".gif":
            v3.imwrite(side, pixels.numpy(), duration=1000 / fps, loop=0)
        else:
            v3.imwrite(side, pixels.numpy(), fps=fps, codec="libx264", macro_block_size=2)
        side.replace(path)
    finally:
        side.unlink(missing_ok=True)
