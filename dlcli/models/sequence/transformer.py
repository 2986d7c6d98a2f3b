"""Causal Transformer."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from dlcli.core.spec import Spec
from dlcli.nn.checks import at_least, probability
from dlcli.nn.sequence_io import InputStem, OutputHead, tied_embedding
from dlcli.nn.stochastic.dropout import ResidualBranch


class _Attention(nn.Module):
    """Causal multi-head self-attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.inputs = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "batch time channel"]) -> Float[Tensor, "batch time channel"]:
        query, key, value = self.inputs(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.output(attended.transpose(1, 2).flatten(2))


class _Block(nn.Module):
    """Pre-norm block: self-attention and a feed-forward network, each with a residual connection."""

    def __init__(self, width: int, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.attend = ResidualBranch(nn.LayerNorm(width), _Attention(width, heads), nn.Dropout(dropout))
        self.think = ResidualBranch(
            nn.LayerNorm(width),
            nn.Linear(width, feedforward),
            nn.GELU(),
            nn.Linear(feedforward, width),
            nn.Dropout(dropout),
        )

    def forward(self, x: Float[Tensor, "batch time channel"]) -> Float[Tensor, "batch time channel"]:
        x = x + self.attend(x)
        return x + self.think(x)


class Transformer(nn.Module):
    """Decoder-only Transformer: causal self-attention with pre-norm, for sequences of any length.

    The model width is heads x head_width, so that any positive integer is a valid `heads` or `head_width`.

    Paper: Vaswani et al. 2017, arXiv:1706.03762, section 3. Differs: no encoder and no cross-attention; pre-norm (Xiong
    et al. 2020, arXiv:2002.04745); GELU instead of ReLU.

    Args:
        spec: one input, (channel, time) or tokens (time); target with one value per sequence or per step.
        head_width: width of an attention head.
        heads: attention heads per layer.
        feedforward: hidden units of the feed-forward network.
        layers: number of blocks.
        dropout: probability in [0, 1), after the positional encoding and at the output of each sub-layer.
        embedding: width of the token embedding; unused for real inputs.
        embedding_dropout: probability in [0, 1) that a component of an embedded token is zeroed.
        tied: share the embedding matrix with the output layer; requires embedding = heads x head_width.

    Raises:
        UsageError: a hyper-parameter is out of range.
        Mismatch: the input is neither (channel, time) nor tokens.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        head_width: int,
        heads: int,
        feedforward: int,
        layers: int,
        dropout: float,
        embedding: int,
        embedding_dropout: float,
        tied: bool,
    ) -> None:
        super().__init__()
        at_least(1, head_width=head_width, heads=heads, feedforward=feedforward, layers=layers)
        probability("model.dropout", dropout)
        width = heads * head_width
        self.front = InputStem(spec, embedding=embedding, dropout=embedding_dropout, model_name="Transformer")
        self.inputs = nn.Linear(self.front.width, width)
        self.scale = math.sqrt(width) if tied else 1.0  # the initial values of a tied embedding are small (section 3.4)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.Sequential(*(_Block(width, heads, feedforward, dropout) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)
        self.head = OutputHead(width, spec, tied=tied_embedding(self.front, tied))

    def forward(self, x: Shaped[Tensor, "batch *channel time"]) -> Float[Tensor, "batch unit *time"]:
        x = self.inputs(self.front(x).transpose(1, 2) * self.scale)
        x = self.blocks(self.dropout(x + positional_encoding(x)))
        return self.head(self.norm(x).transpose(1, 2))


def positional_encoding(like: Float[Tensor, "batch time channel"]) -> Float[Tensor, "time channel"]:
    """Sinusoidal encoding: sines in even, cosines in odd channels, wavelengths 2 pi to 20,000 pi (section 3.5)."""
    _, time, width = like.shape
    channel = torch.arange(width, device=like.device)
    rate = 10_000.0 ** (-(channel - channel % 2) / width)
    angle = torch.arange(time, device=like.device)[:, None] * rate + channel % 2 * (math.pi / 2)
    return angle.sin().to(like.dtype)
