"""`dlcli compare`: runs, configurations and models."""

from pathlib import Path
from typing import Annotated

import typer

from dlcli.cli.options import OUT, OVERRIDES_FIRST, ConfigDirs, Csv, Json, Out, Overrides, Selector, Selectors
from dlcli.cli.suggestions import CommandGroup

app = typer.Typer(cls=CommandGroup, no_args_is_help=True, help="Compare runs, their configurations, or models.")


@app.command("runs")
def compare_runs(
    selectors: Selectors = None,
    metric: Annotated[
        str | None, typer.Option(metavar="NAME", help="Metric to compare. Default: the task's main metric.")
    ] = None,
    split: Annotated[str, typer.Option(metavar="SPLIT", help="Split: test or valid.")] = "test",
    direction: Annotated[
        str | None, typer.Option(metavar="max|min", help="Direction of the metric, for runs that do not state it.")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="CONDITION", help="Filter, e.g. 'task=adding and model.hidden>20'. Repeatable."),
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Runs started within 30min, 2h, 3d, or since 2026-11-20.")
    ] = None,
    status: Annotated[
        str | None, typer.Option(metavar="STATUS", help="Statuses, comma-separated: completed, failed, lost ...")
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(metavar="GROUP", help="Group the others are tested against. Default: the best.")
    ] = None,
    all_pairs: Annotated[bool, typer.Option("--all-pairs", help="Test every pair of groups.")] = False,
    interval: Annotated[
        str, typer.Option(metavar="METHOD", help="Confidence interval: auto (t below 20 seeds), t or bca.")
    ] = "auto",
    x: Annotated[
        str | None, typer.Option("--x", metavar="COUNTER", help="x-axis counter (steps, seconds, ...).")
    ] = None,
    precision: Annotated[int, typer.Option(metavar="DIGITS", help="Significant digits.")] = 4,
    sort: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Sort by a column; prefix - for descending.")
    ] = None,
    limit: Annotated[int | None, typer.Option(metavar="N", help="Limit the number of groups.")] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Plot curves to .png, .svg or .pdf.")] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write an HTML page of tables, curves and intervals.")
    ] = None,
    out: Out = OUT,
    as_json: Json = False,
    as_csv: Csv = False,
    as_md: Annotated[bool, typer.Option("--md", help="Write only Markdown to standard output.")] = False,
    as_latex: Annotated[bool, typer.Option("--latex", help="Write only LaTeX to standard output.")] = False,
) -> int:
    """Compare groups of runs that differ only in the seed: means, confidence intervals, corrected tests."""
    from dlcli.commands.compare import runs as command

    form = command.output_format({"json": as_json, "csv": as_csv, "md": as_md, "latex": as_latex})
    choice = command.RunSelection(selectors or [], out, where or [], since, status)
    question = command.question(metric, split, baseline, all_pairs, interval, x, direction)
    return command.main(choice, question, command.ComparisonOutput(form, precision, sort, limit, plot, html))


@app.command("configs")
def compare_configs(first: Selector, second: Selector, out: Out = OUT, as_json: Json = False) -> int:
    """Show the differences of two runs: configuration, environment, code, data and scores."""
    from dlcli.commands.compare import configs as command

    return command.main(first, second, out, as_json)


@app.command("models", context_settings=OVERRIDES_FIRST)
def compare_models(
    overrides: Overrides = None,
    config_dir: ConfigDirs = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="Use the recipes' one-second versions.")] = False,
    out: Annotated[Path, typer.Option("--out", help="Accepted by every command; no run directory is written.")] = OUT,
    as_json: Json = False,
    as_csv: Csv = False,
) -> int:
    """Compare parameters, multiply-adds and milliseconds per step of models on a task, without training."""
    from dlcli.commands.compare import models as command

    return command.main(overrides or [], config_dir or [], smoke, as_json, as_csv)
