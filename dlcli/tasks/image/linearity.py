"""Linearity of a classifier between pairs of samples."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.metric import Metric, PerSample
from dlcli.core.task import Batch, Score


def linearity_gap(model: nn.Module, batch: Batch, output: Float[Tensor, "batch class"]) -> Score:
    """|f((a + b) / 2) - (f(a) + f(b)) / 2| summed over classes, f the probabilities: 0 to 2, and 0 for a linear f.

    a and b are consecutive samples of the batch; the last is paired with the first. Requires one more forward pass.

    Args:
        model: the classifier.
        batch: the samples.
        output: logits of the model for the batch.
    """
    halves = (torch.lerp(part, part.roll(-1, 0), 0.5) for part in batch.inputs)
    probability = output.softmax(1)
    between = torch.lerp(probability, probability.roll(-1, 0), 0.5)
    gap = (model(*halves).softmax(1) - between).abs().sum(1)
    return Score(gap, torch.ones_like(gap))


LINEARITY_GAP = Metric("linearity_gap", "min", "", PerSample(linearity_gap))
