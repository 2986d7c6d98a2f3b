"""Standardization by channel, fitted to training data."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

_ROUNDING = 8 * np.finfo(np.float64).eps  # range of a constant channel, relative to its largest value


@dataclass(frozen=True)
class Scaling:
    """(value - mean) / std, by channel.

    Args:
        mean: by channel, in the units of the data.
        std: by channel, in the units of the data, above 0.
    """

    mean: Sequence[float]
    std: Sequence[float]

    @classmethod
    def fit(cls, values: Shaped[np.ndarray, "sample channel *position"], names: Sequence[str]) -> "Scaling":
        """Mean and standard deviation of the values that are not NaN. A constant channel gets std 1 and is logged.

        A channel is constant if its range is within the rounding error of float64.
        """
        mean, std, constant = [], [], []
        for channel in range(values.shape[1]):
            part = values[:, channel].astype(np.float64)
            part = part[~np.isnan(part)]
            low, high = (float(part.min()), float(part.max())) if part.size else (0.0, 0.0)
            center = low + float((part - low).mean()) if part.size else 0.0  # exact for large offsets
            flat = high - low <= _ROUNDING * max(abs(low), abs(high))
            mean.append(center)
            std.append(1.0 if flat else float((part - low).std()))
            if flat:
                constant.append(names[channel])
        if constant:
            logging.getLogger("dlcli").warning("constant in the training rows, not scaled: %s", ", ".join(constant))
        return cls(mean, std)

    @classmethod
    def identity(cls, channels: int) -> "Scaling":
        """Scaling that changes nothing."""
        return cls([0.0] * channels, [1.0] * channels)

    def apply(
        self, values: Shaped[np.ndarray, "sample channel *position"]
    ) -> Float[np.ndarray, "sample channel *position"]:
        """Scaled values in float32, computed in float64 so that a large mean costs no digits."""
        axes = (1, -1, *[1] * (values.ndim - 2))
        mean, std = np.reshape(self.mean, axes), np.reshape(self.std, axes)
        return ((values - mean) / std).astype(np.float32)
