"""Sketches of the scenes of a split, computed batch by batch while the split is scored."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.core.task import Batch, Carry, Metrics, Task, declared_metrics
from dlcli.sketching.networks.modular_network import GroundTruth, ModularNetwork, SceneObjects
from dlcli.sketching.recursive import flat, sketch
from dlcli.sketching.recursive.matrices import Matrices
from dlcli.sketching.recursive.object_graph import Objects, Structure
from dlcli.sketching.recursive.object_graphs import concatenate
from dlcli.sketching.recursive.scale import Scale
from dlcli.sketching.recursive.store import Store

KINDS = {"recursive": sketch.sketch, "flat": flat.sketch}
"""Sketch function of each kind."""


class RecordingModel(nn.Module):
    """A modular network as a model: it returns the output for the task's metrics and records the objects."""

    def __init__(self, network: ModularNetwork) -> None:
        super().__init__()
        self.network = network
        self.seen: SceneObjects | None = None

    def forward(self, x: Tensor) -> Tensor:
        self.seen = self.network.objects(x)
        return self.seen.output


class SceneRange:
    """A range of scenes of one split of a task, as a task with this split only.

    `numbers` are the indices of the scenes in the split; they may exceed its end.

    Args:
        task: the task of the scenes.
        split: name of the split.
        skip: number of scenes to skip at the start.
        most: maximum number of scenes; None for all.

    Raises:
        UsageError: a value is out of range, or the range is empty.
    """

    def __init__(self, task: Task, split: str, skip: int, most: int | None) -> None:
        self._task, self.spec, self.main, self.fitted = task, task.spec, task.main, task.fitted
        self.reported = tuple(declared_metrics(task).values())
        if skip < 0:
            raise UsageError("invalid_value", key="skip", must="at least 0", got=skip)
        if most is not None and most < 1:
            raise UsageError("invalid_value", key="most", must="at least 1", got=most)
        batches, length = task.size(split), len(task.batch(split, 0))  # all batches but the last have this length
        self._begin, self._end = skip, skip + most if most is not None else batches * length
        self._first = skip // length
        self._batches = min(batches, -(-self._end // length)) - self._first
        self.numbers = range(self._begin, self._end)
        if self._batches < 1 or not len(self.batch(split, self._batches - 1)):
            must = f"less than the number of scenes in split {split}"
            raise UsageError("invalid_value", key="skip", must=must, got=skip)

    def size(self, split: str) -> int:
        return self._batches

    def rows(self, split: str) -> int:
        """Number of scenes in the range."""
        return sum(len(self.batch(split, index)) for index in range(self._batches))

    def batch(self, split: str, index: int) -> Batch:
        batch = self._task.batch(split, self._first + index)
        rows = ((batch.index >= self._begin) & (batch.index < self._end)).nonzero().squeeze(1)
        return batch if len(rows) == len(batch) else select_rows(batch, rows)

    def metrics(self, model: nn.Module, batch: Batch, carry: Carry = None) -> Metrics:
        return self._task.metrics(model, batch, carry)

    def to(self, device: torch.device) -> "SceneRange":
        self._task.to(device)
        return self


def select_rows(batch: Batch, rows: Int[Tensor, " row"]) -> Batch:
    """The given rows of a batch."""
    inputs = tuple(part[rows] for part in batch.inputs)
    return replace(batch, inputs=inputs, target=batch.target[rows], first=batch.first[rows], index=batch.index[rows])


@dataclass
class SketchWriter:
    """Sketches the objects of a recording model batch by batch.

    Args:
        recording: the model; its recorded objects are those of the current batch.
        matrices: random matrices of the sketches.
        kind: a key of `KINDS`.
        scale: scaling of the sketches.
        batches: number of batches.
        report: called with the number of scenes and the fraction done.
    """

    recording: RecordingModel
    matrices: Matrices
    kind: str
    scale: Scale
    batches: int
    report: Callable[[int, float], None]
    first: Objects | None = None
    images: Tensor | None = None
    _parts: list[tuple[Tensor, Tensor, Tensor, Tensor]] = field(default_factory=list)
    _structures: list[Structure] = field(default_factory=list)

    def see(self, batch: Batch, metrics: Metrics) -> None:
        """Sketch the batch for which the model was just evaluated."""
        seen, network = self.recording.seen, self.recording.network
        assert seen is not None
        sketches = KINDS[self.kind](seen.objects, self.matrices, self.scale)
        truth = network.truth(batch) if isinstance(network, GroundTruth) else None
        if truth is None:
            truth = torch.full((len(batch), len(network.modules)), -1, device=sketches.device)
        self._parts.append((sketches.cpu(), batch.index.cpu(), seen.total.cpu(), truth.cpu()))
        self._structures.append(to_cpu(seen.objects.structure))
        if self.first is None:
            self.first = Objects(self._structures[0], seen.objects.attributes.cpu())
            self.images = batch.inputs[0].cpu()
        done = len(self._parts)
        self.report(sum(len(part[1]) for part in self._parts), done / self.batches)

    def store(self, about: Mapping[str, Any]) -> Store:
        """The store of all scenes so far."""
        sketches, row, total, truth = (torch.cat(parts) for parts in zip(*self._parts, strict=True))
        part = {"data": about["data"], "scenes": len(row)}
        facts = {name: value for name, value in about.items() if name != "data"} | {"parts": [part]}
        return Store(facts, sketches.float(), row, total, truth, concatenate(self._structures))


def to_cpu(structure: Structure) -> Structure:
    """Copy the tensors of a structure to the CPU."""
    if structure.module.device.type == "cpu":
        return structure
    facts: dict[str, Any] = {part.name: getattr(structure, part.name) for part in fields(structure)}
    moved: dict[str, Any] = {name: value.cpu() if isinstance(value, Tensor) else value for name, value in facts.items()}
    return Structure(**moved)
