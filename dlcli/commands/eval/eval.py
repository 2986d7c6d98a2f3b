"""`dlcli eval`: score the best checkpoint of a run, on its own or other data, and write an evaluation run."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scipy.special import stdtrit
from torch import nn

from dlcli.commands.eval.draw import SampleRequest
from dlcli.commands.eval.render import check_render, render_episode
from dlcli.config import run_config
from dlcli.core.confusion import ConfusionMatrix
from dlcli.core.errors import UsageError
from dlcli.core.evaluation import Estimate, describe_metrics, estimates, predict
from dlcli.core.task import Predicts, Task
from dlcli.engine.device import choose_device, numeric_settings
from dlcli.engine.evaluate import restored, thread_count
from dlcli.engine.lifecycle import save_artifacts
from dlcli.engine.options import Options, captured_messages
from dlcli.report import output_file, terminal_tables
from dlcli.runs import selectors
from dlcli.runs.run import Run

_MUTABLE_KEYS = ("task", "device", "threads", "batch")
"""Configuration keys that an evaluation may override: the data, and where the evaluation runs."""


def evaluate_run(
    selector: str,
    overrides: Sequence[str],
    options: Options,
    *,
    split: str | None,
    predictions: Path | None,
    render: Path | None = None,
    drawing: SampleRequest | None = None,
) -> Run:
    """Score the best checkpoint of a run on a split.

    Normalization, vocabulary and class names fitted on the training data are reused.

    Args:
        selector: selects the run.
        overrides: `task.path=new.csv`, or test-time keys of the model such as `samples=50`.
        options: output folder, name and tags of the evaluation run.
        split: "train", "valid", "test" or "all"; None is "all" if `task.path` is overridden, else "test". With
            `drawing`, None evaluates no split.
        predictions: CSV file to write, one row per sample.
        render: GIF or MP4 file to write, the first episode of the test split.
        drawing: samples of a generative model to draw.

    Returns:
        the evaluation run, which has ended.

    Raises:
        UsageError: there is no checkpoint, or the data do not fit the model.
    """
    source = selectors.one(selector, options.out)
    if predictions is not None:
        output_file.resolve_path(predictions, "--predictions")
    if render is not None:
        output_file.resolve_path(render, "--render")
        check_render(render)
    if drawing is not None:
        drawing.check()
    config = _config(source, overrides)
    device = choose_device(config["device"])
    scored = drawing is None or split is not None or predictions is not None
    split = split or ("all" if any(override.startswith("task.path=") for override in overrides) else "test")
    with numeric_settings(thread_count(config["threads"])):
        with captured_messages(options.quiet):
            model, task = restored(source, config, device)
        table = ConfusionMatrix.of(task) if scored else None
        scores = estimates(model, task, split, table.see if table else None) if scored else {}
        descriptions = describe_metrics(task, split) if scored else {}
        if predictions is not None:
            _write(predictions, model, task, split)
        if render is not None:
            render_episode(render, model, task)
        if drawing is not None:
            drawing.write(model, config["seed"])
    metrics = {name: estimate.mean for name, estimate in scores.items()}
    run = Run.create(
        options.out, "eval", source.info["label"], run_config.dump(config), config,
        name=options.name, tags=list(options.tags), parent=source.id, argv=list(options.argv),
        **{key: source.info.get(key) for key in ("seed", "task", "model", "recipe", "parameters", "goal", "spec")},
    )  # fmt: skip
    if scored:
        run.log(source.info.get("best", {}).get("step", 0), split, metrics)
    if table is not None:
        save_artifacts(run, table.tables())
    facts: dict[str, Any] = {"intervals": {split: _intervals(scores)}, "training_maximum": _training_maximum(source)}
    facts["distinct"] = getattr(task, "distinct", None)
    facts["drawn"] = None if drawing is None else drawing.facts(config["seed"])
    metrics_by_split = {split: metrics} if scored else {}
    run.finish("completed", 0, metrics=metrics_by_split, source=str(source.path), **facts, **descriptions)
    return run


def _intervals(scores: Mapping[str, Estimate]) -> dict[str, dict[str, float]]:
    """Student's 95 % confidence interval of each mean over the rows, where it is finite."""
    intervals = {}
    for name, estimate in scores.items():
        quantile = float(stdtrit(estimate.rows - 1, 0.975))
        half_width = quantile * estimate.deviation / math.sqrt(max(1, estimate.rows))
        if math.isfinite(half_width):
            low, high = estimate.mean - half_width, estimate.mean + half_width
            intervals[name] = {"low": low, "high": high, "rows": estimate.rows}
    return intervals


