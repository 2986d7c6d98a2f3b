"""Image classification: images are stored as bytes on the device, and augmented and normalized there batch by batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.core.option_checks import check_choice
from dlcli.core.spec import Classes, Real, Spec
from dlcli.core.task import Fitted
from dlcli.data.labeled import Labeled
from dlcli.tasks.arrays import InMemoryTask
from dlcli.tasks.image.augment import Augment, Unchanged
from dlcli.tasks.targets.classification import Classification

_WHITE = 255.0


@dataclass(frozen=True)
class Images:
    """Images of one split.

    Args:
        pixels: stored values; black is 0.
        target: target of each image.
        white: maximum of a stored value; pixels are divided by it.
        mean: mean of each channel, of values in [0, 1]; None: no normalization.
        std: standard deviation of each channel.
        augment: random transformation of the training images.
    """

    pixels: Shaped[Tensor, "sample channel height width"]
    target: Shaped[Tensor, "sample *position"]
    white: float = _WHITE
    mean: Float[Tensor, "channel 1 1"] | None = None
    std: Float[Tensor, "channel 1 1"] | None = None
    augment: Augment = field(default_factory=Unchanged)

    def __len__(self) -> int:
        return len(self.target)

    def take(self, rows: Tensor | slice) -> tuple[tuple[Tensor, ...], Tensor]:
        return (self._normalized(self.pixels[rows]),), self.target[rows]

    def vary(self, rows: Tensor, *key: int) -> tuple[tuple[Tensor, ...], Tensor]:
        pixels = self.pixels.index_select(0, rows)
        return (self._normalized(self.augment(pixels, rows, *key)),), self.target.index_select(0, rows)

    def _normalized(
        self, pixels: Shaped[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch channel height width"]:
        if self._affine is None:
            return pixels.float() / self.white
        factor, offset = self._affine
        return pixels.to(torch.float32, copy=True).mul_(factor).add_(offset)

    @cached_property
    def _affine(self) -> tuple[Tensor, Tensor] | None:
        """Factor and offset of scaling to [0, 1] and normalization combined."""
        if self.mean is None or self.std is None:
            return None
        return 1 / (self.white * self.std), -self.mean / self.std

    def to(self, device: torch.device) -> "Images":
        moved = {
            name: value.to(device)
            for name in ("pixels", "target", "mean", "std")
            if (value := getattr(self, name)) is not None
        }
        return replace(self, **moved)


class ImageTask(InMemoryTask):
    """Image classification with cross-entropy loss and accuracy.

    Args:
        splits: images by split; training images are augmented.
        names: class names in the order of the labels.
        scaling: "standard" subtracts the training mean of each channel and divides by its standard deviation, "none"
            keeps values in [0, 1].
        augment: random transformation of the training images.
        batch: training batch size.
        order: seed of shuffling and augmentation.
        fitted: mean and standard deviation of a saved run; None computes those of the training split.
        metrics: names of the reported metrics; None: the defaults of the target type.

    Raises:
        UsageError: the number of channels differs from that of `fitted`.
    """

    def __init__(
        self,
        splits: Mapping[str, Labeled],
        names: Sequence[str],
        *,
        scaling: str,
        augment: Augment,
        batch: int,
        order: int,
        fitted: Fitted | None,
        metrics: Sequence[str] | None = None,
    ) -> None:
        first = next(iter(splits.values()))
        channels = first.images.shape[1]
        fitted = normalization(splits["train"], scaling) if fitted is None else fitted
        if len(fitted["mean"]) != channels:
            requirement = f"images of {len(fitted['mean'])} channels, as in training"
            raise UsageError("mismatch", subject="the run", requirement=requirement, got=channels)
        mean, std = (torch.tensor(fitted[name]).view(-1, 1, 1) for name in ("mean", "std"))
        unscaled = not mean.any() and bool((std == 1).all())
        images = {
            name: Images(
                split.images,
                split.labels,
                mean=None if unscaled else mean,
                std=None if unscaled else std,
                augment=augment if name == "train" else Unchanged(),
            )
            for name, split in splits.items()
        }
        targets = Classification(names)
        if len(splits.get("train", ())) and "trivial" not in fitted:
            fitted = {**fitted, "trivial": targets.constant([splits["train"].labels])}
        spec = Spec((Real(tuple(first.images.shape[1:])),), Classes(len(names)))
        super().__init__(images, spec, targets, batch=batch, order=order, fitted=fitted, metrics=metrics)


def normalization(train: Labeled, scaling: str) -> dict[str, Any]:
    """Exact mean and standard deviation of each channel, of values in [0, 1]; a constant channel has deviation 1.

    Raises:
        UsageError: `scaling` is neither "standard" nor "none".
    """
    check_choice(("standard", "none"), scaling=scaling)
    channels = train.images.shape[1]
    if scaling == "none":
        return {"mean": [0.0] * channels, "std": [1.0] * channels}
    levels = torch.arange(256, dtype=torch.float64) / _WHITE
    mean, std = [], []
    for channel in train.images.unbind(1):
        frequency = torch.bincount(channel.flatten(), minlength=256).double() / channel.numel()
        channel_mean = frequency @ levels
        mean.append(float(channel_mean))
        std.append(float((frequency @ (levels - channel_mean).square()).sqrt()) or 1.0)
    return {"mean": mean, "std": std}
