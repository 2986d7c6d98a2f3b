"""The verbs of the command line: arguments, messages, exit codes. Everything heavy is imported where it is needed."""

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from dlcli.cli import completion
from dlcli.core.errors import UsageError, nearest

_WORDS_FIRST = {"ignore_unknown_options": True, "allow_interspersed_args": True}
_CLICK_ERROR: Any = typer.BadParameter.__mro__[2]  # ClickException, wherever this typer keeps it


class Verbs(TyperGroup):
    """The top of the command line: every error is a few lines on standard error and an exit code."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if (command := self.get_command(ctx, two := " ".join(args[:2]))) is not None and len(args) > 1:
            return two, command, args[2:]
        known = not args or self.get_command(ctx, args[0]) is not None
        if not known and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise UsageError(f"no verb {args[0]!r}{nearest(args[0], self.list_commands(ctx))}\nAll: dlcli --help")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """What may stand next, one word at a time."""
        return [item for item in super().shell_complete(ctx, incomplete) if " " not in item.value]

    def main(self, args: Any = None, *rest: Any, standalone_mode: bool = True, **more: Any) -> Any:
        run = partial(super().main, args, *rest, **more | {"standalone_mode": False})
        return sys.exit(_guard(run)) if standalone_mode else run()


def _guard(run: Any) -> int:
    """Run something; what it answers or raises as an exit code, told in one to five lines."""
    try:
        code = run()
        sys.stdout.flush()
    except UsageError as error:
        return _tell(str(error), 2)
    except _CLICK_ERROR as error:
        return _tell(error.format_message(), 2)
    except typer.Abort:
        return _tell("interrupted", 130)
    except KeyboardInterrupt:
        return _tell("interrupted", 130)
    except BrokenPipeError:
        return _unread()
    except SystemExit as leaving:
        if type(sys.stdout).__name__ == "PacifyFlushWrapper":  # so click tells of a closed pipe
            return _unread()
        raise leaving
    except MemoryError:
        return _tell("out of memory", 4)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _tell(f"{place}{error.strerror or error}", getattr(error, "exit_code", 2))
    return code if isinstance(code, int) else 0


def _unread() -> int:
    """Whoever read our output has seen enough, which is no failure; Python flushes once more at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 0


def _tell(text: str, code: int) -> int:
    lines = [line for line in text.strip().splitlines() if line.strip()][:5]
    if lines:
        print("dlcli: " + "\n       ".join(lines), file=sys.stderr)  # noqa: T201
    return code


app = typer.Typer(
    cls=Verbs,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="The laboratory that settles by measurement which deep learning model is best for a problem.",
)
list_app = typer.Typer(no_args_is_help=True, help="List models, tasks, recipes, claims or runs, one line each.")
compare_app = typer.Typer(no_args_is_help=True, help="Compare runs, their configurations, or models.")
data_app = typer.Typer(no_args_is_help=True, help="List, fetch and verify the data sets that tasks read.")
runs_app = typer.Typer(no_args_is_help=True, help="Keep house: remove runs and what they no longer need, and tag them.")
app.add_typer(list_app, name="list")
app.add_typer(compare_app, name="compare")
app.add_typer(data_app, name="data")
sweep_app = typer.Typer(no_args_is_help=True, help="Go on with many runs that one command began.")
app.add_typer(sweep_app, name="sweep")
app.add_typer(runs_app, name="runs")

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[RECIPE] [KEY=VALUE]...",
        help="A recipe, then settings. Several recipes (gru,tcn) or values (seed=0,1,2) make several runs.",
        autocompletion=completion.words,
    ),
]
Changes = Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", autocompletion=completion.words)]
Selector = Annotated[
    str, typer.Argument(metavar="RUN", help="A path, an id prefix, a place (1 is the newest), @tag, or last.")
]
Selectors = Annotated[list[str] | None, typer.Argument(metavar="[RUN]...", help="Which runs; all when none.")]
Out = Annotated[Path, typer.Option("--out", help="The folder of run directories.")]
ConfigDirs = Annotated[
    list[Path] | None,
    typer.Option("--config-dir", help="A folder of your own YAMLs, before ./conf and ours."),
]
Progress = Annotated[str, typer.Option("--progress", help="auto, bar, plain or none.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Nothing but results and errors.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more: what was loaded, tracebacks.")]
Dry = Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Json = Annotated[bool, typer.Option("--json", help="Write only JSON to standard output.")]
Csv = Annotated[bool, typer.Option("--csv", help="Write only CSV to standard output.")]

