"""`dlcli eval`: score a run's best checkpoint, on its own data or on others, in a run directory of its own."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scipy.special import stdtrit
from torch import nn

from dlcli.commands.eval.draw import Drawing
from dlcli.commands.eval.render import check, draw
from dlcli.config import run_config
from dlcli.core.confusion import Confusion
from dlcli.core.errors import UsageError
from dlcli.core.evaluation import Estimate, describe_metrics, estimates, predict
from dlcli.core.task import Predicts, Task
from dlcli.engine.device import choose_device, computing
from dlcli.engine.evaluate import restored, thread_count
from dlcli.engine.lifecycle import keep
from dlcli.engine.options import Options, listening
from dlcli.report import output_file, terminal_tables
from dlcli.runs import selectors
from dlcli.runs.run import Run

_OPEN = ("task", "device", "threads", "batch")
"""Keys that may be changed: where the data come from and where the scoring runs."""


def score(
    selector: str,
    words: Sequence[str],
    options: Options,
    *,
    split: str | None,
    predictions: Path | None,
    render: Path | None = None,
    drawing: Drawing | None = None,
) -> Run:
    """The best checkpoint of a run, scored on a split; what its task fitted on training data is used again.

    Args:
        selector: of the run.
        words: overrides of its configuration: `task.path=new.csv`, test-time keys of the model such as `samples=50`.
        options: where the new run goes.
        split: test when not given, or everything in the file when `task.path` is another one.
        predictions: a CSV file to write, one row a sample.
        render: a GIF or MP4 file to write, an episode of the test split.
        drawing: how many samples of a generative model to draw, and into which file.

    Raises:
        UsageError: there is no checkpoint, or the data do not fit the model.
    """
    source = selectors.one(selector, options.out)
    if predictions is not None:
        output_file.place(predictions, "--predictions")
    if render is not None:
        output_file.place(render, "--render")
        check(render)
    if drawing is not None:
        drawing.check()
    config = _config(source, words)
    device = choose_device(config["device"])
    split = split or ("all" if any(word.startswith("task.path=") for word in words) else "test")
    with computing(thread_count(config["threads"])):
        with listening(options.quiet):
            model, task = restored(source, config, device)
        table = Confusion.of(task)
        found = estimates(model, task, split, table.see if table else None)
        described = describe_metrics(task, split)
        if predictions is not None:
            _write(predictions, model, task, split)
        if render is not None:
            draw(render, model, task)
        if drawing is not None:
            drawing.write(model, config["seed"])
    metrics = {name: one.mean for name, one in found.items()}
    run = Run.create(
        options.out, "eval", source.info["label"], run_config.dump(config), config,
        name=options.name, tags=list(options.tags), parent=source.id, argv=list(options.argv),
        **{key: source.info.get(key) for key in ("seed", "task", "model", "recipe", "parameters", "goal", "spec")},
    )  # fmt: skip
    run.log(source.info.get("best", {}).get("step", 0), split, metrics)
    if table is not None:
        keep(run, table.tables())
    facts: dict[str, Any] = {"intervals": {split: _intervals(found)}, "training_maximum": _training_maximum(source)}
    facts["distinct"] = getattr(task, "distinct", None)
    facts["drawn"] = None if drawing is None else drawing.facts(config["seed"])
    run.finish("completed", 0, metrics={split: metrics}, source=str(source.path), **facts, **described)
    return run


def _intervals(found: Mapping[str, Estimate]) -> dict[str, dict[str, float]]:
    """Student's 95 % interval of each mean over rows that count once, in JSON's numbers."""
    return {
        name: {"low": one.mean - reach, "high": one.mean + reach, "rows": one.rows}
        for name, one in found.items()
        if math.isfinite(reach := float(stdtrit(one.rows - 1, 0.975)) * one.deviation / math.sqrt(max(1, one.rows)))
    }


def _training_maximum(source: Run) -> float | None:
    """The best that any individual did in training: chosen for its luck, so it is shown beside the score."""
    try:
        return json.loads((source.path / "artifacts" / "training.json").read_text())["maximum"]
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _config(source: Run, words: Sequence[str]) -> dict[str, Any]:
    """The run's configuration with the overrides of this evaluation."""
    config = run_config.read(source.path / "config.yaml")
    test_time = tuple(config["model"].get("eval_keys") or ()) if isinstance(config.get("model"), Mapping) else ()
    return run_config.change(config, [_whole(word, test_time) for word in words])


def _whole(word: str, test_time: Sequence[str]) -> str:
    """The override with its key written out: `batch=8` is `task.batch=8`, `samples=50` is `model.samples=50`.

    Raises:
        UsageError: the key may not be changed after training.
    """
    key = word.lstrip("+~").partition("=")[0]
    if "=" not in word:
        return word
    if key in test_time:
        return f"model.{word}"
    if key.partition(".")[0] not in _OPEN and key not in {f"model.{name}" for name in test_time}:
        raise UsageError(
            "unsupported", subject="eval", feature=f"changing {key}", name=key, known=(*_OPEN, *test_time),
            hint=f"{key} is part of the run. Keys that eval may change: {', '.join((*_OPEN, *test_time))}.",
        )  # fmt: skip
    return f"task.{word}" if key == "batch" else word


def _write(path: Path, model: nn.Module, task: Task, split: str) -> None:
    if not isinstance(task, Predicts):
        raise UsageError(f"{type(task).__name__} writes no predictions")
    columns = predict(model, task, (task.batch(split, index) for index in range(task.size(split))))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    output_file.write(path, text.getvalue().encode(), "--predictions")


def main(
    selector: str,
    words: Sequence[str],
    options: Options,
    split: str | None,
    predictions: Path | None,
    as_json: bool,
    render: Path | None = None,
    drawing: Drawing | None = None,
) -> int:
    """Score a run, print the scores and the files written, and return the exit code."""
    run = score(selector, words, options, split=split, predictions=predictions, render=render, drawing=drawing)
    if as_json:
        print(json.dumps({"path": str(run.path), **run.info}, indent=1))  # noqa: T201
        return 0
    terminal_tables.print_scores(run.info["metrics"], run.info["intervals"], run.info)
    if run.info["training_maximum"] is not None:
        print(f"training maximum: {run.info['training_maximum']:.6g} (the luckiest of all, not a score)")  # noqa: T201
    if (distinct := run.info.get("distinct")) is not None:
        print(f"at most {distinct} different episodes: the interval is of their repetitions")  # noqa: T201
    if render is not None:
        print(f"episode: {render}")  # noqa: T201
    if predictions is not None:
        print(f"predictions: {predictions}")  # noqa: T201
    if drawing is not None:
        print(f"samples: {drawing.path}")  # noqa: T201
    print(run.path)  # noqa: T201
    return 0
