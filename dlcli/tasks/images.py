"""Images of classes: kept as bytes on the device, made into numbers and augmented there, a batch at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.core.spec import Classes, Real, Spec
from dlcli.core.task import Fitted
from dlcli.tasks.arrays import ArrayTask
from dlcli.tasks.augment import Augment, Unchanged
from dlcli.tasks.labelled import Labelled
from dlcli.tasks.options import one_of
from dlcli.tasks.yardstick import Classification

_WHITE = 255.0


@dataclass(frozen=True)
class Images:
    """A split of images.

    Args:
        pixels: as they are stored; black is 0.
        labels: the class of each.
        white: the brightest value that a pixel may have.
        mean: by channel, of values in [0, 1]; None leaves them there.
        std: by channel.
        augment: what training makes of them.
    """

    pixels: Shaped[Tensor, "sample channel height width"]
    labels: Int[Tensor, " sample"]
    white: float = _WHITE
    mean: Float[Tensor, "channel 1 1"] | None = None
    std: Float[Tensor, "channel 1 1"] | None = None
    augment: Augment = field(default_factory=Unchanged)

    def __len__(self) -> int:
        return len(self.labels)

    def take(
        self, rows: Tensor | slice
    ) -> tuple[tuple[Float[Tensor, "batch channel height width"]], Int[Tensor, " batch"]]:
        return (self._numbers(self.pixels[rows]),), self.labels[rows]

    def vary(
        self, rows: Tensor, *words: int
    ) -> tuple[tuple[Float[Tensor, "batch channel height width"]], Int[Tensor, " batch"]]:
        return (self._numbers(self.augment(self.pixels[rows], rows, *words)),), self.labels[rows]

    def _numbers(self, pixels: Tensor) -> Tensor:
        numbers = pixels.float().div_(self.white)
        if self.mean is None or self.std is None:
            return numbers
        return numbers.sub_(self.mean).div_(self.std)

    def to(self, device: torch.device) -> "Images":
        moved = {
            name: value.to(device)
            for name in ("pixels", "labels", "mean", "std")
            if (value := getattr(self, name)) is not None
        }
        return replace(self, **moved)


class ImageTask(ArrayTask):
    """One of some classes an image: cross-entropy, accuracy.

    Args:
        splits: images by split; those of train are augmented.
        names: of the classes, in the order of their numbers.
        scaling: "standard" subtracts the mean of each channel in train and divides by its standard deviation, "none"
            leaves values in [0, 1].
        augment: what training makes of the images.
        batch: rows of a training batch.
        order: seed of the shuffling and the augmentation.
        fitted: the mean and standard deviation of a run; None takes those of train.

    Raises:
        UsageError: `fitted` is of images with other channels.
    """

    def __init__(
        self,
        splits: Mapping[str, Labelled],
        names: Sequence[str],
        *,
        scaling: str,
        augment: Augment,
        batch: int,
        order: int,
        fitted: Fitted | None,
    ) -> None:
        first = next(iter(splits.values()))
        channels = first.images.shape[1]
        fitted = normalisation(splits["train"], scaling) if fitted is None else fitted
        if len(fitted["mean"]) != channels:
            raise UsageError(f"the images have {channels} channels, the run was trained on {len(fitted['mean'])}")
        mean, std = (torch.tensor(fitted[name]).view(-1, 1, 1) for name in ("mean", "std"))
        unscaled = not mean.any() and bool((std == 1).all())
        found = {
            name: Images(
                split.images,
                split.labels,
                mean=None if unscaled else mean,
                std=None if unscaled else std,
                augment=augment if name == "train" else Unchanged(),
            )
            for name, split in splits.items()
        }
        spec = Spec((Real(tuple(first.images.shape[1:])),), Classes(len(names)))
        super().__init__(found, spec, Classification(names), batch=batch, order=order, fitted=fitted)


def normalisation(train: Labelled, scaling: str) -> dict[str, Any]:
    """Mean and standard deviation by channel of values in [0, 1], exact; a channel of one value keeps 1.

    Raises:
        UsageError: `scaling` is neither standard nor none.
    """
    one_of(("standard", "none"), scaling=scaling)
    channels = train.images.shape[1]
    if scaling == "none":
        return {"mean": [0.0] * channels, "std": [1.0] * channels}
    levels = torch.arange(256, dtype=torch.float64) / _WHITE
    mean, std = [], []
    for channel in train.images.unbind(1):
        share = torch.bincount(channel.flatten(), minlength=256).double() / channel.numel()
        middle = share @ levels
        mean.append(float(middle))
        std.append(float((share @ (levels - middle).square()).sqrt()) or 1.0)
    return {"mean": mean, "std": std}