Jobs = Annotated[int | None, typer.Option("--jobs", metavar="N", help="So many runs at a time.")]
On = Annotated[str | None, typer.Option("--on", help="Where they run: local, ray or slurm.")]
FailFast = Annotated[bool, typer.Option("--fail-fast/--keep-going", help="Stop all at the first failure.")]

_OUT = Path("outputs")


_RUNNING = {
    "train": "Train a model on a task; `dlcli train model=tcn` needs nothing else.",
    "evolve": "Evolve a model: genetic algorithms, evolution strategies, novelty search; `dlcli evolve novelty`.",
    "search": "Search architectures or settings, with random search beside it; `dlcli search tpe model=tcn`.",
    "sketch": "Sketch what a network sees, to ask about it afterwards: `dlcli sketch query`; `dlcli sketch from=RUN`.",
}
"""Verbs that make runs: the same words, the same options."""
_SHARED = ("evolve", "search")
"""Of these one run's own work is shared among `--jobs`."""


_OVER = "A key to search over: interval(LOW,HIGH), range(A,B,STEP) or choice(A,B); once for each key."


def _check_belongs(verb: str, over: list[str] | None, from_search: str | None) -> None:
    """An option of another verb is told where it belongs."""
    if over and verb != "search":
        raise UsageError(f"--over is of dlcli search; {verb} takes one value, or several with commas")
    if from_search is not None and verb != "train":
        raise UsageError(f"--from-search is of dlcli train, not of {verb}")


def _running(verb: str) -> Callable[..., int]:
    """The command of a verb that makes runs."""

    def run(
        words: Words = None,
        resume: Annotated[str | None, typer.Option(metavar="RUN", help="Go on with a run.")] = None,
        init_from: Annotated[str | None, typer.Option(metavar="RUN", help="Start from a run's weights.")] = None,
        from_run: Annotated[
            str | None, typer.Option("--from", metavar="RUN", help="Start from a run's configuration, with changes.")
        ] = None,
        smoke: Annotated[bool, typer.Option("--smoke", help="The recipe's own one-second version.")] = False,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="What would run, its size and time.")] = False,
        multirun: Annotated[
            bool, typer.Option("--multirun", "-m", help="Several values make several runs (they do anyway).")
        ] = False,
        seeds: Annotated[str | None, typer.Option(help="Several seeds: 6 or 0:6 for 0 to 5, or 3,5.")] = None,
        zips: Annotated[
            list[str] | None,
            typer.Option("--zip", metavar="'A=1,2 B=3,4'", help="Values in pairs, in one pair of quotes."),
        ] = None,
        over: Annotated[
            list[str] | None,
            typer.Option(metavar="'KEY=interval(LOW,HIGH)'", help=_OVER, hidden=verb != "search"),
        ] = None,
        from_search: Annotated[
            str | None,
            typer.Option(metavar="RUN", help="Train what a search found, from scratch.", hidden=verb != "train"),
        ] = None,
        jobs: Jobs = None,
        on: On = None,
        fail_fast: FailFast = False,
        needed: Annotated[bool, typer.Option("--needed", help="Leave out what an equal finished run covers.")] = False,
        name: Annotated[str | None, typer.Option(help="A name for people.")] = None,
        tag: Annotated[list[str] | None, typer.Option(help="A word to find the run by, as @TAG.")] = None,
        out: Out = _OUT,
        config_dir: ConfigDirs = None,
        progress: Progress = "auto",
        quiet: Quiet = False,
        verbose: Verbose = False,
        as_json: Json = False,
    ) -> int:
        _check_belongs(verb, over, from_search)
        from dlcli.launch.distributed import worker

        if worker.wanted():
            worker.under_torchrun()
        _prepare(jobs, on)
        from dlcli.commands import run
        from dlcli.engine.options import Options
        from dlcli.launch.sweep_runner import Ways

        ways = Ways(seeds, tuple(zips or ()), jobs, on, fail_fast, needed, shared=verb in _SHARED)
        options = Options(
            out, name, tuple(tag or ()), progress, quiet, tuple(config_dir or ()), tuple(sys.argv[1:]),
            init_from=init_from, smoke=smoke, verb=verb, from_search=from_search,
        )  # fmt: skip
        typed = words or [] if from_run is None else run.of_run(words or [], from_run, resume, options)
        asked = run.with_over(typed, over or [], resume, options)
        if dry_run:
            return run.dry_run(asked, options, as_json, ways)
        return run.main(asked, options, resume, as_json, verbose, ways)

    return run


