"""Piano rolls: negative log-likelihood of frames of polyphonic music."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from dlcli.core.metric import Metric
from dlcli.core.task import Score
from dlcli.tasks.targets.adapter import of_output
from dlcli.tasks.targets.multi_label import logit_of_mean


def _frames(
    output: Float[Tensor, "batch unit time"], target: Float[Tensor, "batch unit time"]
) -> tuple[Float[Tensor, "batch time"], Bool[Tensor, "batch time"]]:
    """Nats per frame, 0 in padding, and the frames that are no padding."""
    counted = ~target[:, 0].isnan()
    keys = F.binary_cross_entropy_with_logits(output, target.nan_to_num(), reduction="none")
    return keys.sum(1) * counted, counted


def nll(output: Float[Tensor, "batch unit time"], target: Float[Tensor, "batch unit time"]) -> Score:
    """Mean over all frames: a long piece counts more."""
    nats, counted = _frames(output, target)
    return Score(nats.sum(1), counted.sum(1).to(nats.dtype))


def nll_per_piece(output: Float[Tensor, "batch unit time"], target: Float[Tensor, "batch unit time"]) -> Score:
    """Mean of the means of the pieces: every piece counts once."""
    frames = nll(output, target)
    return Score(frames.total / frames.weight.clamp(min=1), frames.weight.clamp(max=1))


class PianoRoll:
    """Negative log-likelihood of a frame in nats: binary cross-entropy of logits, summed over the keys.

    `nll` is the sum over all frames of all pieces divided by the number of frames, as the authors of the TCN report
    it. `nll_per_piece` is the mean of the means of the pieces, as papers report that average per sequence. Frames
    whose target is NaN are padding. The baseline predicts the frequency of each key in the training split.
    """

    main = "nll"
    default: Sequence[str] = ("nll", "nll_per_piece")
    available: Sequence[Metric] = (
        Metric("nll", "min", "nats", of_output(nll)),
        Metric("nll_per_piece", "min", "nats", of_output(nll_per_piece)),
    )
    baseline_name = "key frequencies"

    def loss(
        self, output: Float[Tensor, "batch unit time"], target: Float[Tensor, "batch unit time"]
    ) -> tuple[Tensor, float | Tensor]:
        nats, counted = _frames(output, target)
        return nats.sum() / counted.sum().clamp(min=1), counted.sum()

    def collected(self, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        counted = ~target[:, 0].isnan()
        return output.movedim(1, -1)[counted], target.movedim(1, -1)[counted]

    def constant(self, targets: Iterable[Tensor]) -> list[float]:
        return logit_of_mean(targets)

    def columns(self, output: Tensor, target: Tensor) -> dict[str, list[Any]]:
        score = nll(output, target)
        return {"frames": score.weight.int().tolist(), "nll": (score.total / score.weight).tolist()}
