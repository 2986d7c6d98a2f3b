"""Dynamic routing: input capsules send what they say to the output capsules that agree with it."""

from abc import ABC, abstractmethod
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.nn.capsule.prediction_vectors import PredictionVectors


def squash(s: Float[Tensor, "*batch pose"], half: float) -> Float[Tensor, "*batch pose"]:
    """The same direction with length |s|²/(half + |s|²), in [0, 1); the square root of `half` becomes 1/2.

    The gradient at 0 is 0, and needs no small number to be one.
    """
    norm = torch.linalg.vector_norm(s, dim=-1, keepdim=True)
    return s * (norm / (half + norm.square()))


class Routing(ABC):
    """Iterations between couplings and outputs; the logits begin at 0 for every example and are no parameters.

    Paper: Sabour, Frosst & Hinton 2017, arXiv:1710.09829, procedure 1.

    Args:
        iterations: how often outputs are computed; 1 is the plain mean.
        gradient: through "all" iterations, as in the authors' code, or through the "last" alone, whose couplings are
            then constants.
        coupling: "softmax" over the outputs, or "leaky": with one more place, for inputs that belong to none; "inputs"
            is the softmax over the wrong axis, which several public implementations had: outputs share no input.

    Raises:
        UsageError: there is no iteration.
    """

    half: float

    def __init__(
        self, *, iterations: int, gradient: Literal["all", "last"], coupling: Literal["softmax", "leaky", "inputs"]
    ) -> None:
        if iterations < 1:
            raise UsageError(f"routing needs at least 1 iteration, not {iterations}")
        self.iterations, self.gradient, self.coupling = iterations, gradient, coupling

    def __call__(
        self, votes: PredictionVectors, bias: Float[Tensor, "output pose"] | float = 0.0
    ) -> Float[Tensor, "batch output pose"]:
        return self._outputs(votes, self._logits(votes, bias), bias)

    def couplings(
        self, votes: PredictionVectors, bias: Float[Tensor, "output pose"] | float = 0.0
    ) -> Float[Tensor, "output batch input"] | None:
        """How much of each input goes to each output in the end; None where one iteration leaves all equal."""
        logits = self._logits(votes, bias)
        return None if logits is None else self.couple(logits)

    def _logits(self, votes: PredictionVectors, bias: Tensor | float) -> Tensor | None:
        logits: Tensor | None = None
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.gradient == "all"):
            for _ in range(self.iterations - 1):
                logits = self.update(logits, votes.agree(self._outputs(votes, logits, bias)))
        return logits

    def couple(self, logits: Float[Tensor, "output batch input"]) -> Float[Tensor, "output batch input"]:
        """How much of each input goes to each output."""
        if self.coupling != "leaky":
            return logits.softmax(2 if self.coupling == "inputs" else 0)
        return F.pad(logits, (0, 0, 0, 0, 0, 1)).softmax(0)[:-1]

    @abstractmethod
    def update(self, logits: Tensor | None, agreement: Tensor) -> Tensor:
        """The next logits, from the last (None: there are none yet) and how votes and outputs agree."""

    def _outputs(self, votes: PredictionVectors, logits: Tensor | None, bias: Tensor | float) -> Tensor:
        if logits is None:  # all couplings are equal
            s = votes.total() / (
                votes.inputs if self.coupling == "inputs" else votes.outputs + (self.coupling == "leaky")
            )
        else:
            s = votes.combine(self.couple(logits))
        return squash(s + bias, self.half)


class DynamicRouting(Routing):
    """Agreement is added to the logits."""

    half = 1.0

    def update(self, logits: Tensor | None, agreement: Tensor) -> Tensor:
        return agreement if logits is None else logits + agreement


class SuRouting(Routing):
    """Agreement takes the place of the logits, and shorter outputs are long enough (Su Jianlin's Keras code)."""

    half = 0.5

    def update(self, logits: Tensor | None, agreement: Tensor) -> Tensor:
        return agreement