for _verb, _help in _RUNNING.items():
    app.command(_verb, help=_help, context_settings=_WORDS_FIRST)(_running(_verb))


@app.command("sketch query", context_settings=_WORDS_FIRST)
def sketch_query(
    run: Selector,
    question: Annotated[
        str, typer.Argument(metavar="QUESTION", help="What is asked.", autocompletion=completion.questions)
    ],
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[WORD]... [KEY=VALUE]...", help="About what: module=3, scenes=0:100, k=5 ..."),
    ] = None,
    out: Out = _OUT,
    quiet: Quiet = False,
    as_json: Json = False,
) -> int:
    """Ask the sketches of a run: count, mean, attribute, similar, erase, recover-network or bench."""
    from dlcli.commands.sketch.queries import query as verb

    return verb.main(run, question, words or [], out, quiet, as_json)


@app.command("sketch stream", context_settings=_WORDS_FIRST)
def sketch_stream(
    path: Annotated[
        str | None, typer.Argument(metavar="PATH", help="Items (.csv .tsv .txt .npy .npz .pt), sketches, or -.")
    ] = None,
    sizes: Annotated[list[str] | None, typer.Argument(metavar="SIZE=N", help="width=4096, log2=14 ...")] = None,
    kind: Annotated[
        str | None,
        typer.Option(help="hll, kll, countmin, countsketch, ams, fastams, frequent, entropy, jl, norms; with commas."),
    ] = None,
    column: Annotated[str | None, typer.Option(metavar="NAME", help="Of a table, or the name of an array.")] = None,
    tokens: Annotated[bool, typer.Option("--tokens", help="Words between spaces, not lines.")] = False,
    values: Annotated[str, typer.Option("--as", help="auto, integers, numbers or words.")] = "auto",
    exact: Annotated[bool, typer.Option("--exact", help="The truth beside it (memory grows with the items).")] = False,
    top: Annotated[int, typer.Option(metavar="K", min=0, help="So many of the most frequent items.")] = 10,
    item: Annotated[list[str] | None, typer.Option(metavar="X", help="How often this came.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the hash functions; only equal ones merge.")] = 0,
    load: Annotated[Path | None, typer.Option(metavar="FILE", help="Go on from saved sketches.")] = None,
    merge: Annotated[list[Path] | None, typer.Option(metavar="FILE", help="Add saved sketches.")] = None,
    subtract: Annotated[Path | None, typer.Option(metavar="FILE", help="Take saved ones off (linear ones).")] = None,
    save: Annotated[Path | None, typer.Option(metavar="FILE", help="Save the sketches as an .npz.")] = None,
    progress: Progress = "auto",
    as_json: Json = False,
) -> int:
    """Sketch a stream: distinct items, quantiles, frequent items, norms and entropy in little memory."""
    from dlcli.commands.streams import stream as verb
    from dlcli.commands.streams.reader import Source
    from dlcli.sketching.streams.sketch import Asked

    asked = Asked(tuple(item or ()), top)
    wish = verb.Wish(kind, tuple(sizes or ()), seed, load, tuple(merge or ()), subtract, save, exact, asked, progress)
    source = None if path is None else Source(path, column, tokens, values)
    return verb.main(source, wish, as_json)


