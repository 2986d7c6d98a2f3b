"""What `--explain` looks at: a network, some rows of the test split, and what it took them for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dlcli.core.episode import Plays
from dlcli.core.errors import Mismatch
from dlcli.core.spec import Classes, Labels, Real
from dlcli.core.task import Sorts, Task
from dlcli.report.figures import attribution_sheets, input_maps
from dlcli.report.figures.attribution_sheets import Caption
from dlcli.report.figures.sheet import png


@dataclass(frozen=True)
class Subject:
    """A network and some rows.

    Args:
        name: of the run, for the pictures.
        model: with the weights of its best checkpoint, in evaluation mode.
        x: the rows.
        unit: the class that each is taken for, whose score is explained.
        facts: of each row its number in the split, true classes, the predicted one (of several labels as
            many as are true), whether these are the true ones, and how sure the network is of the first.
    """

    name: str
    model: nn.Module
    x: Tensor
    unit: Tensor
    facts: Sequence[Mapping[str, Any]]

    def sheet(self, title: str, note: str, maps: Tensor) -> bytes:
        """The rows beside their maps, as a file."""
        captions = [_caption(one) for one in self.facts]
        return png(
            attribution_sheets.beside(f"{title}: {self.name}", note, captions, input_maps.pictures(self.x), maps)
        )


def check(task: Task) -> None:
    """Check that the task classifies images, videos or sequences.

    Raises:
        Mismatch: it does not, or is an environment.
    """
    spec = task.spec
    (first, *more) = spec.inputs
    shown = not more and isinstance(first, Real) and len(first.shape) in (2, 3, 4)
    sorts = isinstance(spec.target, Classes | Labels) and not spec.target.positions
    if not (shown and sorts) or isinstance(task, Plays):
        kind = "an environment, " if isinstance(task, Plays) else ""
        raise Mismatch(
            "mismatch",
            subject="--explain",
            requirement="a classification task on images, videos or sequences",
            got=f"{type(task).__name__}: {kind}{spec.describe()}",
            hint="Inputs: (channel, height, width), (channel, time, height, width) or (channel, time).",
        )


def subject(name: str, model: nn.Module, task: Task, lengths: Sequence[int], samples: int) -> Subject:
    """Rows of the test split at equal distances, so that a sorted one shows all of its classes.

    Args:
        name: of the run.
        lengths: rows of each batch.
        samples: how many rows.
    """
    total = sum(lengths)
    wanted = [place * total // min(samples, total) for place in range(min(samples, total))]
    x, target = _taken(task, lengths, wanted)
    with torch.no_grad():
        answer = model.eval()(x.clone())
    chance = answer.sigmoid() if isinstance(task.spec.target, Labels) else answer.softmax(1)
    names = task.classes if isinstance(task, Sorts) else list(map(str, range(task.spec.target.width)))
    facts = []
    for place, row in enumerate(wanted):
        true = _true(target[place], names)
        predicted = [names[number] for number in answer[place].topk(max(1, len(true))).indices.sort().values.tolist()]
        facts.append(
            {
                "row": row,
                "true": true,
                "predicted": " + ".join(predicted),
                "right": predicted == true,
                "probability": float(chance[place].max()),
            }
        )
    return Subject(name, model, x, answer.argmax(1), facts)


def _taken(task: Task, lengths: Sequence[int], wanted: Sequence[int]) -> tuple[Tensor, Tensor]:
    inputs, targets, begin = [], [], 0
    for index, length in enumerate(lengths):
        here = [row - begin for row in wanted if begin <= row < begin + length]
        if here:
            batch = task.batch("test", index)
            inputs.append(batch.inputs[0][here])
            targets.append(batch.target[here])
        begin += length
    return torch.cat(inputs), torch.cat(targets)


def _true(target: Tensor, names: Sequence[str]) -> list[str]:
    """The classes of a row: one, or any number of labels."""
    if target.dim():
        return [names[number] for number in target.nonzero()[:, 0].tolist()]
    return [names[int(target)]] if 0 <= int(target) < len(names) else []


def _caption(facts: Mapping[str, Any]) -> Caption:
    told = facts["predicted"]
    words = told if facts["right"] else f"{told}, is {' + '.join(facts['true']) or 'none'}"
    return Caption(f"{words} ({facts['probability']:.2f})", facts["right"])
