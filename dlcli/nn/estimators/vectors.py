"""Support vector machines of scikit-learn with a linear or Gaussian kernel."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dlcli.nn.estimators.rule import Rule

Kernel = Literal["linear", "rbf"]
KERNELS = ("linear", "rbf")


class _Vectors(Rule):
    """K(x, support vectors) coef' + intercept: K = x v' (linear) or exp(-gamma |x - v|^2) (rbf).

    Args:
        kernel: "linear" or "rbf".
    """

    names = ("vectors", "coef", "intercept", "gamma", "classes")
    vectors: Tensor
    coef: Tensor
    intercept: Tensor
    gamma: Tensor
    classes: Tensor

    def __init__(self, kernel: Kernel) -> None:
        super().__init__()
        self._kernel = kernel

    def extract(self, estimator: Any, x: Tensor, target: Tensor) -> Mapping[str, Tensor]:
        arrays = {
            "vectors": estimator.support_vectors_,
            "coef": self._coef(estimator),
            "intercept": np.reshape(estimator.intercept_, -1),
            "gamma": np.array([estimator._gamma]),
        }
        found = {name: torch.tensor(array, dtype=torch.float64) for name, array in arrays.items()}
        return found | {"classes": torch.as_tensor(getattr(estimator, "classes_", [0]), dtype=torch.int64).clone()}

    def _coef(self, estimator: Any) -> np.ndarray:
        """Dual coefficients [output, support vector]."""
        return np.asarray(estimator.dual_coef_)

    def decide(self, x: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch output"]:
        if self._kernel == "linear":
            kernel = x @ self.vectors.T
        else:
            distances = torch.cdist(x, self.vectors, compute_mode="donot_use_mm_for_euclid_dist")
            kernel = (-self.gamma * distances.square()).exp()
        return kernel @ self.coef.T + self.intercept


class VectorRegressor(_Vectors):
    """Support vector regression (SVR, NuSVR)."""

    def forward(self, x: Tensor) -> Tensor:
        return self.decide(x)


class VectorClassifier(_Vectors):
    """Support vector classification (SVC, NuSVC): one decision per pair of classes, and the class with most votes.

    The output are log softmax of the votes plus bounded confidences (`decision_function_shape="ovr"` of
    scikit-learn). A tie of votes goes to the first class, as in libsvm. The probabilities are uncalibrated.
    """

    def _coef(self, estimator: Any) -> np.ndarray:
        """Coefficients [pair, support vector]: libsvm stores the vectors class by class, one row per other class."""
        dual = np.asarray(estimator.dual_coef_)
        counts = np.asarray(estimator.n_support_)
        if len(counts) == 2:
            return dual
        owner = np.repeat(np.arange(len(counts)), counts)
        rows = []
        for first in range(len(counts)):
            for second in range(first + 1, len(counts)):
                rows.append(np.where(owner == first, dual[second - 1], np.where(owner == second, dual[first], 0.0)))
        return np.stack(rows)

    def forward(self, x: Tensor) -> Tensor:
        decisions = self.decide(x)
        if len(self.classes) == 2:
            return torch.cat((torch.zeros_like(decisions), decisions), 1).log_softmax(1)
        first, second = torch.triu_indices(len(self.classes), len(self.classes), 1, device=x.device)
        wins = (decisions > 0).double()
        to_first, to_second = (F.one_hot(part, len(self.classes)).double() for part in (first, second))
        votes = wins @ to_first + (1 - wins) @ to_second
        confidence = decisions @ to_first - decisions @ to_second
        scores = votes + confidence / (3 * (confidence.abs() + 1))
        order = torch.arange(len(self.classes), device=x.device) / (2 * len(self.classes))
        winner = (votes - order).argmax(1, keepdim=True)
        return scores.scatter(1, winner, scores.amax(1, keepdim=True) + 1e-6).log_softmax(1)