def _prepare(jobs: int | None, on: str | None) -> None:
    """Let the processes to come load PyTorch while this one does."""
    if jobs is not None and jobs > 1 and on in (None, "local"):
        from dlcli.launch.local import prepare

        prepare("dlcli.launch.run_job")


@app.command(context_settings=_WORDS_FIRST)
def predict(
    run: Selector,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="File or folder in the format of the run's task.")],
    words: Changes = None,
    to: Annotated[Path | None, typer.Option(metavar="FILE", help="Output file; standard output by default.")] = None,
    out: Out = _OUT,
    as_json: Json = False,
) -> int:
    """Predict for new data without targets, in the units and labels of the training data."""
    from dlcli.commands import predict as command

    return command.main(run, path, words or [], out, to, as_json)


@app.command()
def trust(
    folder: Annotated[Path | None, typer.Argument(metavar="DIR", help="Folder; all are listed without it.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the folder from the list.")] = False,
) -> int:
    """Allow plug-in code of a folder to be imported by every command."""
    from dlcli.commands import trust as command

    return command.main(folder, remove)


@app.command("eval", context_settings=_WORDS_FIRST)
def evaluate(
    run: Selector,
    words: Changes = None,
    split: Annotated[str | None, typer.Option(help="train, valid, test or all.")] = None,
    predictions: Annotated[Path | None, typer.Option(help="A CSV file to write, one row a sample.")] = None,
    render: Annotated[Path | None, typer.Option(metavar="FILE", help="An episode as a .gif or .mp4.")] = None,
    draw: Annotated[int | None, typer.Option(metavar="N", help="Draw N samples of a generative model.")] = None,
    to: Annotated[Path | None, typer.Option(metavar="FILE", help="A .png or .npz file for the samples.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the samples; the run's seed by default.")] = None,
    name: Annotated[str | None, typer.Option(help="A name for people.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A word to find the run by, as @TAG.")] = None,
    out: Out = _OUT,
    as_json: Json = False,
) -> int:
    """Score the best checkpoint of a run, on its test data or on others (task.path=new.csv)."""
    if draw is None and (to is not None or seed is not None):
        raise UsageError("requires", key="--to" if to is not None else "--seed", requirement="--draw N")
    if draw is not None and to is None:
        raise UsageError("requires", key="--draw", requirement="--to FILE.png or --to FILE.npz")
    from dlcli.commands.eval import eval as verb
    from dlcli.commands.eval.draw import Drawing
    from dlcli.engine.options import Options

    options = Options(out, name, tuple(tag or ()), argv=tuple(sys.argv[1:]))
    drawing = None if draw is None or to is None else Drawing(draw, to, seed)
    return verb.main(run, words or [], options, split, predictions, as_json, render, drawing)


@app.command()
def show(
    run: Selector,
    metric: Annotated[str | None, typer.Option(help="The curve to draw; the main metric by default.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it as a page.")] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Draw what the network looks at, into artifacts/explain/.")
    ] = False,
    samples: Annotated[int | None, typer.Option(help="Of --explain: test rows that are drawn; 16.")] = None,
    layer: Annotated[str | None, typer.Option(help="Of --explain: the part that Grad-CAM reads.")] = None,
    randomised: Annotated[
        bool, typer.Option("--randomised", help="Of --explain: compare with weights drawn anew.")
    ] = False,
    out: Out = _OUT,
    as_json: Json = False,
) -> int:
    """Show a run: configuration, status, scores, and a curve; or what its network looks at."""
    if explain:
        if metric is not None or html is not None:
            raise UsageError("--explain draws its own pictures: without --metric and --html")
        from dlcli.commands.explain import explain as looking

        return looking.main(run, out, looking.Wish(16 if samples is None else samples, layer, randomised), as_json)
    if samples is not None or layer is not None or randomised:
        raise UsageError("--samples, --layer and --randomised are of --explain")
    from dlcli.commands import show as verb

    return verb.main(run, out, metric, as_json, html)


