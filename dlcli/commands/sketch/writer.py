"""Scenes to sketches: what is shown every batch while a split is scored."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.core.task import Batch, Carry, Metrics, Task, declared
from dlcli.sketching.networks.modular_network import Knows, Modular, Seen
from dlcli.sketching.recursive import flat, sketch
from dlcli.sketching.recursive.matrices import Matrices
from dlcli.sketching.recursive.object_graph import Objects, Structure
from dlcli.sketching.recursive.object_graphs import side_by_side
from dlcli.sketching.recursive.scale import Scale
from dlcli.sketching.recursive.store import Store

KINDS = {"recursive": sketch.sketch, "flat": flat.sketch}
"""How objects become a sketch."""


class Reading(nn.Module):
    """A network that is sketched as a model: it answers what the task's metrics grade, and keeps what it saw."""

    def __init__(self, network: Modular) -> None:
        super().__init__()
        self.network = network
        self.seen: Seen | None = None

    def forward(self, x: Tensor) -> Tensor:
        self.seen = self.network.objects(x)
        return self.seen.output


class Window:
    """Some scenes of one split of a task, as a task whose only split that is.

    Args:
        skip: scenes of the split that are passed over.
        most: scenes after these; None is all.

    `numbers` are numbers of the split's scenes, beyond its end too.

    Raises:
        UsageError: there is none.
    """

    def __init__(self, task: Task, split: str, skip: int, most: int | None) -> None:
        self._task, self.spec, self.main, self.fitted = task, task.spec, task.main, task.fitted
        self.reported = tuple(declared(task).values())
        if skip < 0 or (most is not None and most < 1):
            raise UsageError(f"skip is at least 0 and most at least 1, not {skip} and {most}")
        batches, length = task.size(split), len(task.batch(split, 0))  # all but the last one are as long
        self._begin, self._end = skip, skip + most if most is not None else batches * length
        self._first = skip // length
        self._batches = min(batches, -(-self._end // length)) - self._first
        self.numbers = range(self._begin, self._end)
        if self._batches < 1 or not len(self.batch(split, self._batches - 1)):
            raise UsageError(f"split {split} of the scenes has not more than {skip:,} of them: skip={skip} leaves none")

    def size(self, split: str) -> int:
        return self._batches

    def rows(self, split: str) -> int:
        """Scenes in the window."""
        return sum(len(self.batch(split, index)) for index in range(self._batches))

    def batch(self, split: str, index: int) -> Batch:
        whole = self._task.batch(split, self._first + index)
        rows = ((whole.index >= self._begin) & (whole.index < self._end)).nonzero().squeeze(1)
        return whole if len(rows) == len(whole) else some(whole, rows)

    def metrics(self, model: nn.Module, batch: Batch, carry: Carry = None) -> Metrics:
        return self._task.metrics(model, batch, carry)

    def to(self, device: torch.device) -> "Window":
        self._task.to(device)
        return self


def some(batch: Batch, rows: Int[Tensor, " some"]) -> Batch:
    """These rows of a batch."""
    inputs = tuple(part[rows] for part in batch.inputs)
    return replace(batch, inputs=inputs, target=batch.target[rows], first=batch.first[rows], index=batch.index[rows])


@dataclass
class Sketcher:
    """Makes the sketches of what was seen, batch by batch.

    Args:
        reading: the network, which was just asked about the batch.
        tell: told the part of the way that is done, and the number of scenes.
    """

    reading: Reading
    matrices: Matrices
    kind: str
    scale: Scale
    batches: int
    tell: Callable[[int, float], None]
    first: Objects | None = None
    images: Tensor | None = None
    _parts: list[tuple[Tensor, Tensor, Tensor, Tensor]] = field(default_factory=list)
    _structures: list[Structure] = field(default_factory=list)

    def see(self, batch: Batch, metrics: Metrics) -> None:
        """Sketch the batch that the network has answered."""
        seen, network = self.reading.seen, self.reading.network
        assert seen is not None
        made = KINDS[self.kind](seen.objects, self.matrices, self.scale)
        truth = network.truth(batch) if isinstance(network, Knows) else None
        if truth is None:
            truth = torch.full((len(batch), len(network.modules)), -1, device=made.device)
        self._parts.append((made.cpu(), batch.index.cpu(), seen.total.cpu(), truth.cpu()))
        self._structures.append(on_cpu(seen.objects.structure))
        if self.first is None:
            self.first = Objects(self._structures[0], seen.objects.attributes.cpu())
            self.images = batch.inputs[0].cpu()
        done = len(self._parts)
        self.tell(sum(len(part[1]) for part in self._parts), done / self.batches)

    def store(self, about: Mapping[str, Any]) -> Store:
        """All that was seen."""
        sketches, row, total, truth = (torch.cat(parts) for parts in zip(*self._parts, strict=True))
        part = {"data": about["data"], "scenes": len(row)}
        facts = {name: value for name, value in about.items() if name != "data"} | {"parts": [part]}
        return Store(facts, sketches.float(), row, total, truth, side_by_side(self._structures))


def on_cpu(structure: Structure) -> Structure:
    if structure.module.device.type == "cpu":
        return structure
    facts: dict[str, Any] = {part.name: getattr(structure, part.name) for part in fields(structure)}
    moved: dict[str, Any] = {name: one.cpu() if isinstance(one, Tensor) else one for name, one in facts.items()}
    return Structure(**moved)
