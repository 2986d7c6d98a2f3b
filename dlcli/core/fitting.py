"""Protocol of models that are fitted to a complete training split without gradients."""

from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class Fittable(Protocol):
    """Model with a closed-form or third-party fit; its buffers hold the fitted tensors and count as parameters."""

    def fit(self, inputs: tuple[Tensor, ...], target: Tensor, seed: int) -> None:
        """Fit the model to all samples of a split.

        Args:
            inputs: one tensor [sample, ...] per input of the task.
            target: [sample, ...].
            seed: all draws are a function of the data and the seed.
        """
