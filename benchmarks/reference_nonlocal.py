"""The non-local block as its figure draws it: what dlcli's is timed against."""

import torch
from torch import Tensor, nn


class PlainNonLocal(nn.Module):
    """Convolutions of 1x1x1, the matrix of all pairs, its softmax, a product.

    Paper: Wang, Girshick, Gupta & He 2018, arXiv:1711.07971, figure 2.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = channels // 2
        self.theta, self.phi, self.g = (nn.Conv3d(channels, inner, 1) for _ in range(3))
        self.w_z = nn.Conv3d(inner, channels, 1)
        self.norm = nn.BatchNorm3d(channels)

    def forward(self, x: Tensor) -> Tensor:
        theta, phi, g = (part(x).flatten(2) for part in (self.theta, self.phi, self.g))
        pairs = torch.softmax(theta.transpose(1, 2) @ phi, 2)
        y = (pairs @ g.transpose(1, 2)).transpose(1, 2).reshape(x.shape[0], -1, *x.shape[2:])
        return x + self.norm(self.w_z(y))
