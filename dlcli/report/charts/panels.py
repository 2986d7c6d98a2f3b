"""Figures of `--plot`: mean curves over the seeds with confidence bands, one panel per task."""

import io
import math
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from dlcli.core.errors import Missing, UsageError, install_command
from dlcli.report import output_file
from dlcli.report.comparison import history
from dlcli.report.comparison.comparison import Comparison, ComparisonOptions
from dlcli.report.comparison.experiments import Experiment
from dlcli.report.comparison.groups import Group
from dlcli.report.sanitize import one_line
from dlcli.report.statistics.intervals import band

SUFFIXES = (".png", ".svg", ".pdf")
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#f0e442")
"""Color-blind safe palette of Okabe & Ito 2002."""
_DASHES = ("-", "--", ":", "-.")

Series = tuple[Sequence[Any], Sequence[Any], Sequence[Any], Sequence[Any]]


def check(path: Path) -> None:
    """Check that the format is supported and matplotlib is installed.

    Raises:
        UsageError: the file name does not end in .png, .svg or .pdf.
        Missing: matplotlib is not installed.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError("invalid_value", key="--plot", must="a .png, .svg or .pdf file", got=str(path))
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        hint = f"Install it with {install_command('plot')}, or use --html, which does not require it."
        raise Missing("missing_package", feature="--plot", package="matplotlib", hint=hint) from None


def write(path: Path, comparison: Comparison, question: ComparisonOptions) -> None:
    """Write the figure of a comparison.

    Raises:
        UsageError: the format is not supported, or the file cannot be written.
        Missing: matplotlib is not installed.
    """
    check(path)
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels: dict[str, list[Group]] = {}
    for row in comparison.groups:
        panels.setdefault(row.yardstick, []).append(row)
    figure = Figure(figsize=(8, 4.6 * max(1, len(panels))), layout="constrained", dpi=150)
    FigureCanvasAgg(figure)
    for position, (task, groups) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(max(1, len(panels)), 1, position)
        _panel(axes, task, groups, comparison, question)
    content = io.BytesIO()
    with warnings.catch_warnings(), rc_context({"svg.hashsalt": "dlcli"}):
        warnings.simplefilter("ignore")  # characters that are missing in the font
        figure.savefig(content, format=path.suffix.lower()[1:], metadata=_without_date(path))
    output_file.write(path, content.getvalue(), "--plot")


def _without_date(path: Path) -> dict[str, None]:
    """Metadata without a date, so that equal runs give equal files."""
    return {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(path.suffix.lower(), {})


def _panel(axes: Any, task: str, groups: Sequence[Group], comparison: Comparison, question: ComparisonOptions) -> None:
    metric = groups[0].metric.partition(" ")[2]
    drawn = []
    for index, row in enumerate(groups):
        series = _series(comparison.experiments[row.experiment], metric, question.x)
        if series is None:
            continue
        _line(axes, series, index, row)
        drawn.append(series)
    if not drawn:
        axes.text(0.5, 0.5, "no curves", ha="center", va="center", transform=axes.transAxes)
    axes.set_title(escape_text(task), loc="left")
    axes.set_xlabel(escape_text(question.x or "step"))
    axes.set_ylabel(escape_text(f"valid {metric}"))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if logarithmic(value for _, mean, _, _ in drawn for value in mean):
        axes.set_yscale("log")
    if geometric([list(x) for x, *_ in drawn]):
        axes.set_xscale("log")
    if drawn:
        axes.legend(frameon=False, fontsize="small")


def _series(own: Experiment, metric: str, x: str | None) -> Series | None:
    """(x, mean, low, high) of the validation curve; low and high are NaN for a single seed."""
    members = {run.id: (run, history.curve(run, "valid", metric)) for run in own.counted or own.all}
    curves = {name: curve for name, (_, curve) in members.items() if curve[0]}
    mean = band(curves)
    try:
        by_run = [history.convert_steps(members[name][0], x, mean.steps) for name in curves]
    except UsageError:
        return None
    positions = [sum(column) / len(column) for column in zip(*by_run, strict=True)]
    indices = [index for index, value in enumerate(mean.mean) if value is not None]
    if not indices:
        return None
    columns = (mean.mean, mean.low, mean.high)
    y, low, high = ([math.nan if column[i] is None else column[i] for i in indices] for column in columns)
    return [positions[index] for index in indices], y, low, high


def _line(axes: Any, series: Series, index: int, row: Group) -> None:
    x, mean, low, high = series
    color, dash = COLORS[index % len(COLORS)], _DASHES[index // len(COLORS) % len(_DASHES)]
    label = escape_text(f"{row.name} (n = {row.n})")
    axes.plot(x, mean, dash, color=color, label=label, linewidth=1.8, marker="o" if len(x) == 1 else None)
    axes.fill_between(x, low, high, color=color, alpha=0.18, linewidth=0)


def logarithmic(values: Iterable[int | float]) -> bool:
    """True if positive values span more than two powers of ten."""
    numbers = [value for value in values if math.isfinite(value)]
    return bool(numbers) and min(numbers) > 0 and max(numbers) / min(numbers) > 100


def geometric(rows: Sequence[Sequence[int | float]]) -> bool:
    """True if the points are concentrated at the start of the axis, as for steps that double."""
    points = sorted(value for row in rows for value in row)
    if len(points) <= 4 or points[0] <= 0:
        return False
    return points[-1] / points[0] > 100 and points[len(points) // 2] < points[-1] / 10


def escape_text(text: str) -> str:
    """Escape text so that matplotlib renders no formula and shows it in the legend."""
    shown = one_line(text).replace("\\", "\\\\").replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown
