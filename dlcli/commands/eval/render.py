"""Video of one episode: `dlcli eval RUN --render FILE.gif`."""

import importlib
from pathlib import Path

from torch import nn

from dlcli.core.errors import Missing, UsageError, install_command
from dlcli.core.population import Renderable
from dlcli.core.task import Task
from dlcli.report import output_file

_ENDINGS = {".gif": "imageio", ".mp4": "imageio_ffmpeg"}


def check_render(path: Path) -> None:
    """Check that a video file can be written.

    Raises:
        UsageError: the file is neither a GIF nor an MP4.
        Missing: the package that encodes it is not installed.
    """
    if path.suffix.lower() not in _ENDINGS:
        raise UsageError("invalid_value", key="--render", must=f"a {' or '.join(_ENDINGS)} file", got=path.name)
    try:
        importlib.import_module("imageio")
        importlib.import_module(_ENDINGS[path.suffix.lower()])
    except ImportError as error:
        hint = f"Install it: {install_command('render')}"
        feature = f"--render {path.suffix}"
        raise Missing("missing_package", feature=feature, package=error.name, hint=hint) from None


def render_episode(path: Path, model: nn.Module, task: Task) -> None:
    """Write the first episode of the test split, atomically.

    Raises:
        UsageError: the task does not render frames.
    """
    from imageio import v3

    if not isinstance(task, Renderable):
        hint = "--render requires an environment, such as task=maze or task=gymnasium."
        raise UsageError("unsupported", subject=type(task).__name__, feature="--render", hint=hint)
    pixels, fps = task.frames(model, int(task.batch("test", 0).index[0]))
    path = output_file.resolve_path(path, "--render")
    temporary = path.with_name(f".{path.stem}.tmp{path.suffix}")
    try:
        if path.suffix.lower() == ".gif":
            v3.imwrite(temporary, pixels.numpy(), duration=1000 / fps, loop=0)
        else:
            v3.imwrite(temporary, pixels.numpy(), fps=fps, codec="libx264", macro_block_size=2)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
