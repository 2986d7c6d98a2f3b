"""Whether inner products of sketches tell which scenes are alike."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

_ALIKE = 0.9  # of all pairs are less alike than those that count as alike
_MOST = 400  # scenes that are compared with one another


def auc(sketches: Float[Tensor, "scene kept"], counts: Int[Tensor, "scene module"]) -> float:
    """How likely a pair of the tenth whose counts of modules are most alike has a larger inner product than another.

    Both by cosines, of the first few hundred scenes; 0.5 is chance. NaN where all pairs are equally alike.
    """
    scenes = min(len(sketches), _MOST)
    rows, columns = torch.triu_indices(scenes, scenes, offset=1)
    alike = normalize(counts[:_MOST].double())
    truth = (alike @ alike.T)[rows, columns]
    found = normalize(sketches[:_MOST])
    return of_ranks((found @ found.T)[rows, columns], truth >= truth.quantile(_ALIKE)) if len(rows) else float("nan")


def of_ranks(score: Float[Tensor, " pair"], positive: Tensor) -> float:
    """The area under the receiver operating characteristic: Mann & Whitney's U over its largest value."""
    many, few = int(positive.sum()), int((~positive).sum())
    if not many or not few:
        return float("nan")
    ranks = torch.empty(len(score), dtype=torch.float64)
    ranks[score.argsort()] = torch.arange(1.0, len(score) + 1, dtype=torch.float64)
    return float((ranks[positive].sum() - many * (many + 1) / 2) / (many * few))
