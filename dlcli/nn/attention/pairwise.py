"""Pairwise functions f of a non-local operation.

Each computes y_i = 1/C sum_j f(x_i, x_j) g(x_j) over flattened positions, without storing f of all pairs where
possible.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

Queries = Float[Tensor, "batch query channel"]
Keys = Float[Tensor, "batch key channel"]
Values = Float[Tensor, "batch key unit"]
Gathered = Float[Tensor, "batch query unit"]
Weights = Float[Tensor, "batch query key"]


class Gaussian(nn.Module):
    """f = exp(scale x_i . x_j), C = sum_j f: softmax over j of the raw positions. Memory linear in positions.

    Paper: Wang, Girshick, Gupta & He 2018, arXiv:1711.07971, equation 2.

    Args:
        channels: of a position.
        inner: channels of embedded positions and of values.
        scale: factor inside the exponential; 1.0 in the paper, None for channels**-0.5.
    """

    def __init__(self, channels: int, inner: int, scale: float | None) -> None:
        super().__init__()
        self.scale = channels**-0.5 if scale is None else scale

    def forward(self, x: Queries, others: Keys, values: Values) -> Gathered:
        return _softmax_gather(x, others, values, self.scale)

    def weights(self, x: Queries, others: Keys) -> Weights:
        """Attention weights f / C; rows sum to one."""
        return (self.scale * x @ others.transpose(1, 2)).softmax(2)


class EmbeddedGaussian(nn.Module):
    """f = exp(scale theta(x_i) . phi(x_j)), C = sum_j f: self-attention. Memory linear in positions.

    Paper: Wang et al. 2018, equation 3.

    Args:
        channels: of a position.
        inner: channels of embedded positions and of values.
        scale: factor inside the exponential; 1.0 in the paper, None for inner**-0.5 (authors' code).
    """

    def __init__(self, channels: int, inner: int, scale: float | None) -> None:
        super().__init__()
        self.theta, self.phi = embedding(channels, inner), embedding(channels, inner)
        self.scale = inner**-0.5 if scale is None else scale

    def forward(self, x: Queries, others: Keys, values: Values) -> Gathered:
        return _softmax_gather(self.theta(x), self.phi(others), values, self.scale)

    def weights(self, x: Queries, others: Keys) -> Weights:
        """Attention weights f / C; rows sum to one."""
        return (self.scale * self.theta(x) @ self.phi(others).transpose(1, 2)).softmax(2)


class DotProduct(nn.Module):
    """f = scale theta(x_i) . phi(x_j), C the number of positions j.

    Without a softmax the products can be computed in either order: with more positions than channels, phi^T g first, in
    time and memory linear in positions.

    Paper: Wang et al. 2018, equation 4.

    Args:
        channels: of a position.
        inner: channels of embedded positions and of values.
        scale: factor; 1.0 in the paper, None for inner**-0.5.
    """

    def __init__(self, channels: int, inner: int, scale: float | None) -> None:
        super().__init__()
        self.theta, self.phi = embedding(channels, inner), embedding(channels, inner)
        self.scale = inner**-0.5 if scale is None else scale

    def forward(self, x: Queries, others: Keys, values: Values) -> Gathered:
        theta, phi = self.scale / others.shape[1] * self.theta(x), self.phi(others).transpose(1, 2)
        queries, keys, inner = theta.shape[1], phi.shape[2], phi.shape[1]
        if inner * (queries + keys) < 2 * queries * keys:
            return theta @ (phi @ values)
        return theta @ phi @ values

    def weights(self, x: Queries, others: Keys) -> Weights:
        """Attention weights f / C, of any sign."""
        return self.scale / others.shape[1] * self.theta(x) @ self.phi(others).transpose(1, 2)


class Concatenation(nn.Module):
    """f = ReLU(scale w . [theta(x_i), phi(x_j)]), C the number of positions j.

    Since w . [theta, phi] = a_i + b_j, position i sums over the j with b_j > -a_i: after sorting by b these are a
    suffix, and suffix sums give all outputs in linear memory. The derivatives with respect to a_i and b_j are exact.

    Paper: Wang et al. 2018, equation 5.

    Args:
        channels: of a position.
        inner: channels of embedded positions and of values.
        scale: factor; 1.0 in the paper, None for inner**-0.5.
    """

    def __init__(self, channels: int, inner: int, scale: float | None) -> None:
        super().__init__()
        self.theta, self.phi = embedding(channels, inner), embedding(channels, inner)
        self.w = embedding(2 * inner, 1, bias=False)
        self.scale = inner**-0.5 if scale is None else scale

    def forward(self, x: Queries, others: Keys, values: Values) -> Gathered:
        a, b = self._halves(x, others)
        b, order = b.sort(1)
        values = values.gather(1, order[..., None].expand_as(values))
        suffix = torch.searchsorted(b.detach(), -a.detach(), right=True)[..., None]
        sums = F.pad(torch.cat((values, values * b[..., None]), 2), (0, 0, 0, 1)).flip(1).cumsum(1).flip(1)
        plain, weighted = sums.gather(1, suffix.expand(-1, -1, sums.shape[2])).chunk(2, 2)
        return (a[..., None] * plain + weighted) / others.shape[1]

    def weights(self, x: Queries, others: Keys) -> Weights:
        """Attention weights f / C, non-negative."""
        a, b = self._halves(x, others)
        return (a[:, :, None] + b[:, None]).relu() / others.shape[1]

    def _halves(self, x: Queries, others: Keys) -> tuple[Float[Tensor, "batch query"], Float[Tensor, "batch key"]]:
        """A and b; the matrices are multiplied first, so that theta(x) and phi(x) are never materialized."""
        first, second = (self.scale * self.w.weight).chunk(2, 1)
        a = F.linear(x, first @ self.theta.weight, first @ self.theta.bias)
        b = F.linear(others, second @ self.phi.weight, second @ self.phi.bias)
        return a[..., 0], b[..., 0]


FORMS: dict[str, type[Gaussian | EmbeddedGaussian | DotProduct | Concatenation]] = {
    "gaussian": Gaussian,
    "embedded_gaussian": EmbeddedGaussian,
    "dot_product": DotProduct,
    "concatenation": Concatenation,
}


def embedding(inputs: int, width: int, *, bias: bool = True) -> nn.Linear:
    """1x1 convolution: the same linear map at every position."""
    return nn.Linear(inputs, width, bias=bias)


def _softmax_gather(theta: Tensor, phi: Tensor, values: Values, scale: float) -> Gathered:
    """softmax(scale theta phi^T) g without materializing the matrix; fused kernels require equal widths."""
    width = max(theta.shape[2], values.shape[2])
    theta, phi, padded = (F.pad(part, (0, width - part.shape[2]))[:, None] for part in (theta, phi, values))
    gathered = F.scaled_dot_product_attention(theta, phi, padded, scale=scale)
    return gathered[:, 0, :, : values.shape[2]]
