"""Samples of the test split that `dlcli show RUN --explain` explains, with the predictions of the model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dlcli.core.episode import PlayableTask
from dlcli.core.errors import Mismatch
from dlcli.core.spec import Classes, Labels, Real
from dlcli.core.task import HasClasses, Task
from dlcli.report.figures import attribution_sheets, input_maps
from dlcli.report.figures.attribution_sheets import Caption
from dlcli.report.figures.sheet import png


@dataclass(frozen=True)
class ExplainedSamples:
    """A model and the samples whose predictions are explained.

    Args:
        name: title of the run, for the images.
        model: the model with the weights of its best checkpoint, in evaluation mode.
        x: inputs, batch axis first.
        unit: predicted class of each sample, whose score is explained.
        facts: per sample its row in the split, true and predicted classes (with several labels, as many as are true),
            whether they agree, and the largest probability.
    """

    name: str
    model: nn.Module
    x: Tensor
    unit: Tensor
    facts: Sequence[Mapping[str, Any]]

    def sheet(self, title: str, note: str, maps: Tensor) -> bytes:
        """Encode a PNG of the samples beside their maps."""
        captions = [_caption(facts) for facts in self.facts]
        return png(
            attribution_sheets.side_by_side(
                f"{title}: {self.name}", note, captions, input_maps.input_images(self.x), maps
            )
        )


def check(task: Task) -> None:
    """Check that the task classifies images, videos or sequences.

    Raises:
        Mismatch: the task is no such classification, or an environment.
    """
    spec = task.spec
    (first, *more) = spec.inputs
    drawable = not more and isinstance(first, Real) and len(first.shape) in (2, 3, 4)
    classifies = isinstance(spec.target, Classes | Labels) and not spec.target.positions
    if not (drawable and classifies) or isinstance(task, PlayableTask):
        kind = "an environment, " if isinstance(task, PlayableTask) else ""
        raise Mismatch(
            "mismatch",
            subject="--explain",
            requirement="a classification task on images, videos or sequences",
            got=f"{type(task).__name__}: {kind}{spec.describe()}",
            hint="Inputs: (channel, height, width), (channel, time, height, width) or (channel, time).",
        )


def select_samples(name: str, model: nn.Module, task: Task, lengths: Sequence[int], count: int) -> ExplainedSamples:
    """Select equidistant rows of the test split, so that a split sorted by class shows all classes.

    Args:
        name: title of the run.
        model: the model of the best checkpoint.
        task: a classification task.
        lengths: rows of each test batch.
        count: number of samples; at most the rows of the split are used.
    """
    total = sum(lengths)
    rows = [index * total // min(count, total) for index in range(min(count, total))]
    x, target = _read_rows(task, lengths, rows)
    with torch.no_grad():
        logits = model.eval()(x.clone())
    probabilities = logits.sigmoid() if isinstance(task.spec.target, Labels) else logits.softmax(1)
    names = task.classes if isinstance(task, HasClasses) else list(map(str, range(task.spec.target.width)))
    facts = []
    for index, row in enumerate(rows):
        true = _true_classes(target[index], names)
        top = logits[index].topk(max(1, len(true))).indices.sort().values.tolist()
        predicted = [names[label] for label in top]
        facts.append(
            {
                "row": row,
                "true": true,
                "predicted": " + ".join(predicted),
                "right": predicted == true,
                "probability": float(probabilities[index].max()),
            }
        )
    return ExplainedSamples(name, model, x, logits.argmax(1), facts)


def _read_rows(task: Task, lengths: Sequence[int], rows: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Inputs and targets of rows of the test split, read only from the batches that contain them."""
    inputs, targets, start = [], [], 0
    for index, length in enumerate(lengths):
        positions = [row - start for row in rows if start <= row < start + length]
        if positions:
            batch = task.batch("test", index)
            inputs.append(batch.inputs[0][positions])
            targets.append(batch.target[positions])
        start += length
    return torch.cat(inputs), torch.cat(targets)


def _true_classes(target: Tensor, names: Sequence[str]) -> list[str]:
    """Names of the true classes of a sample: a single class, or any number of labels."""
    if target.dim():
        return [names[label] for label in target.nonzero()[:, 0].tolist()]
    return [names[int(target)]] if 0 <= int(target) < len(names) else []


def _caption(facts: Mapping[str, Any]) -> Caption:
    label = facts["predicted"]
    if not facts["right"]:
        label += f", true: {' + '.join(facts['true']) or 'none'}"
    return Caption(f"{label} ({facts['probability']:.2f})", facts["right"])
