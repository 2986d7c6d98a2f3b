"""Decision trees and their ensembles of scikit-learn, all trees of an ensemble traversed at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dlcli.nn.estimators.rule import LOWEST, Rule, pairs

Link = Literal["values", "probabilities", "logits"]


@dataclass(frozen=True)
class DecisionTree:
    """Arrays of one tree, one entry per node.

    Args:
        left, right: children; below 0 or the node itself at a leaf.
        feature: that is compared.
        threshold: largest value that goes left.
        value: float64 [node, unit], what the node adds to the output.
        leaf: bool [node].
    """

    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    value: np.ndarray
    leaf: np.ndarray


class Trees(Rule):
    """base + the sum over the trees of the values of the leaves that a sample reaches.

    Args:
        link: what the sum is: "values" of a regressor, "probabilities" or "logits" of a classifier.
        single: thresholds compare with float32 values (trees and forests), or with float64 (histogram boosting).
    """

    names = ("left", "right", "feature", "threshold", "value", "roots", "depth", "base", "classes")

    left: Tensor
    right: Tensor
    feature: Tensor
    threshold: Tensor
    value: Tensor
    roots: Tensor
    depth: Tensor
    base: Tensor
    classes: Tensor

    def __init__(self, link: Link, *, single: bool) -> None:
        super().__init__()
        self._link, self._single = link, single

    def extract(self, estimator: Any, x: Tensor, target: Tensor) -> Mapping[str, Tensor]:
        trees, base = _trees(estimator)
        sizes = [len(tree.left) for tree in trees]
        roots = np.concatenate(([0], np.cumsum(sizes)[:-1])).astype(np.int64)
        own = [np.arange(size) for size in sizes]
        left, right = (
            [
                np.where(tree.leaf, node, side) + root
                for tree, side, node, root in zip(trees, sides, own, roots, strict=True)
            ]
            for sides in ([tree.left for tree in trees], [tree.right for tree in trees])
        )
        arrays = {
            "left": np.concatenate(left).astype(np.int64),
            "right": np.concatenate(right).astype(np.int64),
            "feature": np.concatenate([np.where(tree.leaf, 0, tree.feature) for tree in trees]).astype(np.int64),
            "threshold": np.concatenate([tree.threshold for tree in trees]).astype(np.float64),
            "value": np.concatenate([tree.value for tree in trees]).astype(np.float64),
            "roots": roots,
            "depth": np.array(max(map(_depth, trees)), dtype=np.int64),
            "base": np.asarray(base, dtype=np.float64),
            "classes": np.asarray(getattr(estimator, "classes_", [0])).astype(np.int64),
        }
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    def forward(self, x: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch unit"]:
        x = x.float().double() if self._single else x
        node = self.roots.expand(len(x), -1)  # [batch, tree]
        for _ in range(int(self.depth)):
            goes_left = x.gather(1, self.feature[node]) <= self.threshold[node]
            node = torch.where(goes_left, self.left[node], self.right[node])
        total = self.base + self.value[node].sum(1)
        if self._link == "values":
            return total
        if self._link == "logits":
            return pairs(total).log_softmax(1)
        return (total / total.sum(1, keepdim=True)).log().clamp(min=LOWEST)


def _depth(tree: DecisionTree) -> int:
    """Edges from the root to the deepest leaf."""
    depth = 0
    level = np.array([0])
    while len(level := level[~tree.leaf[level]]):
        level, depth = np.concatenate((tree.left[level], tree.right[level])).astype(np.int64), depth + 1
    return depth


def _trees(estimator: Any) -> tuple[list[DecisionTree], np.ndarray]:
    """The trees of an ensemble and the base [unit] of the sum."""
    if hasattr(estimator, "_predictors"):
        return _histogram_boosting(estimator)
    if hasattr(estimator, "init_"):
        return _boosting(estimator)
    members = list(estimator.estimators_) if hasattr(estimator, "estimators_") else [estimator]
    trees = [_tree(member, 1 / len(members), hasattr(estimator, "classes_")) for member in members]
    return trees, np.zeros(trees[0].value.shape[1])


def _tree(member: Any, weight: float, classifier: bool) -> DecisionTree:
    """One tree of a forest; its values are the class frequencies of a leaf, or the means of the outputs."""
    inner = member.tree_
    value = inner.value[:, 0, :] if classifier else inner.value[:, :, 0]
    if classifier:
        value = value / value.sum(1, keepdims=True)
    return _arrays(inner, value * weight)


def _arrays(inner: Any, value: np.ndarray) -> DecisionTree:
    leaf = inner.children_left < 0
    return DecisionTree(inner.children_left, inner.children_right, inner.feature, inner.threshold, value, leaf)


def _in_column(values: np.ndarray, column: int, columns: int) -> np.ndarray:
    """[node, columns] with the values in one column and zeros elsewhere."""
    spread = np.zeros((len(values), columns))
    spread[:, column] = values
    return spread


def _boosting(estimator: Any) -> tuple[list[DecisionTree], np.ndarray]:
    """Gradient boosting: shrunk regression trees, and the constant raw prediction that they start from."""
    grid: Sequence[Sequence[Any]] = estimator.estimators_
    columns = len(grid[0])
    scale = 2.0 if getattr(estimator, "loss", "") == "exponential" else 1.0  # p = sigmoid(2 f)
    trees = [
        _arrays(
            member.tree_,
            _in_column(member.tree_.value[:, 0, 0] * estimator.learning_rate * scale, column, columns),
        )
        for row in grid
        for column, member in enumerate(row)
    ]
    first = np.zeros((1, estimator.n_features_in_), dtype=np.float32)
    return trees, np.asarray(estimator._raw_predict_init(first)).reshape(columns) * scale


def _histogram_boosting(estimator: Any) -> tuple[list[DecisionTree], np.ndarray]:
    """Histogram-based gradient boosting: values of the leaves are shrunk already."""
    columns = len(estimator._predictors[0])
    trees = []
    for row in estimator._predictors:
        for column, predictor in enumerate(row):
            nodes = predictor.nodes
            leaf = nodes["is_leaf"].astype(bool)
            left, right = (np.where(leaf, 0, nodes[name]).astype(np.int64) for name in ("left", "right"))
            value = _in_column(np.where(leaf, nodes["value"], 0.0), column, columns)
            trees.append(DecisionTree(left, right, nodes["feature_idx"], nodes["num_threshold"], value, leaf))
    return trees, np.asarray(estimator._baseline_prediction).reshape(columns)
