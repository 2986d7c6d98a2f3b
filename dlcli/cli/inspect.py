"""Commands that read one finished run: eval, show and export."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from dlcli.cli.options import OUT, OVERRIDES_FIRST, Changes, Json, Name, Out, Selector, Tags
from dlcli.core.errors import UsageError

_SAMPLES = 16  # test rows that `show --explain` draws by default


def register(app: typer.Typer) -> None:
    """Add the commands to the root."""
    app.command("eval", context_settings=OVERRIDES_FIRST)(evaluate)
    app.command()(show)
    app.command(context_settings=OVERRIDES_FIRST)(predict)
    app.command()(export)


def evaluate(
    run: Selector,
    overrides: Changes = None,
    split: Annotated[str | None, typer.Option(metavar="SPLIT", help="train, valid, test or all.")] = None,
    predictions: Annotated[
        Path | None, typer.Option(metavar="FILE", help="CSV file of predictions, one row per sample.")
    ] = None,
    render: Annotated[Path | None, typer.Option(metavar="FILE", help="Video of one episode, .gif or .mp4.")] = None,
    draw: Annotated[int | None, typer.Option(metavar="N", help="Draw N samples of a generative model.")] = None,
    to: Annotated[Path | None, typer.Option(metavar="FILE", help="File for the drawn samples, .png or .npz.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the drawn samples. Default: the run's seed.")] = None,
    name: Name = None,
    tag: Tags = None,
    out: Out = OUT,
    as_json: Json = False,
) -> int:
    """Evaluate the best checkpoint on the test split, or on new data (task.path=new.csv), or predict."""
    if draw is None and (to is not None or seed is not None):
        raise UsageError("requires", key="--to" if to is not None else "--seed", requirement="--draw N")
    if draw is not None and to is None:
        raise UsageError("requires", key="--draw", requirement="--to FILE.png or --to FILE.npz")
    from dlcli.commands.eval import eval as command
    from dlcli.commands.eval.draw import SampleRequest
    from dlcli.engine.options import Options

    options = Options(out, name, tuple(tag or ()), argv=tuple(sys.argv[1:]))
    drawing = None if draw is None or to is None else SampleRequest(draw, to, seed)
    return command.main(run, overrides or [], options, split, predictions, as_json, render, drawing)


def predict(
    run: Selector,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="File or folder in the format of the run's task.")],
    overrides: Changes = None,
    to: Annotated[Path | None, typer.Option(metavar="FILE", help="Output file. Default: standard output.")] = None,
    last: Annotated[bool, typer.Option("--last", help="Only forecasts beyond the end of the file.")] = False,
    out: Out = OUT,
    as_json: Json = False,
) -> int:
    """Predict for new data without targets, in the units and labels of the training data."""
    from dlcli.commands import predict as command

    return command.main(run, path, overrides or [], out, to, as_json, last)


def show(
    run: Selector,
    metric: Annotated[
        str | None, typer.Option(metavar="NAME", help="Metric of the curve. Default: the task's main metric.")
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write an HTML page.")] = None,
    configuration: Annotated[bool, typer.Option("--config", help="Print the resolved configuration too.")] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Attribution maps of test samples, in artifacts/explain/.")
    ] = False,
    samples: Annotated[
        int | None, typer.Option(metavar="N", help=f"With --explain: number of test samples. Default: {_SAMPLES}.")
    ] = None,
    layer: Annotated[str | None, typer.Option(metavar="NAME", help="With --explain: module for Grad-CAM.")] = None,
    randomized: Annotated[
        bool, typer.Option("--randomized", help="With --explain: sanity check against re-initialized weights.")
    ] = False,
    out: Out = OUT,
    as_json: Json = False,
) -> int:
    """Show status, scores and a training curve of a run, or explain its predictions."""
    if explain:
        if metric is not None or html is not None:
            raise UsageError("conflict", first="--explain", second="--metric" if metric is not None else "--html")
        from dlcli.commands.explain import explain as explanation

        wish = explanation.ExplainOptions(_SAMPLES if samples is None else samples, layer, randomized)
        return explanation.main(run, out, wish, as_json)
    for option, value in (("--samples", samples), ("--layer", layer), ("--randomized", randomized or None)):
        if value is not None:
            raise UsageError("requires", key=option, requirement="--explain")
    from dlcli.commands import show as command

    return command.main(run, out, metric, as_json, html, configuration)


def export(
    run: Selector,
    to: Annotated[str, typer.Option("--to", metavar="FORMAT", help="Format: safetensors, onnx or torchexport.")],
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Output file. Default: the run's id and the format's ending.")
    ] = None,
    out: Out = OUT,
    as_json: Json = False,
) -> int:
    """Export the best checkpoint (safetensors, ONNX, torch.export) and verify its outputs."""
    from dlcli.commands.export import export as command

    return command.main(run, out, to, output, as_json)
