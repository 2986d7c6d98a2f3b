"""Dynamic routing between capsules: routing by agreement."""

from abc import ABC, abstractmethod
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.nn.capsule.prediction_vectors import PredictionVectors


def squash(s: Float[Tensor, "*batch pose"], half: float) -> Float[Tensor, "*batch pose"]:
    """Squashing nonlinearity: same direction, length |s|²/(half + |s|²) in [0, 1); |s| = sqrt(half) maps to 1/2.

    The gradient at 0 is 0 without an epsilon.
    """
    norm = torch.linalg.vector_norm(s, dim=-1, keepdim=True)
    return s * (norm / (half + norm.square()))


class Routing(ABC):
    """Routing by agreement: alternate coupling coefficients and outputs; the logits start at 0 for every example.

    Paper: Sabour, Frosst & Hinton 2017, arXiv:1710.09829, procedure 1.

    Args:
        iterations: number of times the outputs are computed, at least 1; 1 is the uniform mean.
        gradient: through "all" iterations, as in the authors' code, or through the "last" only, with constant
            couplings.
        coupling: "softmax" over the outputs; "leaky", a softmax with one additional output for inputs that belong to no
            capsule; or "inputs", the softmax over the inputs of several public implementations, which is a known error.

    Raises:
        UsageError: `iterations` is smaller than 1.
    """

    half: float

    def __init__(
        self, *, iterations: int, gradient: Literal["all", "last"], coupling: Literal["softmax", "leaky", "inputs"]
    ) -> None:
        if iterations < 1:
            raise UsageError("invalid_value", key="routing.iterations", must="at least 1", got=iterations)
        self.iterations, self.gradient, self.coupling = iterations, gradient, coupling

    def __call__(
        self, predictions: PredictionVectors, bias: Float[Tensor, "output pose"] | float = 0.0
    ) -> Float[Tensor, "batch output pose"]:
        return self._outputs(predictions, self._logits(predictions, bias), bias)

    def couplings(
        self, predictions: PredictionVectors, bias: Float[Tensor, "output pose"] | float = 0.0
    ) -> Float[Tensor, "output batch input"] | None:
        """Final coupling coefficients; None after a single iteration, when all are equal."""
        logits = self._logits(predictions, bias)
        return None if logits is None else self.couple(logits)

    def _logits(self, predictions: PredictionVectors, bias: Tensor | float) -> Tensor | None:
        logits: Tensor | None = None
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.gradient == "all"):
            for _ in range(self.iterations - 1):
                logits = self.update(logits, predictions.agree(self._outputs(predictions, logits, bias)))
        return logits

    def couple(self, logits: Float[Tensor, "output batch input"]) -> Float[Tensor, "output batch input"]:
        """Coupling coefficients of the given logits."""
        if self.coupling != "leaky":
            return logits.softmax(2 if self.coupling == "inputs" else 0)
        return F.pad(logits, (0, 0, 0, 0, 0, 1)).softmax(0)[:-1]

    @abstractmethod
    def update(self, logits: Tensor | None, agreement: Tensor) -> Tensor:
        """Next logits from the previous ones (None in the first iteration) and the agreement."""

    def _outputs(self, predictions: PredictionVectors, logits: Tensor | None, bias: Tensor | float) -> Tensor:
        if logits is None:  # uniform couplings
            s = predictions.total() / (
                predictions.inputs if self.coupling == "inputs" else predictions.outputs + (self.coupling == "leaky")
            )
        else:
            s = predictions.combine(self.couple(logits))
        return squash(s + bias, self.half)


class DynamicRouting(Routing):
    """Routing of Sabour, Frosst & Hinton 2017: the agreement is added to the logits."""

    half = 1.0

    def update(self, logits: Tensor | None, agreement: Tensor) -> Tensor:
        return agreement if logits is None else logits + agreement


class SuRouting(Routing):
    """Routing of Su Jianlin's Keras code: the agreement replaces the logits; squashing with half = 0.5."""

    half = 0.5

    def update(self, logits: Tensor | None, agreement: Tensor) -> Tensor:
        return agreement
