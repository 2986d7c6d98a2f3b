"""Models that are fitted to a whole training split at once."""

from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class Fits(Protocol):
    """A model that is fitted without gradients. Its buffers hold the fitted tensors, and count as parameters."""

    def fit(self, inputs: tuple[Tensor, ...], target: Tensor, seed: int) -> None:
        """Fit the model to all samples of a split.

        Args:
            inputs: one tensor [sample, ...] per input of the task.
            target: [sample, ...].
            seed: all draws are a function of the data and the seed.
        """
