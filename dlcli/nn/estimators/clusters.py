"""k-means of scikit-learn."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from dlcli.nn.estimators.rule import Rule


class NearestCenter(Rule):
    """The answer of the nearest cluster center (`cluster_centers_`): vector quantization of the inputs.

    The fit does not read the target. Afterwards each cluster gets an answer in the form of the target: the log
    frequencies of the classes of its training samples, with Laplace smoothing; the mean of their values; or the
    center itself if there is no target.

    Args:
        classes: number of classes, 0 for values and for no target.
    """

    names = ("centers", "answers")
    centers: Tensor
    answers: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        self._classes = classes

    def extract(self, estimator: Any, x: Tensor, target: Tensor) -> Mapping[str, Tensor]:
        centers = torch.as_tensor(estimator.cluster_centers_, dtype=torch.float64)
        if not target.numel():
            return {"centers": centers, "answers": centers.clone()}
        members = F.one_hot(_nearest(x, centers), len(centers)).double()  # [sample, cluster]
        if self._classes:
            counts = members.T @ F.one_hot(target, self._classes).double()
            return {"centers": centers, "answers": ((counts + 1) / (counts + 1).sum(1, keepdim=True)).log()}
        means = (members.T @ target) / members.sum(0).clamp(min=1)[:, None]
        return {"centers": centers, "answers": means}

    def assign(self, x: Float[Tensor, "batch feature"]) -> Int[Tensor, " batch"]:
        """The number of the nearest center of each row."""
        return _nearest(x, self.centers)

    def distances(self, x: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch cluster"]:
        """Euclidean distances to the centers."""
        return torch.cdist(x, self.centers, compute_mode="donot_use_mm_for_euclid_dist")

    def forward(self, x: Tensor) -> Tensor:
        return self.answers[self.assign(x)]


def _nearest(x: Tensor, centers: Tensor) -> Tensor:
    return torch.cdist(x, centers, compute_mode="donot_use_mm_for_euclid_dist").argmin(1)
