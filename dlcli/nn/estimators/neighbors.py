"""k nearest neighbors of scikit-learn."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dlcli.nn.estimators.rule import LOWEST, Rule


class NearestNeighbors(Rule):
    """The answer of the k nearest training samples by Euclidean distance: class shares, or the mean of their values.

    The fitted tensors are the training samples and their answers [sample, unit], so that they count as parameters.

    Args:
        k: number of neighbors.
        by_distance: weights 1 / distance in place of equal ones; a sample at distance 0 has all the weight.
        classifier: whether the output are log probabilities.
    """

    names = ("samples", "answers", "classes")
    samples: Tensor
    answers: Tensor
    classes: Tensor

    def __init__(self, k: int, *, by_distance: bool, classifier: bool) -> None:
        super().__init__()
        self._k, self._by_distance, self._classifier = k, by_distance, classifier

    def extract(self, estimator: Any, x: Tensor, target: Tensor) -> Mapping[str, Tensor]:
        if not self._classifier:
            return {"samples": x, "answers": target.double(), "classes": torch.zeros(1, dtype=torch.int64)}
        classes = torch.as_tensor(estimator.classes_, dtype=torch.int64)
        answers = F.one_hot(torch.searchsorted(classes, target), len(classes)).double()
        return {"samples": x, "answers": answers, "classes": classes}

    def forward(self, x: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch unit"]:
        distances = torch.cdist(x, self.samples, compute_mode="donot_use_mm_for_euclid_dist")
        near, index = distances.topk(self._k, largest=False)
        mean = (self._weights(near)[:, :, None] * self.answers[index]).sum(1)
        return mean.log().clamp(min=LOWEST) if self._classifier else mean

    def _weights(self, distances: Float[Tensor, "batch neighbor"]) -> Float[Tensor, "batch neighbor"]:
        """Weights of the neighbors, which add up to 1."""
        if not self._by_distance:
            return torch.full_like(distances, 1 / self._k)
        exact = distances == 0
        weights = torch.where(exact.any(1, keepdim=True), exact.double(), 1 / distances)
        return weights / weights.sum(1, keepdim=True)
