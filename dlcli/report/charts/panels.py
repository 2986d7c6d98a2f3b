"""`--plot curves.png`: means over the seeds with their intervals, a panel for each task."""

import io
import math
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from dlcli.core.errors import Missing, UsageError, nearest
from dlcli.report import output_file
from dlcli.report.comparison import history
from dlcli.report.comparison.comparison import Comparison, Question
from dlcli.report.comparison.experiments import Bunch
from dlcli.report.comparison.groups import Group
from dlcli.report.sanitize import one_line
from dlcli.report.statistics.intervals import band

ENDINGS = (".png", ".svg", ".pdf")
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#f0e442")
"""Okabe & Ito 2002, which colour-blind readers can tell apart."""
_DASHES = ("-", "--", ":", "-.")

Series = tuple[Sequence[Any], Sequence[Any], Sequence[Any], Sequence[Any]]


def check(path: Path) -> None:
    """Raises: UsageError: the ending is of no picture; Missing: matplotlib is not here."""
    if path.suffix.lower() not in ENDINGS:
        raise UsageError(f"--plot {path}: the ending says the format{nearest(path.suffix or path.name, ENDINGS)}")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise Missing("--plot needs matplotlib: pip install 'dlcli[plot]' (--html needs nothing)") from None


def write(path: Path, answer: Comparison, asked: Question) -> None:
    """The picture of a comparison."""
    check(path)
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels: dict[str, list[Group]] = {}
    for row in answer.groups:
        panels.setdefault(row.yardstick, []).append(row)
    figure = Figure(figsize=(8, 4.6 * max(1, len(panels))), layout="constrained", dpi=150)
    FigureCanvasAgg(figure)
    for place, (task, groups) in enumerate(panels.items(), 1):
        _panel(figure.add_subplot(max(1, len(panels)), 1, place), task, groups, answer, asked)
    drawn = io.BytesIO()
    with warnings.catch_warnings(), rc_context({"svg.hashsalt": "dlcli"}):
        warnings.simplefilter("ignore")  # letters that the font does not have
        figure.savefig(drawn, format=path.suffix.lower()[1:], metadata=_undated(path))
    output_file.write(path, drawn.getvalue(), "--plot")


def _undated(path: Path) -> dict[str, None]:
    """The same runs give the same file."""
    return {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(path.suffix.lower(), {})


def _panel(axes: Any, task: str, groups: Sequence[Group], answer: Comparison, asked: Question) -> None:
    metric = groups[0].metric.partition(" ")[2]
    drawn = []
    for place, row in enumerate(groups):
        found = _series(answer.bunches[row.experiment], metric, asked.x)
        if found is None:
            continue
        _line(axes, found, place, row)
        drawn.append(found)
    if not drawn:
        axes.text(0.5, 0.5, "no curves", ha="center", va="center", transform=axes.transAxes)
    axes.set_title(plain(task), loc="left")
    axes.set_xlabel(plain(asked.x or "step"))
    axes.set_ylabel(plain(f"valid {metric}"))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if logarithmic(value for _, middle, _, _ in drawn for value in middle):
        axes.set_yscale("log")
    if geometric([list(x) for x, *_ in drawn]):
        axes.set_xscale("log")
    if drawn:
        axes.legend(frameon=False, fontsize="small")


def _series(own: Bunch, metric: str, x: str | None) -> Series | None:
    """x, mean, low, high; a lone seed's curve has no interval."""
    members = {run.id: (run, history.curve(run, "valid", metric)) for run in own.counted or own.all}
    curves = {name: curve for name, (_, curve) in members.items() if curve[0]}
    around = band(curves)
    try:
        spent = [history.along(members[name][0], x, around.steps) for name in curves]
    except UsageError:
        return None
    middle = [sum(at) / len(at) for at in zip(*spent, strict=True)]
    known = [place for place, value in enumerate(around.mean) if value is not None]
    if not known:
        return None
    nan = [around.mean, around.low, around.high]
    rows = [[math.nan if row[place] is None else row[place] for place in known] for row in nan]
    return [middle[place] for place in known], rows[0], rows[1], rows[2]


def _line(axes: Any, found: Series, place: int, row: Group) -> None:
    x, middle, low, high = found
    colour, dash = COLOURS[place % len(COLOURS)], _DASHES[place // len(COLOURS) % len(_DASHES)]
    label = plain(f"{row.name} (n = {row.n})")
    axes.plot(x, middle, dash, color=colour, label=label, linewidth=1.8, marker="o" if len(x) == 1 else None)
    axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)


def logarithmic(values: Iterable[int | float]) -> bool:
    """Whether values span two powers of ten."""
    kept = [value for value in values if math.isfinite(value)]
    return bool(kept) and min(kept) > 0 and max(kept) / min(kept) > 100


def geometric(rows: Sequence[Sequence[int | float]]) -> bool:
    """Whether the points crowd at the beginning, as steps do that double."""
    every = sorted(value for row in rows for value in row)
    return len(every) > 4 and every[0] > 0 and every[-1] / every[0] > 100 and every[len(every) // 2] < every[-1] / 10


def plain(text: str) -> str:
    """Text that matplotlib takes for no formula and hides from no legend."""
    shown = one_line(text).replace("\\", "\\\\").replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown
