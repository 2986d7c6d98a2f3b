"""Agreement between inner products of sketches and the similarity of scenes."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

_QUANTILE = 0.9  # pairs above this quantile of similarity are positives
_MAX_SCENES = 400  # scenes that are compared pairwise


def auc(sketches: Float[Tensor, "scene kept"], counts: Int[Tensor, "scene module"]) -> float:
    """Area under the ROC curve of sketch similarity as a predictor of scene similarity; 0.5 is chance.

    Positives are the 10 % of pairs whose module counts are most similar. Both similarities are cosines of the first
    400 scenes. NaN if all pairs are equally similar.
    """
    scenes = min(len(sketches), _MAX_SCENES)
    rows, columns = torch.triu_indices(scenes, scenes, offset=1)
    if not len(rows):
        return float("nan")
    by_counts, by_sketch = normalize(counts[:_MAX_SCENES].double()), normalize(sketches[:_MAX_SCENES])
    truth = (by_counts @ by_counts.T)[rows, columns]
    return auc_from_ranks((by_sketch @ by_sketch.T)[rows, columns], truth >= truth.quantile(_QUANTILE))


def auc_from_ranks(score: Float[Tensor, " pair"], positive: Tensor) -> float:
    """Area under the ROC curve: the Mann-Whitney U statistic divided by its maximum; NaN for a single class."""
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return float("nan")
    ranks = torch.empty(len(score), dtype=torch.float64)
    ranks[score.argsort()] = torch.arange(1.0, len(score) + 1, dtype=torch.float64)
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))
