"""Margin loss, and the image from what the capsules know."""

from collections.abc import Callable
from typing import Literal, Protocol, cast, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.spec import Real
from dlcli.core.task import Batch, Carry, Composed, Loss, Task
from dlcli.objectives.margin import Margin, present


@runtime_checkable
class Reconstructs(Protocol):
    """A model with class capsules and a decoder."""

    capsules: Callable[..., Tensor]
    """From inputs to poses [batch, class, dim], whose lengths are probabilities."""

    reconstruct: Callable[[Tensor, Tensor], Tensor]
    """From poses and a mask [batch, class] of the classes asked for to images."""


class Reconstruction:
    """Margin loss plus a squared error of the images that the capsules of the true classes give.

    Where a task puts images together from single ones (`Composed`) each of those is reconstructed by itself from the
    capsule of its own class, and the errors add up. Otherwise it is the input, from all classes that are there.

    Paper: Sabour, Frosst & Hinton 2017, arXiv:1710.09829, sections 4.1 and 6.

    Args:
        task: its one input is an image.
        margin: makes the margin loss from the task.
        weight: of the squared error.
        error: "sum" over the pixels, as in the paper, where .0005 goes with 28 x 28 of them and a margin loss that
            sums over the classes; "mean" over the pixels wants .392 for the same.

    Raises:
        UsageError: the weight is below 0.
        Mismatch: the input is no image.
    """

    needs = Reconstructs

    def __init__(
        self, task: Task, *, margin: Callable[[Task], Margin], weight: float, error: Literal["sum", "mean"]
    ) -> None:
        if weight < 0:
            raise UsageError(f"weight of the reconstruction is at least 0, not {weight}")
        (part, *more) = task.spec.inputs
        if more or not isinstance(part, Real) or len(part.shape) != 3:
            raise Mismatch(f"Reconstruction wants one image (channel, height, width), not {task.spec.describe()}")
        self.task, self.margin, self.weight, self.error = task, margin(task), weight, error

    def __call__(self, model: nn.Module, batch: Batch, carry: Carry = None) -> Loss:
        capsuled = cast(Reconstructs, model)
        poses = capsuled.capsules(*batch.inputs)
        p = torch.linalg.vector_norm(poses, dim=2)
        margin = self.margin.of(p, batch.target)
        error = self._error(capsuled, batch, poses, present(batch.target, p))
        terms = {"margin": margin.detach(), "reconstruction": error.detach()}
        return Loss(margin + self.weight * error, terms, float(len(batch)))

    def _error(
        self,
        model: Reconstructs,
        batch: Batch,
        poses: Float[Tensor, "batch class dim"],
        there: Float[Tensor, "batch class"],
    ) -> Float[Tensor, ""]:
        if not isinstance(self.task, Composed):
            return self._squared(model.reconstruct(poses, there) - batch.inputs[0])
        images, classes = self.task.sources(batch)
        count = images.shape[1]
        real = (classes >= 0).flatten().to(poses)
        mask = F.one_hot(classes.clamp(min=0).flatten(), poses.shape[1]).to(poses)
        made = model.reconstruct(poses.repeat_interleave(count, 0), mask)
        return self._squared((made - images.flatten(0, 1)) * real[:, None, None, None]) * count

    def _squared(self, difference: Float[Tensor, "image channel height width"]) -> Float[Tensor, ""]:
        """Mean over the images of the squares, summed or averaged over the pixels."""
        squares = difference.square().flatten(1)
        return (squares.sum(1) if self.error == "sum" else squares.mean(1)).mean()
