"""The prediction rule of one kind of scikit-learn estimator."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

LOWEST = math.log(torch.finfo(torch.float32).eps)
"""Log probability that replaces log 0, as in sklearn.metrics.log_loss on float32."""


class Rule(nn.Module, ABC):
    """Fitted tensors as buffers, and the prediction that follows from them.

    The shapes of the buffers are known after the fit only; before it they are empty, and loading a state takes those
    of the state. All computations are in float64, as in scikit-learn.
    """

    names: ClassVar[tuple[str, ...]]
    """Buffers that `extract` returns."""

    def __init__(self) -> None:
        super().__init__()
        for name in self.names:
            self.register_buffer(name, torch.zeros(0, dtype=torch.float64))

    @abstractmethod
    def extract(self, estimator: Any, x: Tensor, target: Tensor) -> Mapping[str, Tensor]:
        """The tensors of a fitted estimator by name.

        Args:
            estimator: fitted.
            x: float64 [sample, feature], the training data.
            target: class numbers [sample], or float64 [sample, value]; NaN-free.
        """

    @abstractmethod
    def forward(self, x: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch unit"]:
        """Log probabilities of `classes` for a classifier, values for a regressor; x is float64."""

    @property
    def fitted(self) -> bool:
        """Whether there are fitted tensors."""
        return all(value.numel() for value in self.buffers())

    def take(self, tensors: Mapping[str, Tensor]) -> None:
        """Replace the buffers by fitted tensors."""
        for name in self.names:
            setattr(self, name, tensors[name].to(getattr(self, name).device))

    def _apply(self, fn: Any, recurse: bool = True) -> "Rule":
        """Move the buffers, but never change their data types: precision is that of scikit-learn."""
        types = {name: getattr(self, name).dtype for name in self.names}
        super()._apply(fn, recurse)
        for name, dtype in types.items():
            setattr(self, name, getattr(self, name).to(dtype))
        return self

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *rest: Any) -> None:
        for name in self.names:
            if (value := state_dict.get(prefix + name)) is not None:
                setattr(self, name, torch.empty_like(value, device=getattr(self, name).device))
        super()._load_from_state_dict(state_dict, prefix, *rest)


def pairs(scores: Tensor) -> Tensor:
    """Scores [batch, class], of which a single column is that of the second of two classes."""
    return scores if scores.shape[1] > 1 else torch.cat((torch.zeros_like(scores), scores), 1)
