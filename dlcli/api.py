"""Commands as Python functions, for notebooks: `dlcli.train("model=tcn", seed=1)`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcli.runs import run as directory
from dlcli.runs import selectors

if TYPE_CHECKING:
    import pandas
    from torch import Tensor, nn

_OUT = Path("outputs")


class Run(directory.Run):
    """Run directory with its metrics as a table and its model."""

    @classmethod
    def of(cls, run: directory.Run) -> "Run":
        """Convert a run directory; the exception that ended the run in this process is raised.

        Raises:
            Exception: the exception that ended the run.
        """
        if run.error is not None:
            raise run.error
        return cls(run.path, run.info)

    def table(self) -> "pandas.DataFrame":
        """Read metrics.csv as a table with the columns step, split, metric, value."""
        import pandas

        return pandas.DataFrame(self.metrics(), columns=["step", "split", "metric", "value"])

    def load(self) -> "nn.Module":
        """Load the model from the best checkpoint, on the CPU, in evaluation mode."""
        from dlcli.engine.evaluate import restore

        return restore(self)

    def predict(self, data: Any) -> "pandas.DataFrame":
        """Predict with the best checkpoint: one row per sample, in the units and labels of the training data.

        Args:
            data: a file or folder in the format of the run's task, a DataFrame (written as CSV), or an array of
                inputs [sample, ...] (as `x` of an .npz file).
        """
        import tempfile

        import numpy
        import pandas

        from dlcli.engine.predict import predict_file

        if isinstance(data, str | Path):
            return pandas.DataFrame(predict_file(self, Path(data)))
        with tempfile.TemporaryDirectory(prefix="dlcli-") as folder:
            path = Path(folder) / ("data.csv" if isinstance(data, pandas.DataFrame) else "data.npz")
            if isinstance(data, pandas.DataFrame):
                data.to_csv(path, index=False)
            else:
                numpy.savez(path, x=numpy.asarray(data))
            return pandas.DataFrame(predict_file(self, path))

    def sample(self, n: int, seed: int | None = None) -> "Tensor":
        """Draw `n` samples [n, *shape] of a generative model with the weights of the best checkpoint, on the CPU.

        Args:
            n: number of samples.
            seed: seed of the samples; None is the seed of the run, as in `dlcli eval RUN --draw N`.

        Raises:
            Mismatch: the model is not generative.
        """
        from dlcli.core.sampling import draw

        return draw(self.load(), n, self.info["seed"] if seed is None else seed)


def train(
    *overrides: str,
    name: str | None = None,
    tags: Sequence[str] = (),
    smoke: bool = False,
    config_dir: str | Path | None = None,
    out: str | Path = _OUT,
    progress: str = "auto",
    **settings: Any,
) -> "Run | list[Run]":
    """Train a model, as `dlcli train OVERRIDES`: `train("model=tcn", seed=1)`.

    Args:
        overrides: a recipe, then key=value.
        name: display name.
        tags: tags, selected with "@TAG".
        smoke: use the recipe's one-second version.
        config_dir: folder of your own YAML files.
        out: folder of run directories.
        progress: progress display: auto, bar, plain or none.
        settings: overrides as keywords, with `__` for a dot: `task__path="series.csv"`.

    Returns:
        The run, or a list of runs if a setting has several values (`seed="0,1,2"`, `seed=[0, 1, 2]`).

    Raises:
        UsageError: the configuration or the data are invalid.
    """
    return _runs("train", [*overrides, *_as_overrides(settings)], name, tags, smoke, config_dir, out, progress)


def evolve(
    *overrides: str,
    name: str | None = None,
    tags: Sequence[str] = (),
    smoke: bool = False,
    config_dir: str | Path | None = None,
    out: str | Path = _OUT,
    progress: str = "auto",
    **settings: Any,
) -> "Run | list[Run]":
    """Evolve a model, as `dlcli evolve OVERRIDES`: `evolve("novelty", seed=1)`; arguments as in `train`."""
    return _runs("evolve", [*overrides, *_as_overrides(settings)], name, tags, smoke, config_dir, out, progress)


def search(
    *overrides: str,
    over: Sequence[str] = (),
    name: str | None = None,
    tags: Sequence[str] = (),
    smoke: bool = False,
    config_dir: str | Path | None = None,
    out: str | Path = _OUT,
    progress: str = "auto",
    **settings: Any,
) -> "Run | list[Run]":
    """Search, as `dlcli search OVERRIDES`: `search("tpe", over=["lr=interval(1e-4,1e-2)"])`; arguments as in `train`.

    Args:
        over: keys to search over, each as KEY=interval(LOW,HIGH), range(A,B,STEP) or choice(A,B).
    """
    from dlcli.config import sweeps

    space = [sweeps.over_override(over, (Path(config_dir),) if config_dir is not None else ())] if over else []
    return _runs("search", [*overrides, *space, *_as_overrides(settings)], name, tags, smoke, config_dir, out, progress)


def sketch(
    *overrides: str,
    name: str | None = None,
    tags: Sequence[str] = (),
    smoke: bool = False,
    config_dir: str | Path | None = None,
    out: str | Path = _OUT,
    progress: str = "auto",
    **settings: Any,
) -> "Run | list[Run]":
    """Sketch a network, as `dlcli sketch OVERRIDES`: `sketch("recursive", f"from={run.path}")`.

    Arguments as in `train`.
    """
    return _runs("sketch", [*overrides, *_as_overrides(settings)], name, tags, smoke, config_dir, out, progress)


def query(run: "str | directory.Run", question: str, *, out: str | Path = _OUT, **about: Any) -> dict[str, Any]:
    """Query sketches, as `dlcli sketch query RUN QUESTION KEY=VALUE ...`: `query(run, "count", module=3)["count"]`.

    Args:
        run: a run, or its selector.
        question: count, mean, attribute, similar, erase, recover-network or bench.
        out: folder of run directories.
        about: settings of the query.

    Raises:
        UsageError: the question or a setting is unknown, or the run has no such sketch.
    """
    from dlcli.commands.sketch.queries.query import ask

    selector = str(run.path) if isinstance(run, directory.Run) else run
    answer = ask(selector, question, [f"{key}={value}" for key, value in about.items()], Path(out))
    return {**answer.facts, "files": list(answer.files)}


def _runs(
    verb: str,
    overrides: Sequence[str],
    name: str | None,
    tags: Sequence[str],
    smoke: bool,
    config_dir: str | Path | None,
    out: str | Path,
    progress: str,
) -> "Run | list[Run]":
    from dlcli.engine import run_commands
    from dlcli.engine.options import Options

    extra = (Path(config_dir),) if config_dir is not None else ()
    options = Options(
        Path(out), name, tuple(tags), progress, extra=extra, argv=(verb, *overrides), smoke=smoke, verb=verb
    )
    points = run_commands.points(overrides, options)
    runs = [Run.of(run_commands.start(point, options)) for point in points]
    return runs if len(points) > 1 else runs[0]


def evaluate(
    run: "str | directory.Run",
    *overrides: str,
    split: str | None = None,
    predictions: str | Path | None = None,
    out: str | Path = _OUT,
    **settings: Any,
) -> dict[str, dict[str, float]]:
    """Evaluate a run, as `dlcli eval RUN OVERRIDES`.

    Args:
        run: a run, or its selector.
        overrides: settings of the task or of the evaluation, such as "task.path=new.csv" or "samples=50".
        split: train, valid, test or all; None is test.
        predictions: CSV file to write, one row per sample.
        out: folder of run directories.
        settings: overrides as keywords, with `__` for a dot.

    Returns:
        {split: {metric: value}}.
    """
    from dlcli.commands.eval.eval import evaluate_run
    from dlcli.engine.options import Options

    selector = str(run.path) if isinstance(run, directory.Run) else run
    table = Path(predictions) if predictions is not None else None
    scored = evaluate_run(
        selector, [*overrides, *_as_overrides(settings)], Options(Path(out)), split=split, predictions=table
    )
    return scored.info["metrics"]


def compare(
    *selectors: str,
    metric: str | None = None,
    split: str = "test",
    where: Sequence[str] = (),
    since: str | None = None,
    status: str | None = None,
    baseline: str | None = None,
    all_pairs: bool = False,
    interval: str = "auto",
    x: str | None = None,
    direction: str | None = None,
    out: str | Path = _OUT,
) -> "pandas.DataFrame":
    """Compare groups of runs that differ only in the seed, as `dlcli compare runs`; arguments as its options.

    Returns:
        One row per group; `attrs` contains the tests of "pairs" as a table, the conclusion as "sentence", and the
        excluded runs as "left_out".
    """
    import pandas

    from dlcli.commands.compare.runs import question
    from dlcli.commands.compare.selection import RunSelection, select_runs
    from dlcli.report.comparison.comparison import compare as answer

    request = question(metric, split, baseline, all_pairs, interval, x, direction)
    runs, damaged = select_runs(RunSelection(selectors, Path(out), where, since, status))
    plain = answer(runs, request, damaged).plain()
    table = pandas.DataFrame(plain["groups"])
    table.attrs.update(sentence=plain["sentence"], left_out=plain["left_out"], pairs=pandas.DataFrame(plain["pairs"]))
    return table


def find(selector: str = "last", out: str | Path = _OUT) -> Run:
    """Find the run of a selector: path, id prefix, position (1 is the newest), @TAG or last."""
    run = selectors.one(selector, Path(out))
    return Run(run.path, run.info)


def _as_overrides(settings: dict[str, Any]) -> Sequence[str]:
    """Convert keyword arguments to overrides; a list of seeds is a sweep, any other list a value."""
    return [f"{key.replace('__', '.')}={_value(key, value)}" for key, value in settings.items()]


def _value(key: str, value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if key == "seed" and not isinstance(value, int | str):
        return ",".join(map(str, value))
    if isinstance(value, list | tuple):
        return f"[{','.join(_value('', part) for part in value)}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{name}:{_value(name, part)}' for name, part in value.items())}}}"
    if isinstance(value, Path):
        return "'" + str(value).replace("'", "\\'") + "'"
    return str(value)
