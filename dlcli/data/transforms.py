"""Standardisation by channel, learned from training data."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

_FLAT = 1e-12  # a spread this far below the mean is rounding, not variation


@dataclass(frozen=True)
class Scaling:
    """(value - mean) / std, by channel.

    Args:
        mean: by channel, in the data's units.
        std: by channel, in the data's units, above 0.
    """

    mean: Sequence[float]
    std: Sequence[float]

    @classmethod
    def fit(cls, values: Shaped[np.ndarray, "sample channel *position"], names: Sequence[str]) -> "Scaling":
        """Mean and standard deviation of what is not NaN; a constant channel keeps std 1, which is said."""
        mean, std = [], []
        for channel in range(values.shape[1]):
            part = values[:, channel].astype(np.float64)
            part = part[~np.isnan(part)]
            mean.append(float(part.mean()) if part.size else 0.0)
            std.append(float(part.std()) if part.size else 0.0)
        flat = [spread <= _FLAT * abs(middle) for middle, spread in zip(mean, std, strict=True)]
        if any(flat):
            constant = ", ".join(name for name, constant in zip(names, flat, strict=True) if constant)
            logging.getLogger("dlcli").info("constant in train, kept unscaled: %s", constant)
        return cls(mean, [1.0 if constant else spread for spread, constant in zip(std, flat, strict=True)])

    @classmethod
    def identity(cls, channels: int) -> "Scaling":
        """Leaves values as they are."""
        return cls([0.0] * channels, [1.0] * channels)

    def apply(
        self, values: Shaped[np.ndarray, "sample channel *position"]
    ) -> Float[np.ndarray, "sample channel *position"]:
        """Scaled values, float32; computed in double precision, so that a large mean costs no digits."""
        axes = (1, -1, *[1] * (values.ndim - 2))
        mean, std = np.reshape(self.mean, axes), np.reshape(self.std, axes)
        return ((values - mean) / std).astype(np.float32)
