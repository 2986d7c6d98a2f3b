"""Images of classes: kept as bytes on the device, made into numbers and augmented there, a batch at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.core.option_checks import one_of
from dlcli.core.spec import Classes, Real, Spec
from dlcli.core.task import Fitted
from dlcli.data.labeled import Labelled
from dlcli.tasks.arrays import ArrayTask
from dlcli.tasks.image.augment import Augment, Unchanged
from dlcli.tasks.targets.classification import Classification

_WHITE = 255.0


@dataclass(frozen=True)
class Images:
    """A split of images.

    Args:
        pixels: as they are stored; black is 0.
        target: what is wanted of each.
        white: the brightest value that a pixel may have.
        mean: by channel, of values in [0, 1]; None leaves them there.
        std: by channel.
        augment: what training makes of them.
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
        return (self._numbers(self.pixels[rows]),), self.target[rows]

    def vary(self, rows: Tensor, *words: int) -> tuple[tuple[Tensor, ...], Tensor]:
        chosen = self.pixels.index_select(0, rows)
        return (self._numbers(self.augment(chosen, rows, *words)),), self.target.index_select(0, rows)

    def _numbers(
        self, pixels: Shaped[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch channel height width"]:
        if self._line is None:
            return pixels.float() / self.white
        factor, summand = self._line
        return pixels.to(torch.float32, copy=True).mul_(factor).add_(summand)

    @cached_property
    def _line(self) -> tuple[Tensor, Tensor] | None:
        """Factor and summand that do all of it at once."""
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
        metrics: names of the reported metrics; None: the defaults of the target type.

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
        metrics: Sequence[str] | None = None,
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
        targets = Classification(names)
        if len(splits.get("train", ())) and "trivial" not in fitted:
            fitted = {**fitted, "trivial": targets.constant([splits["train"].labels])}
        spec = Spec((Real(tuple(first.images.shape[1:])),), Classes(len(names)))
        super().__init__(found, spec, targets, batch=batch, order=order, fitted=fitted, metrics=metrics)


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