def _training_maximum(source: Run) -> float | None:
    """Highest fitness of any individual during training: biased by selection, therefore reported apart."""
    try:
        return json.loads((source.path / "artifacts" / "training.json").read_text())["maximum"]
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _config(source: Run, overrides: Sequence[str]) -> dict[str, Any]:
    """Configuration of the run with the overrides of this evaluation."""
    config = run_config.read(source.path / "config.yaml")
    test_time = tuple(config["model"].get("eval_keys") or ()) if isinstance(config.get("model"), Mapping) else ()
    return run_config.change(config, [_qualify(override, test_time) for override in overrides])


def _qualify(override: str, test_time: Sequence[str]) -> str:
    """Write the key in full: `batch=8` becomes `task.batch=8`, `samples=50` becomes `model.samples=50`.

    Args:
        override: a KEY=VALUE override.
        test_time: keys of the model that may change after training.

    Raises:
        UsageError: the key must not change after training.
    """
    key = override.lstrip("+~").partition("=")[0]
    if "=" not in override:
        return override
    if key in test_time:
        return f"model.{override}"
    if key.partition(".")[0] not in _MUTABLE_KEYS and key not in {f"model.{name}" for name in test_time}:
        hint = f"{key} is fixed by the run. Keys that eval can override: {', '.join((*_MUTABLE_KEYS, *test_time))}."
        raise UsageError("unsupported", subject="eval", feature=f"overriding {key}", key=key, hint=hint)
    return f"task.{override}" if key == "batch" else override


def _write(path: Path, model: nn.Module, task: Task, split: str) -> None:
    if not isinstance(task, Predicts):
        raise UsageError("unsupported", subject=type(task).__name__, feature="--predictions")
    columns = predict(model, task, (task.batch(split, index) for index in range(task.size(split))))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    output_file.write(path, text.getvalue().encode(), "--predictions")


def main(
    selector: str,
    overrides: Sequence[str],
    options: Options,
    split: str | None,
    predictions: Path | None,
    as_json: bool,
    render: Path | None = None,
    drawing: SampleRequest | None = None,
) -> int:
    """Score a run, print the scores and the files written, and return the exit code; arguments as of `score`."""
    run = evaluate_run(
        selector, overrides, options, split=split, predictions=predictions, render=render, drawing=drawing
    )
    if as_json:
        print(json.dumps({"path": str(run.path), **run.info}, indent=1))  # noqa: T201
        return 0
    if run.info["metrics"]:
        terminal_tables.print_scores(run.info["metrics"], run.info["intervals"], run.info)
    if run.info["training_maximum"] is not None:
        maximum = f"{run.info['training_maximum']:.6g}"
        print(f"training maximum: {maximum} (highest fitness of any individual: biased, not a score)")  # noqa: T201
    if (distinct := run.info.get("distinct")) is not None:
        print(f"at most {distinct} distinct episodes: the interval covers repetitions of them")  # noqa: T201
    if render is not None:
        print(f"episode: {render}")  # noqa: T201
    if predictions is not None:
        print(f"predictions: {predictions}")  # noqa: T201
    if drawing is not None:
        print(f"samples: {drawing.path}")  # noqa: T201
    print(run.path)  # noqa: T201
    return 0