@app.command()
def export(
    run: Selector,
    to: Annotated[str, typer.Option("--to", help="safetensors, onnx or torchexport.")],
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Where to; ID.ENDING here by default.")] = None,
    out: Out = _OUT,
    as_json: Json = False,
) -> int:
    """Write a run's best model as a file for others, checked to answer as the model does."""
    from dlcli.commands.export import export as verb

    return verb.main(run, out, to, output, as_json)


@app.command()
def reproduce(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CLAIM]...", help="Which; all are listed when none.", autocompletion=completion.claims),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Run every claim, or every one of a tier.")] = False,
    tier: Annotated[str | None, typer.Option(help="Those of minutes, hour or gpu alone.")] = None,
    seeds: Annotated[str | None, typer.Option(help="Other seeds than the claim's: 6 or 0:6 for 0 to 5.")] = None,
    jobs: Jobs = None,
    on: On = None,
    needed: Annotated[
        bool, typer.Option("--needed/--anew", help="Leave out what an equal finished run covers.")
    ] = False,
    docs: Annotated[bool, typer.Option("--docs", help="Write docs/claims.md and docs/systems.md anew.")] = False,
    out: Out = _OUT,
    config_dir: ConfigDirs = None,
    progress: Progress = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> int:
    """Run the arms of a paper's claim over seeds: does it hold? Exit code 6 when it does not."""
    of_runs = {"seeds": seeds, "jobs": jobs, "on": on, "needed": needed, "quiet": quiet, "progress": progress != "auto"}
    if docs:
        also = {"all": everything, "tier": tier, "json": as_json, "config-dir": config_dir} | of_runs
        _refuse("--docs writes the pages and runs nothing: without", **also)
        if names:
            raise UsageError(f"--docs writes the pages of all claims: without {' '.join(names)}")
        from dlcli.commands import reproduce as verb

        return verb.document()
    if not (names or everything):
        _refuse("no claim is named, so all are listed; dlcli reproduce CLAIM, or --all, takes", **of_runs)
        from dlcli.commands import list as listing

        return listing.claims(config_dir or [], out, as_json, tier)
    _prepare(jobs, on)
    from dlcli.commands import reproduce as verb
    from dlcli.engine.options import Options
    from dlcli.launch.sweep_runner import Ways

    options = Options(out, show=progress, quiet=quiet, extra=tuple(config_dir or ()), argv=tuple(sys.argv[1:]))
    chosen = verb.Chosen(tuple(names or ()), everything, tier)
    return verb.main(chosen, options, Ways(seeds, (), jobs, on, needed=needed), as_json)


def _refuse(why: str, **options: object) -> None:
    """Whether nothing was typed that would be dropped."""
    typed = [f"--{name}" for name, value in options.items() if value]
    if typed:
        raise UsageError(f"{why} {', '.join(typed)}")


@app.command(context_settings=_WORDS_FIRST)
def config(
    words: Words = None,
    verb: Annotated[str, typer.Option(help="Command whose configuration is printed.")] = "train",
    reference: Annotated[bool, typer.Option("--reference", help="Print the reference of all top-level keys.")] = False,
    config_dir: ConfigDirs = None,
    as_json: Json = False,
) -> int:
    """Print the resolved configuration, with the source of each value."""
    if reference:
        from dlcli.config import schema

        sys.stdout.write(schema.reference())
        return 0
    from dlcli.commands import config as module

    return module.main(verb, words or [], config_dir or [], as_json)


@list_app.command("models")
def list_models(config_dir: ConfigDirs = None, as_json: Json = False) -> int:
    """Every model: what `model=` may be."""
    return _list("model", config_dir, as_json)


