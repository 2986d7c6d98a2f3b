"""Does a map depend on what was learned? It should be another one after the weights are drawn anew."""

import torch
from jaxtyping import Float, Float64
from scipy.stats import rankdata
from torch import Tensor


def rank_correlation(a: Float[Tensor, "batch *places"], b: Float[Tensor, "batch *places"]) -> Float64[Tensor, " batch"]:
    """Spearman's rank correlation of two maps, row by row; NaN where a map is the same everywhere.

    Near 1 between trained and random weights, a map shows the input and not the network.

    Paper: Adebayo et al. 2018, arXiv:1810.03292, section 3. Differs: all weights are drawn at once.
    """
    first, second = (_centred(torch.from_numpy(rankdata(one.flatten(1).cpu().numpy(), axis=1))) for one in (a, b))
    return (first * second).sum(1) / (first.square().sum(1) * second.square().sum(1)).sqrt()


def _centred(ranks: Tensor) -> Tensor:
    return ranks - ranks.mean(1, keepdim=True)
