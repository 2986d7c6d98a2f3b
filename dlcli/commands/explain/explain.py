"""`dlcli show RUN --explain`: attribution maps of the best checkpoint as images in artifacts/explain/."""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dlcli.commands.explain import attributions
from dlcli.commands.explain.samples import check, select_samples
from dlcli.config import build, run_config
from dlcli.core.artifacts import encode
from dlcli.core.confusion import ConfusionMatrix
from dlcli.core.errors import UsageError, install_command
from dlcli.core.evaluation import score
from dlcli.core.learner import Tree
from dlcli.core.task import Batch, Metrics, Task
from dlcli.engine.device import numeric_settings
from dlcli.engine.evaluate import restored, thread_count
from dlcli.report.figures.sheet import can_draw_text
from dlcli.runs import selectors
from dlcli.runs.files import replace_folder
from dlcli.runs.run import Run

_MOST_SAMPLES = 100  # on a sheet


@dataclass(frozen=True)
class ExplainOptions:
    """Options of `--explain`.

    Args:
        samples: number of test samples, 1 to 100.
        layer: name of the module for Grad-CAM; None is the last convolution.
        randomised: compare saliency with that of randomly initialized weights.
    """

    samples: int
    layer: str | None
    randomised: bool


def explain(selector: str, out: Path, wish: ExplainOptions) -> tuple[Path, dict[str, Any]]:
    """Write images and explain.json to RUN/artifacts/explain/, replacing earlier ones.

    Args:
        selector: selects the run.
        out: folder of the runs.
        wish: options of `--explain`.

    Returns:
        the folder, and the content of explain.json.

    Raises:
        UsageError: there is no checkpoint or layer of this name, or the number of samples is out of range.
        Mismatch: the task is no classification of images, videos or sequences.
    """
    if not 1 <= wish.samples <= _MOST_SAMPLES:
        raise UsageError("invalid_value", key="--samples", must=f"from 1 to {_MOST_SAMPLES}", got=wish.samples)
    run = selectors.one(selector, out)
    config = run_config.read(run.path / "config.yaml")
    with numeric_settings(thread_count(config["threads"])):
        model, task = restored(run, config, torch.device("cpu"))
        check(task)
        files, facts = _explain(run, config, model, task, wish)
    folder = run.path / "artifacts" / "explain"
    replace_folder(folder, {**files, "explain.json": encode(Tree(facts))[1]})
    return folder, facts


def _explain(
    run: Run, config: Mapping[str, Any], model: nn.Module, task: Task, wish: ExplainOptions
) -> attributions.Explanation:
    name = f"{run.info['name'] or run.info['label']} ({run.id})"
    lengths: list[int] = []
    table = ConfusionMatrix.of(task)

    def see(batch: Batch, metrics: Metrics) -> None:
        lengths.append(len(batch))
        if table is not None:
            table.see(batch, metrics)

    scores = score(model, task, "test", see)
    samples = select_samples(name, model, task, lengths, wish.samples)
    files: dict[str, bytes] = {}
    facts = {"run": run.id, "rows": sum(lengths), "metrics": scores, "samples": list(samples.facts)}
    for images, values in (
        attributions.last_map(samples, wish.layer),
        attributions.gradients(samples),
        attributions.first_filters(samples),
        attributions.confusions(name, table),
    ):
        files |= images
        facts |= values
    if wish.randomised:
        other = build.build_model({**config, "seed": config["seed"] + 1}, task, torch.device("cpu"))
        facts["randomised"] = attributions.randomized(samples, other)
    return files, facts


def main(selector: str, out: Path, wish: ExplainOptions, as_json: bool) -> int:
    """Explain a run, print a summary and the files written, and return the exit code."""
    folder, facts = explain(selector, out, wish)
    if as_json:
        print(json.dumps({"path": str(folder), **facts}, indent=1))  # noqa: T201
        return 0
    for line in _summary(facts):
        print(line)  # noqa: T201
    if not can_draw_text():
        print(f"images have no labels and confusion.png is missing: {install_command('plot')}", file=sys.stderr)  # noqa: T201
    for path in sorted(folder.iterdir()):
        print(path)  # noqa: T201
    return 0


def _summary(facts: Mapping[str, Any]) -> Iterator[str]:
    integrated = facts["integrated_gradients"]
    correct = sum(sample["right"] for sample in facts["samples"])
    yield f"{len(facts['samples'])} of {facts['rows']:,} test samples, {correct} classified correctly"
    if facts["confused"]:
        pairs = (f"{pair['true']} as {pair['predicted']} ({pair['rows']})" for pair in facts["confused"])
        yield f"most frequent confusions: {', '.join(pairs)}"
    yield (
        f"integrated gradients: {integrated['steps']} steps, "
        f"completeness error {integrated['incompleteness']:.2%} of f(x) - f(0)"
    )
    if facts["grad_cam"] is None:
        yield "Grad-CAM: skipped, no convolution outputs a feature map that the scores depend on"
    else:
        places = " x ".join(map(str, facts["grad_cam"]["places"]))
        yield f"Grad-CAM: layer {facts['grad_cam']['layer']}, {places} positions (--layer NAME selects another)"
    if facts["filters"] is None:
        yield "filters: skipped, no convolution has a kernel larger than 1"
    if "randomised" in facts:
        yield _randomization_summary(facts["randomised"]["rank_correlation"])


def _randomization_summary(correlation: float | None) -> str:
    if correlation is None:
        return "saliency against random weights: a map is constant, so there is no rank correlation"
    return (
        f"saliency against random weights: rank correlation {correlation:.2f} "
        "(near 0: maps depend on the learned weights; near 1: they do not)"
    )
