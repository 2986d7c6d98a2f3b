"""A capsule network applied to the cells of a grid: digits form rows, rows form scenes."""

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
from dlcli.sketching.networks.modular_network import SceneObjects
from dlcli.sketching.networks.pose_images import count_classes, decode_poses
from dlcli.sketching.recursive.object_graph import Objects, Structure, split_signs

_MIN_LOGIT = -13.0  # logit of a class that no cell contains


class Cells:
    """Modules "digit 0", ... for the class capsules, "row" and "scene"; depth 3.

    A cell contains the class of its longest capsule if that is longer than `threshold` and the pixels of the cell are
    not constant: a network trained on single digits may detect one in an empty cell. The attribute of a digit is its
    pose split into positive and negative parts; the weights of digits in a row, and of rows, are proportional to the
    capsule lengths. The attributes of a row and of the scene are class counts.

    Args:
        model: a model with `capsules(x)`, trained on single digits.
        scenes: the task of the images, which consist of cells.
        cell: height and width of a cell in pixels; None for the digit size of the task.
        threshold: length in [0, 1) above which a capsule is an object.
        name: prefix of the class modules' names.
        weight: "length" for weights proportional to capsule lengths, "equal" for equal weights and exact counts.

    Raises:
        Mismatch: the model has no capsules, or the image size is not a multiple of the cell size.
        UsageError: the threshold is out of range.
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
            requirement, hint = "a model with class capsules", "network=channels sketches any network"
            got = type(model).__name__
            raise Mismatch("mismatch", subject="network=cells", requirement=requirement, got=got, hint=hint)
        if not 0 <= threshold < 1:
            raise UsageError("invalid_value", key="network.threshold", must="in [0, 1)", got=threshold)
        self._model, self._threshold, self._weight = model, threshold, weight
        self._cell: int = cell if cell is not None else getattr(scenes, "side", 0)
        self._grid = _grid(scenes, self._cell)
        poses = self._check_model(scenes.batch("test", 0).inputs[0][:1])
        self._classes, self._pose = poses.shape[1:]
        self.width = max(2 * self._pose, self._classes)
        self.modules = (*(f"{name} {number}" for number in range(self._classes)), "row", "scene")
        self._scenes: Any = scenes

    def _check_model(self, x: Tensor) -> Tensor:
        """Class capsules of the cells of one scene.

        Raises:
            Mismatch: the model cannot process cells of this size.
        """
        try:
            with torch.no_grad():
                return _poses(self._model, x, self._cell)
        except (RuntimeError, TypeError) as error:
            hint = (str(error).splitlines() or [type(error).__name__])[0][:200]
            feature = f"cells of {self._cell} x {self._cell} pixels"
            raise Mismatch("unsupported", subject="the network", feature=feature, hint=hint) from None

    def objects(self, x: Float[Tensor, "scene channel height width"]) -> SceneObjects:
        poses = _poses(self._model, x, self._cell)
        length, kind = torch.linalg.vector_norm(poses, dim=2).max(1)
        shape = (len(x), *self._grid)
        present, kind = ((length > self._threshold) & _has_content(x, self._cell)).view(shape), kind.view(shape)
        longest = poses[torch.arange(len(poses), device=x.device), kind.flatten()]
        classes = F.one_hot(kind, self._classes).to(x) * present[..., None]
        logits = length_logits(poses).view(*shape, -1).amax((1, 2))
        weight = length.view(shape) * present if self._weight == "length" else present.to(x)
        objects = self._build(present, kind, weight, longest.view(*shape, -1), classes)
        return SceneObjects(objects, self._totals(present).to(x), logits.clamp(min=_MIN_LOGIT))

    def _totals(self, present: Bool[Tensor, "scene row column"]) -> Int[Tensor, "scene module"]:
        """Number of digits, of non-empty rows, and one scene."""
        digits, rows = present.sum((1, 2)), present.any(2).sum(1)
        return torch.stack((*[digits] * self._classes, rows, torch.ones_like(rows)), 1)

    def _build(
        self,
        present: Bool[Tensor, "scene row column"],
        kind: Int[Tensor, "scene row column"],
        weight: Float[Tensor, "scene row column"],
        poses: Float[Tensor, "scene row column pose"],
        classes: Float[Tensor, "scene row column class"],
    ) -> Objects:
        """The object graphs: one scene object, its non-empty rows, and their digits."""
        device = present.device
        edges, scenes = Edges(self.modules, len(present), device), torch.arange(len(present), device=device)
        by_row, filled = weight.sum(2), present.any(2)
        scene = edges.add(scenes, self._classes + 1)
        edges.outputs(scene)
        row_scene, row = filled.nonzero(as_tuple=True)
        rows = edges.add(row_scene, self._classes)
        edges.join(scene[row_scene], rows, row, by_row[filled] / by_row.sum(1)[row_scene])
        number = torch.zeros_like(filled, dtype=torch.long).masked_scatter(filled, rows)
        digit_scene, digit_row, column = present.nonzero(as_tuple=True)
        digits = edges.add(digit_scene, kind[present])
        share = weight[present] / by_row[digit_scene, digit_row]
        edges.join(number[digit_scene, digit_row], digits, column, share)
        counts = (classes.sum((1, 2)), classes.sum(2)[filled])
        attributes = [F.pad(F.normalize(each), (0, self.width - each.shape[1])) for each in counts]
        pose, _ = split_signs(poses[present])
        attributes.append(F.pad(pose, (0, self.width - pose.shape[1])))
        return Objects(edges.structure(), torch.cat(attributes))

    def decode(self, module: str, attributes: Float[Tensor, "n attribute"]) -> Tensor | None:
        number = self.modules.index(module)
        reconstruct = getattr(self._model, "reconstruct", None)
        if reconstruct is None or number >= self._classes:
            return None
        return decode_poses(reconstruct, attributes[:, : 2 * self._pose], number, self._classes)

    def pixels(self, x: Tensor, structure: Structure, number: int) -> Tensor | None:
        if int(structure.module[number]) >= self._classes:
            return None
        row, column = _locate(structure, number)
        cell = (int(structure.scene[number]) * self._grid[0] + row) * self._grid[1] + column
        return split_cells(x, self._cell)[cell : cell + 1]

    def truth(self, batch: Batch) -> Int[Tensor, "scene module"] | None:
        if not hasattr(self._scenes, "scenes"):
            return None
        classes = self._scenes.scenes(batch).classes
        return count_classes(classes, len(self.modules), self._classes)


def _locate(structure: Structure, number: int) -> tuple[int, int]:
    """Row and column of a digit: the position of its row in the scene, and its position in the row."""
    own = int((structure.child == number).nonzero()[0])
    row = int((structure.child == structure.parent[own]).nonzero()[0])
    return int(structure.position[row]), int(structure.position[own])


def _grid(scenes: Task, cell: int) -> tuple[int, int]:
    """Number of rows and columns of cells.

    Raises:
        Mismatch: the image size is not a multiple of the cell size.
    """
    shape: Sequence[int | None] = scenes.spec.inputs[0].shape
    height, width = (shape[1], shape[2]) if len(shape) == 3 else (None, None)
    if not height or not width or cell < 1 or height % cell or width % cell:
        requirement = f"images whose height and width are multiples of {cell}"
        raise Mismatch("mismatch", subject="network=cells", requirement=requirement, got=scenes.spec.describe())
    return height // cell, width // cell


def _poses(model: Any, x: Tensor, cell: int) -> Float[Tensor, "cell class pose"]:
    """Class capsules of every cell, scene by scene in row-major order."""
    return model.capsules(split_cells(x, cell))


def split_cells(x: Float[Tensor, "scene channel height width"], cell: int) -> Float[Tensor, "cell channel side side"]:
    """Images of every cell, scene by scene in row-major order."""
    cells = x.unfold(2, cell, cell).unfold(3, cell, cell)  # scene, channel, row, column, height, width
    return cells.movedim(1, 3).flatten(0, 2).contiguous()


def _has_content(x: Tensor, cell: int) -> Bool[Tensor, " cell"]:
    """True for cells whose pixels are not constant."""
    pixels = split_cells(x, cell).flatten(1)
    return pixels.amax(1) > pixels.amin(1)
