"""A capsule network that reads a grid of cells: digits make rows, rows make scenes."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.task import Batch, Task
from dlcli.nn.capsule.layers import length_logits
from dlcli.sketching.networks.edges import Edges
from dlcli.sketching.networks.modular_network import Seen
from dlcli.sketching.networks.pose_images import counted, decoded
from dlcli.sketching.recursive.object_graph import Objects, Structure, split_signs

_UNLIKELY = -13.0  # the logit of what no cell has


class Cells:
    """Modules "digit 0" ... of the class capsules, one for each class, "row" and "scene": depth 3.

    A cell holds the class of its longest capsule, if that is longer than `threshold` and the cell's pixels are not all
    the same: a network that was trained on digits alone may see one in an empty cell too. Its attribute is the pose
    split into positive and negative parts; the weight of a digit in its row, and of a row, is its share of the lengths.
    The attribute of a row and of the scene is how many of each class there are.

    Args:
        model: with `capsules(x)`, trained on single digits.
        scenes: images that are made of cells.
        cell: pixels of a cell, height and width; None is what the scenes' task says of its digits.
        threshold: length in [0, 1) from which a capsule is there.
        name: what stands before a class in the name of its module.
        weight: shares of the "length" of capsules, or "equal" ones, with which counts are exact.

    Raises:
        Mismatch: the model has no capsules, or the images are not of whole cells.
    """

    def __init__(
        self,
        model: nn.Module,
        scenes: Task,
        *,
        cell: int | None,
        threshold: float,
        name: str,
        weight: Literal["length", "equal"],
    ) -> None:
        if not hasattr(model, "capsules"):
            raise Mismatch(f"network=cells reads class capsules, and {type(model).__name__} has none: network=channels")
        if not 0 <= threshold < 1:
            raise UsageError(f"network.threshold is a length from 0 to below 1, not {threshold:g}")
        self._model, self._threshold, self._weight = model, threshold, weight
        self._cell: int = cell if cell is not None else getattr(scenes, "side", 0)
        self._grid = _grid(scenes, self._cell)
        poses = self._tried(scenes.batch("test", 0).inputs[0][:1])
        self._classes, self._pose = poses.shape[1:]
        self.width = max(2 * self._pose, self._classes)
        self.modules = (*(f"{name} {number}" for number in range(self._classes)), "row", "scene")
        self._scenes: Any = scenes

    def _tried(self, x: Tensor) -> Tensor:
        try:
            with torch.no_grad():
                return _poses(self._model, x, self._cell)
        except (RuntimeError, TypeError) as error:
            told = (str(error).splitlines() or [type(error).__name__])[0]
            raise Mismatch(f"the network does not read cells of {self._cell} pixels: {told[:200]}") from None

    def objects(self, x: Float[Tensor, "scene channel height width"]) -> Seen:
        poses = _poses(self._model, x, self._cell)
        length, kind = torch.linalg.vector_norm(poses, dim=2).max(1)
        shape = (len(x), *self._grid)
        there, kind = ((length > self._threshold) & _drawn(x, self._cell)).view(shape), kind.view(shape)
        chosen = poses[torch.arange(len(poses), device=x.device), kind.flatten()]
        seen = F.one_hot(kind, self._classes).to(x) * there[..., None]
        likely = length_logits(poses).view(*shape, -1).amax((1, 2))
        weight = length.view(shape) * there if self._weight == "length" else there.to(x)
        objects = self._made(there, kind, weight, chosen.view(*shape, -1), seen)
        return Seen(objects, self._totals(there).to(x), likely.clamp(min=_UNLIKELY))

    def _totals(self, there: Bool[Tensor, "scene row column"]) -> Int[Tensor, "scene module"]:
        """Digits, rows that are not empty, and one scene."""
        digits, rows = there.sum((1, 2)), there.any(2).sum(1)
        return torch.stack((*[digits] * self._classes, rows, torch.ones_like(rows)), 1)

    def _made(
        self,
        there: Bool[Tensor, "scene row column"],
        kind: Int[Tensor, "scene row column"],
        weight: Float[Tensor, "scene row column"],
        poses: Float[Tensor, "scene row column pose"],
        seen: Float[Tensor, "scene row column class"],
    ) -> Objects:
        edges, scenes = Edges(self.modules, len(there), there.device), torch.arange(len(there), device=there.device)
        by_row, filled = weight.sum(2), there.any(2)
        scene = edges.add(scenes, self._classes + 1)
        edges.outputs(scene)
        row_scene, row = filled.nonzero(as_tuple=True)
        rows = edges.add(row_scene, self._classes)
        edges.join(scene[row_scene], rows, row, by_row[filled] / by_row.sum(1)[row_scene])
        number = torch.zeros_like(filled, dtype=torch.long).masked_scatter(filled, rows)
        at, line, column = there.nonzero(as_tuple=True)
        digits = edges.add(at, kind[there])
        edges.join(number[at, line], digits, column, weight[there] / by_row[at, line])
        raw = (seen.sum((1, 2)), seen.sum(2)[filled])
        attributes = [F.pad(F.normalize(one), (0, self.width - one.shape[1])) for one in raw]
        pose, _ = split_signs(poses[there])
        attributes.append(F.pad(pose, (0, self.width - pose.shape[1])))
        return Objects(edges.structure(), torch.cat(attributes))

    def decode(self, module: str, attributes: Float[Tensor, "n attribute"]) -> Tensor | None:
        number = self.modules.index(module)
        reconstruct = getattr(self._model, "reconstruct", None)
        if reconstruct is None or number >= self._classes:
            return None
        return decoded(reconstruct, attributes[:, : 2 * self._pose], number, self._classes)

    def pixels(self, x: Tensor, structure: Structure, number: int) -> Tensor | None:
        if int(structure.module[number]) >= self._classes:
            return None
        row, column = _place(structure, number)
        place = (int(structure.scene[number]) * self._grid[0] + row) * self._grid[1] + column
        return cut(x, self._cell)[place : place + 1]

    def truth(self, batch: Batch) -> Int[Tensor, "scene module"] | None:
        if not hasattr(self._scenes, "scenes"):
            return None
        classes = self._scenes.scenes(batch).classes
        return counted(classes, len(self.modules), self._classes)


def _place(structure: Structure, number: int) -> tuple[int, int]:
    """Row and column of a digit: its row's place in the scene, and its own in the row."""
    own = int((structure.child == number).nonzero()[0])
    above = int((structure.child == structure.parent[own]).nonzero()[0])
    return int(structure.position[above]), int(structure.position[own])


def _grid(scenes: Task, cell: int) -> tuple[int, int]:
    shape: Sequence[int | None] = scenes.spec.inputs[0].shape
    height, width = (shape[1], shape[2]) if len(shape) == 3 else (None, None)
    if not height or not width or cell < 1 or height % cell or width % cell:
        raise Mismatch(f"network=cells reads images of whole cells of {cell} pixels, not {scenes.spec.describe()}")
    return height // cell, width // cell


def _poses(model: Any, x: Tensor, cell: int) -> Float[Tensor, "cell class pose"]:
    """Class capsules of every cell, scene by scene in the order of reading."""
    return model.capsules(cut(x, cell))


def cut(x: Float[Tensor, "scene channel height width"], cell: int) -> Float[Tensor, "cell channel side side"]:
    """Images of every cell, scene by scene in the order of reading."""
    cells = x.unfold(2, cell, cell).unfold(3, cell, cell)  # scene, channel, row, column, height, width
    return cells.movedim(1, 3).flatten(0, 2).contiguous()


def _drawn(x: Tensor, cell: int) -> Bool[Tensor, " cell"]:
    """Whether there is more in a cell than one shade."""
    pixels = cut(x, cell).flatten(1)
    return pixels.amax(1) > pixels.amin(1)
