"""`dlcli sketch query` and `dlcli sketch stream`."""

from pathlib import Path
from typing import Annotated

import typer

from dlcli.cli import completion
from dlcli.cli.options import OUT, OVERRIDES_FIRST, Json, Out, Progress, Quiet, Selector


def register(app: typer.Typer) -> None:
    """Add the commands to the root; their names have two words."""
    app.command("sketch query", context_settings=OVERRIDES_FIRST)(sketch_query)
    app.command("sketch stream", context_settings=OVERRIDES_FIRST)(sketch_stream)


def sketch_query(
    run: Selector,
    question: Annotated[
        str,
        typer.Argument(
            metavar="QUESTION",
            help="count, mean, attribute, similar, erase, recover-network or bench.",
            autocompletion=completion.questions,
        ),
    ],
    settings: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="Settings of the query: module=3, scenes=0:100, k=5 ..."),
    ] = None,
    out: Out = OUT,
    quiet: Quiet = False,
    as_json: Json = False,
) -> int:
    """Query the sketches of a run: count, mean, attribute, similar, erase, recover-network or bench."""
    from dlcli.commands.sketch.queries import query

    return query.main(run, question, settings or [], out, quiet, as_json)


def sketch_stream(
    path: Annotated[
        str | None,
        typer.Argument(
            metavar="PATH", help="Stream file (.csv .tsv .txt .npy .npz .pt), saved sketches, or - for stdin."
        ),
    ] = None,
    sizes: Annotated[
        list[str] | None, typer.Argument(metavar="SIZE=N", help="Sketch sizes, e.g. width=4096 or log2=14.")
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            metavar="KINDS",
            help="Comma-separated: hll, kll, countmin, countsketch, ams, fastams, frequent, entropy, jl, norms.",
        ),
    ] = None,
    column: Annotated[str | None, typer.Option(metavar="NAME", help="Column of a table, or array in the file.")] = None,
    tokens: Annotated[
        bool, typer.Option("--tokens", help="Items are whitespace-separated tokens; default: lines.")
    ] = False,
    values: Annotated[
        str, typer.Option("--as", metavar="TYPE", help="Item type of text: words (default), integers or floats.")
    ] = "auto",
    skip_empty: Annotated[bool, typer.Option("--skip-empty", help="Ignore empty lines and cells.")] = False,
    exact: Annotated[
        bool, typer.Option("--exact", help="Also compute the exact values (memory grows with distinct items).")
    ] = False,
    top: Annotated[int, typer.Option(metavar="K", min=0, help="How many of the most frequent items to show.")] = 10,
    item: Annotated[
        list[str] | None, typer.Option(metavar="X", help="Estimate the count of item X. Repeatable.")
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of the hash functions; only sketches of equal seed can be merged.")
    ] = 0,
    load: Annotated[Path | None, typer.Option(metavar="FILE", help="Continue saved sketches.")] = None,
    merge: Annotated[list[Path] | None, typer.Option(metavar="FILE", help="Add saved sketches. Repeatable.")] = None,
    subtract: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Subtract saved sketches (linear kinds only).")
    ] = None,
    save: Annotated[Path | None, typer.Option(metavar="FILE", help="Save the sketches as .npz.")] = None,
    progress: Progress = "auto",
    as_json: Json = False,
) -> int:
    """Sketch a stream in little memory: distinct items, quantiles, frequent items, norms and entropy."""
    from dlcli.commands.streams import stream
    from dlcli.commands.streams.reader import StreamSource
    from dlcli.sketching.streams.sketch import ItemQuery

    asked = ItemQuery(tuple(item or ()), top)
    wish = stream.StreamRequest(
        kind, tuple(sizes or ()), seed, load, tuple(merge or ()), subtract, save, exact, asked, progress
    )
    source = None if path is None else StreamSource(path, column, tokens, values, skip_empty)
    return stream.main(source, wish, as_json)
