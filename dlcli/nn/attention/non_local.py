"""Non-local block: self-attention over all positions of a sequence, image or video."""

from typing import Any

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.nn.attention.pairwise import FORMS, embedding
from dlcli.nn.checks import at_least
from dlcli.nn.initializers import Initializer


class NonLocalBlock(nn.Module):
    """Non-local block: z_i = norm(W_z y_i) + x_i, y_i = 1/C sum_j f(x_i, x_j) g(x_j), over positions in time and space.

    With gamma = 0 and no ReLU after the sum, a block inserted into a trained network is the identity; the first update
    then changes gamma only, later updates change all parameters.

    Paper: Wang, Girshick, Gupta & He 2018, arXiv:1711.07971, section 3. Differs: with sub-sampling, x is pooled before
        phi
    and g, as in the authors' code (in the paper's figure, after them).

    Args:
        channels: input and output channels; embeddings have half as many.
        variant: pairwise function f: gaussian, embedded_gaussian, dot_product or concatenation.
        scale: factor inside f; 1.0 in the paper, None for one over the square root of the embedded channels.
        pool: side of the max-pooling windows over x_j, in pixels (in steps for sequences); the time axis of a video is
            never pooled. 1 uses all positions.
        gamma: initial scale of the batch norm; 0.0 in the paper. In a network that is trained from scratch, a block
            with gamma = 0 has no output at first and may remain inactive for long.
        initializer: of theta, phi, g and W_z; N(0, 0.01^2) in the paper, for a block inserted into a trained
            network. All x_j then have almost equal weights, and training from scratch may not leave this state.

    Raises:
        UsageError: unknown `variant`, or `pool` is smaller than 1.
    """

    def __init__(
        self, channels: int, *, variant: str, scale: float | None, pool: int, gamma: float, initializer: Initializer
    ) -> None:
        super().__init__()
        if variant not in FORMS:
            raise UsageError("unknown_name", kind="non-local form", name=variant, known=FORMS)
        at_least(1, nonlocal_pool=pool)
        inner = max(channels // 2, 1)
        self.pairs = FORMS[variant](channels, inner, scale)
        self.g = embedding(channels, inner)
        self.w_z = embedding(inner, channels)
        self.norm = nn.BatchNorm1d(channels)
        nn.init.constant_(self.norm.weight, gamma)
        self.pool = pool
        initializer(self)

    def forward(self, x: Float[Tensor, "batch channel *space"]) -> Float[Tensor, "batch channel *space"]:
        positions = _flat(x)
        others = self._others(x, positions)
        z = self.w_z(self.pairs(positions, others, self.g(others))).transpose(1, 2)
        return x + self.norm(z).view_as(x)

    def attention(
        self, x: Float[Tensor, "batch channel *space"], queries: Tensor
    ) -> Float[Tensor, "batch query *smaller"]:
        """Weights f / C of selected query positions over all x_j, in the spatial layout of x_j.

        Args:
            x: input of the block.
            queries: int64 [batch, query], flat position indices (row-major; frame by frame in a video).
        """
        positions = _flat(x)
        selected = positions.gather(1, queries[..., None].expand(-1, -1, positions.shape[2]))
        others = self._pooled(x)
        return self.pairs.weights(selected, _flat(others)).unflatten(2, others.shape[2:])

    def _others(self, x: Tensor, positions: Tensor) -> Tensor:
        return positions if self.pool == 1 else _flat(self._pooled(x))

    def _pooled(self, x: Tensor) -> Tensor:
        if self.pool == 1:
            return x
        size = (1, self.pool, self.pool)[-(x.dim() - 2) :]
        pooling: Any = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}[len(size)]
        return pooling(x, size, ceil_mode=True)  # keeps incomplete windows at the border


def _flat(x: Tensor) -> Float[Tensor, "batch position channel"]:
    """Flattened positions with contiguous channels, the layout that attention kernels require."""
    return x.flatten(2).transpose(1, 2).contiguous()
