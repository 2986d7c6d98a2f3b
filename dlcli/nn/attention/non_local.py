"""The non-local block: every position sees every other, and at first nothing changes."""

from typing import Any

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.errors import UsageError, nearest
from dlcli.nn.checks import at_least
from dlcli.nn.initializers import Initializer
from dlcli.nn.attention.pairwise import FORMS, embedding


class NonLocalBlock(nn.Module):
    """z_i = norm(W_z y_i) + x_i, y_i = 1/C sum_j f(x_i, x_j) g(x_j), over positions in time, height and width alike.

    With a norm whose scale starts at zero, and no ReLU after it, a block put into a trained network leaves it as it is.
    The first update then moves only that scale, the later ones all the rest.

    Paper: Wang, Girshick, Gupta & He 2018, arXiv:1711.07971, section 3. Differs: where x_j are sub-sampled, x is pooled
    before phi and g are taken, as in the authors' code (the paper's figure pools after them).

    Args:
        channels: of the input and the answer; half of them are embedded.
        form: of f: gaussian, embedded_gaussian, dot_product, concatenation.
        scale: factor of what f makes of a pair; 1.0 is the paper's, None is one over the root of the summed channels.
        pool: x_j are the maxima of windows of so many pixels a side (of steps in a sequence); never over the time of a
            film. 1 takes every position.
        gamma: scale that the norm starts with; 0.0 is the paper's. In a network that learns from nothing, the block has
            nothing to say at first, and from 0 it may stay silent for long.
        initial: draws the weights of theta, phi, g and W_z. The paper's are N(0, 0.01), for a block put into a trained
            network: all x_j then weigh the same at first, and a network that learns from nothing may stay there.

    Raises:
        UsageError: no such form, or `pool` is below 1.
    """

    def __init__(
        self, channels: int, *, form: str, scale: float | None, pool: int, gamma: float, initial: Initializer
    ) -> None:
        super().__init__()
        if form not in FORMS:
            raise UsageError(f"a non-local form is one of {', '.join(FORMS)}, not {form!r}{nearest(form, FORMS)}")
        at_least(1, nonlocal_pool=pool)
        inner = max(channels // 2, 1)
        self.pairs = FORMS[form](channels, inner, scale)
        self.g = embedding(channels, inner)
        self.w_z = embedding(inner, channels)
        self.norm = nn.BatchNorm1d(channels)
        nn.init.constant_(self.norm.weight, gamma)
        self.pool = pool
        initial(self)

    def forward(self, x: Float[Tensor, "batch channel *space"]) -> Float[Tensor, "batch channel *space"]:
        positions = _flat(x)
        others = self._others(x, positions)
        z = self.w_z(self.pairs(positions, others, self.g(others))).transpose(1, 2)
        return x + self.norm(z).view_as(x)

    def attention(
        self, x: Float[Tensor, "batch channel *space"], queries: Tensor
    ) -> Float[Tensor, "batch query *smaller"]:
        """f / C of some positions with all x_j, laid out as those lie in space.

        Args:
            x: what the block would be called with.
            queries: int64 [batch, query], positions counted row by row (frame by frame in a film).
        """
        positions = _flat(x)
        chosen = positions.gather(1, queries[..., None].expand(-1, -1, positions.shape[2]))
        others = self._pooled(x)
        return self.pairs.weights(chosen, _flat(others)).unflatten(2, others.shape[2:])

    def _others(self, x: Tensor, positions: Tensor) -> Tensor:
        return positions if self.pool == 1 else _flat(self._pooled(x))

    def _pooled(self, x: Tensor) -> Tensor:
        if self.pool == 1:
            return x
        size = (1, self.pool, self.pool)[-(x.dim() - 2) :]
        pooling: Any = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}[len(size)]
        return pooling(x, size, ceil_mode=True)  # so that no border falls off


def _flat(x: Tensor) -> Float[Tensor, "batch position channel"]:
    """Positions in one row, the channels of each side by side: attention kernels want them so."""
    return x.flatten(2).transpose(1, 2).contiguous()
