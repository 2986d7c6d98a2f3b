"""`dlcli show RUN --explain`: what a run's best network looks at, as pictures in artifacts/explain/."""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dlcli.commands.explain import attributions
from dlcli.commands.explain.samples import Subject, check, subject
from dlcli.config import build, run_config
from dlcli.core.artifacts import encode
from dlcli.core.confusion import Confusion
from dlcli.core.errors import UsageError
from dlcli.core.evaluation import score
from dlcli.core.learner import Tree
from dlcli.core.task import Batch, Metrics, Task
from dlcli.engine.device import computing
from dlcli.engine.evaluate import restored, thread_count
from dlcli.report.figures.sheet import has_letters
from dlcli.runs import selectors
from dlcli.runs.files import replace_folder
from dlcli.runs.run import Run

_MOST = 100  # samples of a sheet


@dataclass(frozen=True)
class Wish:
    """What is asked for.

    Args:
        samples: rows of the test split.
        layer: whose map Grad-CAM reads; None is the last convolution.
        randomised: whether saliency is compared with that of weights drawn anew.
    """

    samples: int
    layer: str | None
    randomised: bool


def explain(selector: str, out: Path, wish: Wish) -> tuple[Path, dict[str, Any]]:
    """Put pictures and numbers into RUN/artifacts/explain/, in place of older ones; the folder and the numbers.

    Raises:
        UsageError: there is no checkpoint, no such layer, or the task is of another kind.
    """
    if not 1 <= wish.samples <= _MOST:
        raise UsageError(f"--samples is 1 to {_MOST}, not {wish.samples}")
    run = selectors.one(selector, out)
    config = run_config.read(run.path / "config.yaml")
    with computing(thread_count(config["threads"])):
        model, task = restored(run, config, torch.device("cpu"))
        check(task)
        files, facts = _looked(run, config, model, task, wish)
    folder = run.path / "artifacts" / "explain"
    replace_folder(folder, {**files, "explain.json": encode(Tree(facts))[1]})
    return folder, facts


def _looked(run: Run, config: Mapping[str, Any], model: nn.Module, task: Task, wish: Wish) -> attributions.Look:
    name = f"{run.info['name'] or run.info['label']} ({run.id})"
    lengths: list[int] = []
    table = Confusion.of(task)

    def see(batch: Batch, metrics: Metrics) -> None:
        lengths.append(len(batch))
        if table is not None:
            table.see(batch, metrics)

    scores = score(model, task, "test", see)
    seen = subject(name, model, task, lengths, wish.samples)
    files: dict[str, bytes] = {}
    facts = {"run": run.id, "rows": sum(lengths), "metrics": scores, "samples": list(seen.facts)}
    for found, numbers in (
        attributions.last_map(seen, wish.layer),
        attributions.gradients(seen),
        attributions.first_filters(seen),
        attributions.confusions(name, table),
    ):
        files |= found
        facts |= numbers
    if wish.randomised:
        facts["randomised"] = _randomised(seen, config, task)
    return files, facts


def _randomised(seen: Subject, config: Mapping[str, Any], task: Task) -> Mapping[str, Any]:
    other = build.build_model({**config, "seed": config["seed"] + 1}, task, torch.device("cpu"))
    return attributions.randomised(seen, other)


def main(selector: str, out: Path, wish: Wish, as_json: bool) -> int:
    """Explain, and say in words what was found and where it lies."""
    folder, facts = explain(selector, out, wish)
    if as_json:
        print(json.dumps({"path": str(folder), **facts}, indent=1))  # noqa: T201
        return 0
    for line in _told(facts):
        print(line)  # noqa: T201
    if not has_letters():
        print("no words on the pictures and no confusion.png: pip install 'dlcli[plot]'", file=sys.stderr)  # noqa: T201
    for path in sorted(folder.iterdir()):
        print(path)  # noqa: T201
    return 0


def _told(facts: Mapping[str, Any]) -> Iterator[str]:
    whole = facts["integrated_gradients"]
    right = sum(one["right"] for one in facts["samples"])
    yield f"{len(facts['samples'])} of {facts['rows']:,} test rows, {right} of them right"
    if facts["confused"]:
        pairs = (f"{one['true']} as {one['predicted']} ({one['rows']})" for one in facts["confused"])
        yield f"most often taken for another: {', '.join(pairs)}"
    yield (
        f"integrated gradients: {whole['steps']} steps; their sum misses {whole['incompleteness']:.2%} of f(x) - f(0)"
    )
    if facts["grad_cam"] is None:
        yield "Grad-CAM: left out, no convolution of the network answers a map that the scores depend on"
    else:
        places = " x ".join(map(str, facts["grad_cam"]["places"]))
        yield f"Grad-CAM: of {facts['grad_cam']['layer']}, {places} places (--layer NAME takes another)"
    if facts["filters"] is None:
        yield "filters: left out, no convolution of the network reads several places at once"
    if "randomised" in facts:
        yield _verdict(facts["randomised"]["rank_correlation"])


def _verdict(correlation: float | None) -> str:
    if correlation is None:
        return "saliency against weights drawn anew: a map is flat, so there is no rank correlation"
    return (
        f"saliency against weights drawn anew: rank correlation {correlation:.2f} (near 0: the maps show what was "
        "learned; near 1: they would look so without it)"
    )
