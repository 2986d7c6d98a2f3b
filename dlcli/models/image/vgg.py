"""VGG networks."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from itertools import pairwise
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.core.spec import Spec
from dlcli.nn.checks import at_least, each_at_least
from dlcli.nn.conv.blocks import NORMS, Norm
from dlcli.nn.initializers import Initializer
from dlcli.nn.shapes import check_pools, image_shape

_STAGES: dict[str, tuple[tuple[int, ...], ...]] = {  # kernel sizes, stage by stage
    "A": ((3,), (3,), (3, 3), (3, 3), (3, 3)),
    "B": ((3, 3), (3, 3), (3, 3), (3, 3), (3, 3)),
    "C": ((3, 3), (3, 3), (3, 3, 1), (3, 3, 1), (3, 3, 1)),
    "D": ((3, 3), (3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3)),
    "E": ((3, 3), (3, 3), (3, 3, 3, 3), (3, 3, 3, 3), (3, 3, 3, 3)),
}
_MULTIPLIERS = (1, 2, 4, 8, 8)  # channels of a stage relative to the first


class VGG(nn.Module):
    """VGG: five stages of 3x3 convolutions, each followed by 2x2 max pooling, then dense layers.

    Paper: Simonyan & Zisserman 2015, arXiv:1409.1556, table 1 and section 2. Differs: optional batch norm; the `he`
    initializer is not the paper's, which uses one normal distribution for all layers and initializes deep
    configurations with the weights of a trained shallow one; for images too small for five poolings only the first
    `pools` stages pool; the input width of the dense layers depends on the image size.

    Args:
        spec: one image (channel, height, width); target of one position.
        configuration: column of the paper's table, with 11, 13, 16 (C has 1x1 convolutions), 16 and 19 layers.
        pools: number of stages, from the first, with a pooling; 5 in the paper. An odd last row or column is dropped.
        width: channels of the first stage, 64 in the paper; the others have 2, 4, 8 and 8 times as many.
        dense: units of the hidden dense layers.
        norm: normalization after each convolution: "batch" or "none".
        dropout: module after each hidden dense layer; it is copied.
        initializer: weight initializer.

    Raises:
        UsageError: a hyper-parameter is out of range.
        Mismatch: the input is not an image, or too small for the poolings.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        configuration: Literal["A", "B", "C", "D", "E"],
        pools: int,
        width: int,
        dense: Sequence[int],
        norm: Literal["batch", "none"],
        dropout: nn.Module,
        initializer: Initializer,
    ) -> None:
        super().__init__()
        at_least(0, pools=pools)
        at_least(1, width=width)
        each_at_least(1, "dense", dense)
        stages = _STAGES[configuration]
        if pools > len(stages):
            raise UsageError(
                "invalid_value", key="model.pools", must=f"at most {len(stages)}, the number of stages", got=pools
            )
        check_pools(spec, pools, "VGG")
        channel, height, breadth = image_shape(spec, "VGG")
        ends = pairwise((channel, *(width * times for times in _MULTIPLIERS)))
        after = [nn.MaxPool2d(2)] * pools + [nn.Identity()] * (len(stages) - pools)
        self.stages = nn.Sequential(
            *(
                nn.Sequential(*_convolutions(*end, kernels, NORMS[norm]), pool)
                for end, kernels, pool in zip(ends, stages, after, strict=True)
            )
        )
        values = width * _MULTIPLIERS[-1] * (height >> pools) * (breadth >> pools)
        self.hidden = nn.Sequential(*(layer for end in pairwise((values, *dense)) for layer in _dense(*end, dropout)))
        self.answer = nn.Linear((values, *dense)[-1], spec.target.width)
        initializer(self)

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch unit"]:
        return self.answer(self.hidden(self.stages(x).flatten(1)))


def _convolutions(inputs: int, width: int, kernels: Sequence[int], norm: Norm) -> Iterator[nn.Module]:
    for channels, kernel in zip((inputs, *[width] * (len(kernels) - 1)), kernels, strict=True):
        yield from (nn.Conv2d(channels, width, kernel, padding=kernel // 2), norm(width), nn.ReLU())


def _dense(inputs: int, units: int, dropout: nn.Module) -> list[nn.Module]:
    return [nn.Linear(inputs, units), nn.ReLU(), deepcopy(dropout)]
