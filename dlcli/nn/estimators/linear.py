"""Linear estimators of scikit-learn."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from dlcli.nn.estimators.rule import Rule, pairs


class LinearRegressor(Rule):
    """x W' + b: ridge, lasso, elastic net and ordinary least squares (`coef_`, `intercept_`)."""

    names = ("coef", "intercept")
    coef: Tensor
    intercept: Tensor

    def extract(self, estimator: Any, x: Tensor, target: Tensor) -> Mapping[str, Tensor]:
        coef = torch.as_tensor(estimator.coef_, dtype=torch.float64).reshape(-1, x.shape[1])
        intercept = torch.as_tensor(estimator.intercept_, dtype=torch.float64).reshape(-1).expand(len(coef))
        return {"coef": coef.clone(), "intercept": intercept.clone()}

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.coef.T + self.intercept


class LinearClassifier(Rule):
    """log softmax(x W' + b): multinomial logistic regression (`coef_`, `intercept_`, `classes_`).

    The decision values of estimators without probabilities (ridge classifier, linear support vector machine) are
    logits here, so that their order is right and their negative log-likelihood is uncalibrated.
    """

    names = ("coef", "intercept", "classes")
    coef: Tensor
    intercept: Tensor
    classes: Tensor

    def extract(self, estimator: Any, x: Tensor, target: Tensor) -> Mapping[str, Tensor]:
        coef = torch.as_tensor(estimator.coef_, dtype=torch.float64).reshape(-1, x.shape[1])
        intercept = torch.as_tensor(estimator.intercept_, dtype=torch.float64).reshape(-1).expand(len(coef))
        classes = torch.as_tensor(estimator.classes_, dtype=torch.int64)
        return {"coef": coef.clone(), "intercept": intercept.clone(), "classes": classes}

    def forward(self, x: Tensor) -> Tensor:
        return pairs(x @ self.coef.T + self.intercept).log_softmax(1)
