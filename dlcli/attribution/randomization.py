"""Model-parameter randomization test of attribution maps."""

import torch
from jaxtyping import Float, Float64
from scipy.stats import rankdata
from torch import Tensor


def rank_correlation(
    a: Float[Tensor, "batch *positions"], b: Float[Tensor, "batch *positions"]
) -> Float64[Tensor, " batch"]:
    """Spearman rank correlation of two maps, row by row; NaN for a constant map.

    A value near 1 between maps of trained and of random weights means that the map does not depend on the weights.

    Paper: Adebayo et al. 2018, arXiv:1810.03292, section 3. Differs: all weights are randomized at once.
    """
    first, second = (_centered(torch.from_numpy(rankdata(heat.flatten(1).cpu().numpy(), axis=1))) for heat in (a, b))
    return (first * second).sum(1) / (first.square().sum(1) * second.square().sum(1)).sqrt()


def _centered(ranks: Tensor) -> Tensor:
    return ranks - ranks.mean(1, keepdim=True)