@list_app.command("tasks")
def list_tasks(config_dir: ConfigDirs = None, as_json: Json = False) -> int:
    """Every task: what `task=` may be."""
    return _list("task", config_dir, as_json)


@list_app.command("recipes")
def list_recipes(config_dir: ConfigDirs = None, as_json: Json = False) -> int:
    """Every recipe: a task, a model and a learner that belong together."""
    return _list("recipe", config_dir, as_json)


def _list(kind: str, extra: list[Path] | None, as_json: bool) -> int:
    from dlcli.commands import list as verb

    return verb.members(kind, extra or [], as_json)


@list_app.command("claims")
def list_claims(config_dir: ConfigDirs = None, out: Out = _OUT, as_json: Json = False) -> int:
    """Every claim of a paper that can be reproduced, with its last verdict."""
    from dlcli.commands import list as verb

    return verb.claims(config_dir or [], out, as_json)


@list_app.command("runs")
def list_runs(
    selectors: Selectors = None,
    children: Annotated[bool, typer.Option("--children", help="Also runs that belong to others.")] = False,
    out: Out = _OUT,
    as_json: Json = False,
    as_csv: Csv = False,
) -> int:
    """Runs, newest first."""
    from dlcli.commands import list as verb

    return verb.runs(selectors or [], out, children, as_json, as_csv)


@compare_app.command("runs")
def compare_runs(
    selectors: Selectors = None,
    metric: Annotated[str | None, typer.Option(help="What is compared; the task's main metric by default.")] = None,
    split: Annotated[str, typer.Option(help="Whose score: test or valid.")] = "test",
    direction: Annotated[
        str | None, typer.Option(metavar="max|min", help="Direction of the metric, for runs that do not state it.")
    ] = None,
    where: Annotated[
        list[str] | None, typer.Option(metavar="CONDITION", help="'task=adding and model.hidden>20'.")
    ] = None,
    since: Annotated[str | None, typer.Option(help="Started within 30min, 2h, 3d, or since 2026-11-20.")] = None,
    status: Annotated[str | None, typer.Option(help="completed, failed, lost ...; several with commas.")] = None,
    baseline: Annotated[
        str | None, typer.Option(metavar="GROUP", help="The group others are compared with; the best by default.")
    ] = None,
    all_pairs: Annotated[bool, typer.Option("--all-pairs", help="Every pair, not only those with it.")] = False,
    interval: Annotated[str, typer.Option(help="auto (t below 20 seeds), t or bca.")] = "auto",
    x: Annotated[str | None, typer.Option("--x", metavar="COUNTER", help="What curves and costs go by.")] = None,
    precision: Annotated[int, typer.Option(help="Significant digits.")] = 4,
    sort: Annotated[str | None, typer.Option(metavar="COLUMN", help="By a column; -COLUMN from above.")] = None,
    limit: Annotated[int | None, typer.Option(help="Only so many groups.")] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Curves as .png, .svg or .pdf.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="A page: tables, curves, intervals.")] = None,
    out: Out = _OUT,
    as_json: Json = False,
    as_csv: Csv = False,
    as_md: Annotated[bool, typer.Option("--md", help="Write only Markdown to standard output.")] = False,
    as_latex: Annotated[bool, typer.Option("--latex", help="Write only LaTeX to standard output.")] = False,
) -> int:
    """One row a group of runs that differ only in the seed, with intervals and a test of the differences."""
    from dlcli.commands.compare import runs as verb

    form = verb.form_of({"json": as_json, "csv": as_csv, "md": as_md, "latex": as_latex})
    choice = verb.Choice(selectors or [], out, where or [], since, status)
    question = verb.question(metric, split, baseline, all_pairs, interval, x, direction)
    return verb.main(choice, question, verb.Output(form, precision, sort, limit, plot, html))


@compare_app.command("configs")
def compare_configs(
    a: Selector,
    b: Selector,
    out: Out = _OUT,
    as_json: Json = False,
) -> int:
    """Where two runs differ: configuration, environment, code, data and scores."""
    from dlcli.commands.compare import configs as verb

    return verb.main(a, b, out, as_json)


