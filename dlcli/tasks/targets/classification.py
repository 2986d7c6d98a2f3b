"""Classification: cross-entropy, accuracy, and metrics of the joint distribution by scikit-learn."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from dlcli.core.metric import Metric, PerSplit
from dlcli.core.spec import IGNORED
from dlcli.core.task import Score
from dlcli.tasks.targets.adapter import of_output

_BINS = 15  # of the expected calibration error
_TOP5 = 6  # the smallest number of classes with a top-5 accuracy


def _by_row(value: Tensor, target: Tensor, dtype: torch.dtype) -> Score:
    """Values of units as sums per sample, and the number of labeled units per sample."""
    labeled = (target != IGNORED).reshape(len(target), -1)
    return Score(value.to(dtype).reshape(labeled.shape).sum(1), labeled.sum(1).to(dtype))


def nll(output: Float[Tensor, "batch unit *time"], target: Int[Tensor, "batch *time"]) -> Score:
    """Cross-entropy in nats."""
    return _by_row(F.cross_entropy(output, target, ignore_index=IGNORED, reduction="none"), target, output.dtype)


def accuracy(output: Float[Tensor, "batch unit *time"], target: Int[Tensor, "batch *time"]) -> Score:
    """Share of units whose class has the highest score."""
    return _by_row(output.argmax(1) == target, target, output.dtype)


def top5(output: Float[Tensor, "batch unit *time"], target: Int[Tensor, "batch *time"]) -> Score:
    """Share of units whose class is among the five highest scores."""
    return _by_row((output.topk(5, 1).indices == target.unsqueeze(1)).any(1), target, output.dtype)


def f1_macro(outputs: Float[Tensor, "sample unit"], targets: Int[Tensor, " sample"]) -> float:
    """Unweighted mean of the F1 of the classes (`sklearn.metrics.f1_score`)."""
    from sklearn.metrics import f1_score

    predicted = outputs.argmax(1).cpu().numpy()
    return float(f1_score(targets.cpu().numpy(), predicted, average="macro", zero_division=0))


def balanced_accuracy(outputs: Float[Tensor, "sample unit"], targets: Int[Tensor, " sample"]) -> float:
    """Mean recall of the classes (`sklearn.metrics.recall_score`, classes without samples left out)."""
    from sklearn.metrics import recall_score

    true, predicted = targets.cpu().numpy(), outputs.argmax(1).cpu().numpy()
    labels = targets.unique().cpu().numpy()
    return float(recall_score(true, predicted, labels=labels, average="macro", zero_division=0))


def auc(outputs: Float[Tensor, "sample unit"], targets: Int[Tensor, " sample"]) -> float:
    """Area under the ROC curve (`sklearn.metrics.roc_auc_score`).

    Two classes: of the probability of the second. More: one-vs-rest, the unweighted mean over the classes that occur.
    NaN if only one class occurs.
    """
    from sklearn.metrics import roc_auc_score

    probability, true = outputs.double().softmax(1).cpu(), targets.cpu()
    if not bool(probability.isfinite().all()):
        return math.nan
    classes = [1] if probability.shape[1] == 2 else range(probability.shape[1])
    values = [
        float(roc_auc_score((true == number).numpy(), probability[:, number].numpy()))
        for number in classes
        if 0 < int((true == number).sum()) < len(true)
    ]
    return sum(values) / len(values) if values else math.nan


def ece(outputs: Float[Tensor, "sample unit"], targets: Int[Tensor, " sample"]) -> float:
    """Expected calibration error: |accuracy - confidence| over 15 equal-width bins of the confidence (lower, upper].

    Paper: Guo et al. 2017, arXiv:1706.04599, equation 3; confidence is the highest probability.
    """
    confidence, predicted = outputs.double().softmax(1).max(1)
    bins = (confidence * _BINS).ceil().long().sub(1).clamp(0, _BINS - 1)
    difference = (predicted == targets).double() - confidence
    gaps = torch.zeros(_BINS, dtype=torch.float64, device=outputs.device).index_add_(0, bins, difference)
    return float(gaps.abs().sum()) / len(targets)


_METRICS = (
    Metric("nll", "min", "nats", of_output(nll)),
    Metric("accuracy", "max", "", of_output(accuracy)),
    Metric("balanced_accuracy", "max", "", PerSplit(balanced_accuracy)),
    Metric("f1_macro", "max", "", PerSplit(f1_macro)),
    Metric("auc", "max", "", PerSplit(auc)),
    Metric("ece", "min", "", PerSplit(ece)),
)
_TOP = Metric("top5", "max", "", of_output(top5))


class Classification:
    """One of `names` per sample, or per step.

    The loss is the cross-entropy in nats over labeled units. The baseline predicts the class frequencies of the
    training split, so that its accuracy is that of the majority class.

    Args:
        names: class names in the order of the class numbers.
    """

    main = "accuracy"
    default: Sequence[str] = ("nll", "accuracy")
    baseline_name = "majority class"

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self.available: Sequence[Metric] = (*_METRICS, _TOP) if len(self.names) >= _TOP5 else _METRICS

    def loss(
        self, output: Float[Tensor, "batch unit *time"], target: Int[Tensor, "batch *time"]
    ) -> tuple[Tensor, float | Tensor]:
        labeled = (target != IGNORED).sum()
        total = F.cross_entropy(output, target, ignore_index=IGNORED, reduction="sum")
        return total / labeled.clamp(min=1), labeled

    def collected(
        self, output: Float[Tensor, "batch unit *time"], target: Int[Tensor, "batch *time"]
    ) -> tuple[Float[Tensor, "sample unit"], Int[Tensor, " sample"]]:
        flat = target.flatten()
        labeled = flat != IGNORED
        return output.movedim(1, -1).flatten(0, -2)[labeled], flat[labeled]

    def constant(self, targets: Iterable[Tensor]) -> list[float]:
        """Log-frequencies of the classes; a class that does not occur counts once."""
        counts = torch.zeros(len(self.names), dtype=torch.int64)
        for target in targets:
            counts += torch.bincount(target[target != IGNORED].cpu(), minlength=len(self.names))
        frequency = counts.clamp(min=1).double()
        return (frequency / frequency.sum()).log().tolist()

    def predicted(self, output: Tensor) -> dict[str, np.ndarray]:
        """The most probable label and the probability of each label; labels of a sequence joined by blanks."""
        probability = output.float().softmax(1)
        best = probability.argmax(1)
        if best.dim() > 1:
            return {"prediction": np.array(_named(best, self.names), dtype=object)}
        names = np.array(list(self.names), dtype=object)
        columns = zip(self.names, probability.T.double().cpu().numpy().round(6), strict=True)
        return {"prediction": names[best.cpu().numpy()]} | {f"probability_{name}": values for name, values in columns}

    def columns(self, output: Tensor, target: Tensor) -> dict[str, list[Any]]:
        probability, predicted = output.softmax(1).max(1)
        if target.dim() > 1:
            predicted = predicted.masked_fill(target == IGNORED, IGNORED)
            return {"prediction": _named(predicted, self.names), "target": _named(target, self.names)}
        return {
            "prediction": _named(predicted, self.names),
            "target": _named(target, self.names),
            "probability": probability.tolist(),
        }


def _named(classes: Tensor, names: Sequence[str]) -> list[Any]:
    """Class names per sample; a sequence of steps becomes one string without its unlabeled positions."""
    if classes.dim() == 1:
        return ["" if number == IGNORED else names[number] for number in classes.tolist()]
    return [" ".join(names[number] for number in row if number != IGNORED) for row in classes.tolist()]
