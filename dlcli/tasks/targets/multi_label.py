"""Multi-label classification: any number of classes per sample."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from dlcli.core.metric import Metric, PerSplit
from dlcli.core.task import Score
from dlcli.tasks.targets.adapter import of_output


def _labeled(target: Float[Tensor, "batch unit"]) -> Bool[Tensor, " batch"]:
    """Rows with a complete target."""
    return ~target.isnan().any(1)


def nll(output: Float[Tensor, "batch unit"], target: Float[Tensor, "batch unit"]) -> Score:
    """Binary cross-entropy in nats, mean over the classes."""
    labeled = _labeled(target)
    nats = F.binary_cross_entropy_with_logits(output, target.nan_to_num(), reduction="none").mean(1)
    return Score(nats * labeled, labeled.to(nats.dtype))


def accuracy(output: Float[Tensor, "batch unit"], target: Float[Tensor, "batch unit"]) -> Score:
    """Share of samples whose k highest scores are exactly their k labels; ties with other classes are errors."""
    there, infinity = target > 0.5, float("inf")
    lowest, highest = output.masked_fill(~there, infinity).amin(1), output.masked_fill(there, -infinity).amax(1)
    labeled = _labeled(target)
    return Score(((lowest > highest) & labeled).to(output.dtype), labeled.to(output.dtype))


def subset_accuracy(output: Float[Tensor, "batch unit"], target: Float[Tensor, "batch unit"]) -> Score:
    """Share of samples whose classes above probability 1/2 are exactly their labels (subset accuracy)."""
    labeled = _labeled(target)
    exact = ((output > 0) == (target > 0.5)).all(1) & labeled
    return Score(exact.to(output.dtype), labeled.to(output.dtype))


def _f1(average: str) -> Callable[[Tensor, Tensor], float]:
    def compute(outputs: Tensor, targets: Tensor) -> float:
        from sklearn.metrics import f1_score

        true, predicted = (targets > 0.5).cpu().numpy(), (outputs > 0).cpu().numpy()
        return float(f1_score(true, predicted, average=average, zero_division=0))

    return compute


def auc(outputs: Float[Tensor, "sample unit"], targets: Float[Tensor, "sample unit"]) -> float:
    """Area under the ROC curve, mean over the labels that some samples have and some lack."""
    from sklearn.metrics import roc_auc_score

    true, scores = (targets > 0.5).cpu(), outputs.double().cpu()
    if not bool(scores.isfinite().all()):
        return math.nan
    values = [
        float(roc_auc_score(true[:, label].numpy(), scores[:, label].numpy()))
        for label in range(true.shape[1])
        if 0 < int(true[:, label].sum()) < len(true)
    ]
    return sum(values) / len(values) if values else math.nan


_METRICS = (
    Metric("nll", "min", "nats", of_output(nll)),
    Metric("accuracy", "max", "", of_output(accuracy)),
    Metric("confident", "max", "", of_output(subset_accuracy)),
    Metric("f1_macro", "max", "", PerSplit(_f1("macro"))),
    Metric("f1_micro", "max", "", PerSplit(_f1("micro"))),
    Metric("auc", "max", "", PerSplit(auc)),
)


class MultiLabel:
    """Any number of `names` per sample: binary cross-entropy in nats, mean over the classes.

    `accuracy` requires the order of the scores only, with the number of labels given; `confident` requires the number
    as well. Rows whose target has a NaN are unlabeled. The baseline predicts the label frequencies of the training
    split.

    Args:
        names: class names in the order of the class numbers.
    """

    main = "accuracy"
    available: Sequence[Metric] = _METRICS
    default: Sequence[str] = ("nll", "accuracy", "confident")
    baseline_name = "label frequencies"

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)

    def loss(
        self, output: Float[Tensor, "batch unit"], target: Float[Tensor, "batch unit"]
    ) -> tuple[Tensor, float | Tensor]:
        labeled = _labeled(target)
        nats = F.binary_cross_entropy_with_logits(output, target.nan_to_num(), reduction="none").mean(1)
        return (nats * labeled).sum() / labeled.sum().clamp(min=1), labeled.sum()

    def collected(
        self, output: Float[Tensor, "batch unit"], target: Float[Tensor, "batch unit"]
    ) -> tuple[Float[Tensor, "sample unit"], Float[Tensor, "sample unit"]]:
        labeled = _labeled(target)
        return output[labeled], target[labeled]

    def constant(self, targets: Iterable[Tensor]) -> list[float]:
        return logit_of_mean(targets)

    def predicted(self, output: Tensor) -> dict[str, np.ndarray]:
        """The labels with a probability above 0.5, and the probability of each label."""
        probability = output.float().sigmoid().T.double().cpu().numpy().round(6)
        columns = zip(self.names, probability, strict=True)
        labels = np.array(self._named(output > 0), dtype=object)
        return {"prediction": labels} | {f"probability_{name}": values for name, values in columns}

    def columns(self, output: Tensor, target: Tensor) -> dict[str, list[Any]]:
        return {
            "prediction": self._named(output > 0),
            "target": self._named(target > 0.5),
        } | {
            f"probability_{name}": column.tolist() for name, column in zip(self.names, output.sigmoid().T, strict=True)
        }

    def _named(self, there: Tensor) -> list[str]:
        """The names of the labels of each row."""
        return [
            " ".join(name for name, is_there in zip(self.names, row, strict=True) if is_there) for row in there.tolist()
        ]


def logit_of_mean(targets: Iterable[Tensor]) -> list[float]:
    """Logit of the share of ones per unit, over known targets; shares of 0 and 1 are moved by half a sample."""
    total = count = torch.zeros((), dtype=torch.float64)
    for target in targets:
        rows = target.double().cpu().movedim(1, -1).flatten(0, -2)
        total, count = total + rows.nansum(0), count + (~rows.isnan()).sum(0)
    count = count.clamp(min=1)
    half = 0.5 / count
    share = torch.minimum(torch.maximum(total / count, half), 1 - half)
    return torch.logit(share).tolist()
