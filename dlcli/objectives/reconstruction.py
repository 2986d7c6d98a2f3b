"""Margin loss with reconstruction of the image from the class capsules."""

from collections.abc import Callable
from typing import Literal, Protocol, cast, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.spec import Real
from dlcli.core.task import Batch, Carry, CompositeImages, Loss, Task
from dlcli.objectives.margin import Margin, present


@runtime_checkable
class Reconstructs(Protocol):
    """A model with class capsules and a decoder."""

    capsules: Callable[..., Tensor]
    """Map inputs to poses [batch, class, dim], whose lengths are probabilities."""

    reconstruct: Callable[[Tensor, Tensor], Tensor]
    """Map poses and a mask [batch, class] of the classes to reconstruct to images."""


class Reconstruction:
    """Margin loss plus the squared error of images reconstructed from the capsules of the true classes.

    If the task composes images from single ones (`CompositeImages`), each single image is reconstructed separately from
    the capsule of its class, and the errors are added. Otherwise the input is reconstructed from all classes of the
    sample.

    Paper: Sabour, Frosst & Hinton 2017, arXiv:1710.09829, sections 4.1 and 6.

    Args:
        task: task with one image as input.
        margin: factory of the margin loss from the task.
        weight: weight of the squared error.
        error: "sum" over the pixels, as in the paper, with weight .0005 for 28 x 28 pixels and a margin loss summed
            over classes; the equivalent weight for the "mean" over pixels is .392.

    Raises:
        UsageError: the weight is below 0.
        Mismatch: the input is not an image.
    """

    needs = Reconstructs

    def __init__(
        self, task: Task, *, margin: Callable[[Task], Margin], weight: float, error: Literal["sum", "mean"]
    ) -> None:
        if weight < 0:
            raise UsageError("invalid_value", key="objective.weight", must="at least 0", got=weight)
        (part, *more) = task.spec.inputs
        if more or not isinstance(part, Real) or len(part.shape) != 3:
            requirement = "one image (channel, height, width) as input"
            got = task.spec.describe()
            raise Mismatch("mismatch", subject="objective=reconstruction", requirement=requirement, got=got)
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
        present_classes: Float[Tensor, "batch class"],
    ) -> Float[Tensor, ""]:
        if not isinstance(self.task, CompositeImages):
            return self._squared(model.reconstruct(poses, present_classes) - batch.inputs[0])
        images, classes = self.task.sources(batch)
        count = images.shape[1]
        real = (classes >= 0).flatten().to(poses)
        mask = F.one_hot(classes.clamp(min=0).flatten(), poses.shape[1]).to(poses)
        reconstructed = model.reconstruct(poses.repeat_interleave(count, 0), mask)
        return self._squared((reconstructed - images.flatten(0, 1)) * real[:, None, None, None]) * count

    def _squared(self, difference: Float[Tensor, "image channel height width"]) -> Float[Tensor, ""]:
        """Squared error, summed or averaged over the pixels, mean over the images."""
        squares = difference.square().flatten(1)
        return (squares.sum(1) if self.error == "sum" else squares.mean(1)).mean()
