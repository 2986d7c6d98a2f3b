"""How likely a model finds the keys that are struck: the yardstick of polyphonic music."""

from collections.abc import Mapping
from typing import Any

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from dlcli.core.task import Goal, Score


class PianoRoll:
    """Negative log-likelihood of a frame in nats: binary cross-entropy of logits, summed over the keys.

    `nll` is the sum over all frames of all pieces divided by the number of frames: a long piece counts more.
    It is what the authors of the TCN report. `nll_by_piece` is the mean of the pieces' own means: every piece
    counts alike, as where other papers average a score a sequence. Frames whose target is NaN are padding and
    count nowhere.
    """

    goal = Goal("nll", "min")

    def loss(
        self, output: Float[Tensor, "batch unit time"], target: Float[Tensor, "batch unit time"]
    ) -> tuple[Tensor, float | Tensor]:
        nats, counted = self._frames(output, target)
        return nats.sum() / counted.sum(), counted.sum()

    def scores(
        self, output: Float[Tensor, "batch unit time"], target: Float[Tensor, "batch unit time"]
    ) -> dict[str, Score]:
        nats, counted = self._frames(output, target)
        total, frames = nats.sum(1), counted.sum(1).to(nats.dtype)
        return {"nll": Score(total, frames), "nll_by_piece": Score(total / frames, frames.clamp(max=1))}

    def summary(self, means: Mapping[str, float]) -> dict[str, float]:
        return {}

    def columns(self, output: Tensor, target: Tensor) -> dict[str, list[Any]]:
        score = self.scores(output, target)["nll"]
        return {"frames": score.weight.int().tolist(), "nll": (score.total / score.weight).tolist()}

    def _frames(
        self, output: Float[Tensor, "batch unit time"], target: Float[Tensor, "batch unit time"]
    ) -> tuple[Float[Tensor, "batch time"], Bool[Tensor, "batch time"]]:
        counted = ~target[:, 0].isnan()
        keys = F.binary_cross_entropy_with_logits(output, target.nan_to_num(), reduction="none")
        return keys.sum(1) * counted, counted