@compare_app.command("models", context_settings=_WORDS_FIRST)
def compare_models(
    words: Words = None,
    config_dir: ConfigDirs = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="The recipes' own one-second versions.")] = False,
    as_json: Json = False,
    as_csv: Csv = False,
) -> int:
    """Parameters, multiply-adds and milliseconds a step of models on a task, without training."""
    from dlcli.commands.compare import models as verb

    return verb.main(words or [], config_dir or [], smoke, as_json, as_csv)


@runs_app.command("rm")
def runs_rm(
    selectors: Selectors = None,
    dry_run: Dry = False,
    yes: Yes = False,
    out: Out = _OUT,
    as_json: Json = False,
) -> int:
    """Delete runs, never a live one."""
    from dlcli.commands.runs import prune as verb

    return verb.rm(selectors or [], out, verb.Consent(dry_run, yes, as_json))


@runs_app.command("prune")
def runs_prune(
    selectors: Selectors = None,
    status: Annotated[str | None, typer.Option(help="Which runs; failed,diverged,lost by default.")] = None,
    older_than: Annotated[
        str | None, typer.Option(help="Without a sign of life for 12h, 30d, or since a date.")
    ] = None,
    checkpoints: Annotated[
        bool, typer.Option("--checkpoints", help="Not runs, but what completed ones would go on from (last.pt).")
    ] = False,
    dry_run: Dry = False,
    yes: Yes = False,
    out: Out = _OUT,
    as_json: Json = False,
) -> int:
    """Delete failed, diverged and dead runs, or stale checkpoints."""
    from dlcli.commands.runs import prune as verb

    consent = verb.Consent(dry_run, yes, as_json)
    return verb.prune(selectors or [], out, status, older_than, checkpoints, consent)


@runs_app.command("tag")
def runs_tag(
    selectors: Selectors = None,
    add: Annotated[list[str] | None, typer.Option("--add", metavar="WORD", help="Put a tag on.")] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", metavar="WORD", help="Take a tag off.")] = None,
    dry_run: Dry = False,
    out: Out = _OUT,
    as_json: Json = False,
) -> int:
    """Tag runs, to find them again as @WORD."""
    from dlcli.commands.runs import tag as verb

    return verb.main(selectors or [], out, add or [], remove or [], dry_run, as_json)


@data_app.command("list")
def data_list(as_json: Json = False) -> int:
    """Data sets, and whether they are here."""
    from dlcli.commands import data as verb

    return verb.show(as_json)


@data_app.command("fetch")
def data_fetch(name: Annotated[str, typer.Argument(autocompletion=completion.datasets)]) -> int:
    """Download a data set from its public address and check its SHA-256."""
    from dlcli.commands import data as verb

    return verb.fetch(name)


@data_app.command("verify")
def data_verify(
    name: Annotated[str | None, typer.Argument(autocompletion=completion.datasets)] = None,
) -> int:
    """Check the files that are here against their SHA-256."""
    from dlcli.commands import data as verb

    return verb.verify(name)


@sweep_app.command("resume")
def sweep_resume(
    sweep: Annotated[str, typer.Argument(metavar="SWEEP", help="A path, an id prefix, or last.")],
    jobs: Jobs = None,
    on: On = None,
    fail_fast: FailFast = False,
    out: Out = _OUT,
    progress: Progress = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> int:
    """Run what is missing, failed or stopped, from checkpoints where there are any."""
    _prepare(jobs, on)
    from dlcli.commands import run
    from dlcli.engine.options import Options
    from dlcli.launch.sweep_runner import Ways

    options = Options(out, show=progress, quiet=quiet)
    return run.go_on_with(sweep, options, Ways(jobs=jobs, on=on, fail_fast=fail_fast), as_json)


@app.callback(invoke_without_command=True)
def top(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        print(f"dlcli {installed('dlcli')}")  # noqa: T201
        raise typer.Exit


def main() -> None:
    """The console script."""
    app()
