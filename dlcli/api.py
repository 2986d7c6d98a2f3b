"""The verbs as functions, for notebooks: `dlcli.train("model=tcn", seed=1)`."""

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
    """A run directory with what notebooks ask of it."""

    @classmethod
    def of(cls, run: directory.Run) -> "Run":
        """The same run; the exception that ended it is raised.

        Raises:
            Exception: what went wrong in this process.
        """
        if run.error is not None:
            raise run.error
        return cls(run.path, run.info)

    def table(self) -> "pandas.DataFrame":
        """metrics.csv as a table: step, split, metric, value."""
        import pandas

        return pandas.DataFrame(self.metrics(), columns=["step", "split", "metric", "value"])

    def load(self) -> "nn.Module":
        """The model with the weights of the best checkpoint, on the CPU, in evaluation mode."""
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
            seed: of the random numbers; None is the seed of the run, with which `dlcli eval RUN --draw N` draws.

        Raises:
            Mismatch: the model is not generative.
        """
        from dlcli.core.sampling import draw

        return draw(self.load(), n, self.info["seed"] if seed is None else seed)


def train(
    *words: str,
    name: str | None = None,
    tags: Sequence[str] = (),
    smoke: bool = False,
    config_dir: str | Path | None = None,
    out: str | Path = _OUT,
    progress: str = "auto",
    **settings: Any,
) -> "Run | list[Run]":
    """Train as `dlcli train WORDS` does; settings are overrides too: `train("model=tcn", seed=1)`.

    Args:
        words: a recipe, then key=value.
        settings: overrides by name, `__` for a dot: `task__path="series.csv"`.
        name, tags, smoke, config_dir, out, progress: the command's options of these names.

    Returns:
        The run, or a list of runs where a value holds several (`seed="0,1,2"`, `seed=[0, 1, 2]`).

    Raises:
        UsageError: something is wrong with the words or the data.
    """
    return _runs("train", [*words, *_written(settings)], name, tags, smoke, config_dir, out, progress)


def evolve(
    *words: str,
    name: str | None = None,
    tags: Sequence[str] = (),
    smoke: bool = False,
    config_dir: str | Path | None = None,
    out: str | Path = _OUT,
    progress: str = "auto",
    **settings: Any,
) -> "Run | list[Run]":
    """Evolve as `dlcli evolve WORDS` does: `evolve("novelty", seed=1)`; everything else as in `train`."""
    return _runs("evolve", [*words, *_written(settings)], name, tags, smoke, config_dir, out, progress)


def search(
    *words: str,
    over: Sequence[str] = (),
    name: str | None = None,
    tags: Sequence[str] = (),
    smoke: bool = False,
    config_dir: str | Path | None = None,
    out: str | Path = _OUT,
    progress: str = "auto",
    **settings: Any,
) -> "Run | list[Run]":
    """Search as `dlcli search WORDS` does: `search("tpe", over=["lr=interval(1e-4,1e-2)"])`; the rest as in `train`."""
    from dlcli.config import sweeps

    asked = [sweeps.over(over, (Path(config_dir),) if config_dir is not None else ())] if over else []
    return _runs("search", [*words, *asked, *_written(settings)], name, tags, smoke, config_dir, out, progress)


def sketch(
    *words: str,
    name: str | None = None,
    tags: Sequence[str] = (),
    smoke: bool = False,
    config_dir: str | Path | None = None,
    out: str | Path = _OUT,
    progress: str = "auto",
    **settings: Any,
) -> "Run | list[Run]":
    """Sketch as `dlcli sketch WORDS` does: `sketch("recursive", f"from={run.path}")`; the rest as in `train`."""
    return _runs("sketch", [*words, *_written(settings)], name, tags, smoke, config_dir, out, progress)


def query(run: "str | directory.Run", question: str, *, out: str | Path = _OUT, **about: Any) -> dict[str, Any]:
    """Ask as `dlcli sketch query RUN QUESTION KEY=VALUE ...` does: `query(run, "count", module=3)["count"]`.

    Raises:
        UsageError: there is no such question, or it is about nothing that is there.
    """
    from dlcli.commands.sketch.queries.query import ask

    selector = str(run.path) if isinstance(run, directory.Run) else run
    answer = ask(selector, question, [f"{key}={value}" for key, value in about.items()], Path(out))
    return {**answer.facts, "files": list(answer.files)}


def _runs(
    verb: str,
    words: Sequence[str],
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
    options = Options(Path(out), name, tuple(tags), progress, extra=extra, argv=(verb, *words), smoke=smoke, verb=verb)
    points = run_commands.points(words, options)
    found = [Run.of(run_commands.start(point, options)) for point in points]
    return found if len(points) > 1 else found[0]


def evaluate(
    run: "str | directory.Run",
    *words: str,
    split: str | None = None,
    predictions: str | Path | None = None,
    out: str | Path = _OUT,
    **settings: Any,
) -> dict[str, dict[str, float]]:
    """Score a run as `dlcli eval RUN WORDS` does: {split: {metric: value}}; test-time keys too: `samples=50`."""
    from dlcli.commands.eval.eval import score
    from dlcli.engine.options import Options

    selector = str(run.path) if isinstance(run, directory.Run) else run
    table = Path(predictions) if predictions is not None else None
    scored = score(selector, [*words, *_written(settings)], Options(Path(out)), split=split, predictions=table)
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
    """One row a group of runs that differ only in the seed, as `dlcli compare runs` prints it.

    Its `attrs` hold the "pairs" as a table, the "sentence" that says what the seeds can show, and what was "left_out".
    """
    import pandas

    from dlcli.commands.compare.runs import question
    from dlcli.commands.compare.selection import Choice, chosen
    from dlcli.report.comparison.comparison import compare as answer

    asked = question(metric, split, baseline, all_pairs, interval, x, direction)
    found, damaged = chosen(Choice(selectors, Path(out), where, since, status))
    plain = answer(found, asked, damaged).plain()
    table = pandas.DataFrame(plain["groups"])
    table.attrs.update(sentence=plain["sentence"], left_out=plain["left_out"], pairs=pandas.DataFrame(plain["pairs"]))
    return table


def find(selector: str = "last", out: str | Path = _OUT) -> Run:
    """The run that a selector names."""
    found = selectors.one(selector, Path(out))
    return Run(found.path, found.info)


def _written(settings: dict[str, Any]) -> Sequence[str]:
    """Keyword arguments as overrides; a list of seeds is a sweep, any other list a value."""
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
