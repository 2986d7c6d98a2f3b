"""VGG: deep chains of small convolutions."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from itertools import pairwise
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.core.spec import Spec
from dlcli.nn.conv.blocks import Norm
from dlcli.nn.checks import at_least
from dlcli.nn.shapes import check_pools, image_shape
from dlcli.nn.initializers import Initializer

_STAGES: dict[str, tuple[tuple[int, ...], ...]] = {  # kernel sizes, stage by stage
    "A": ((3,), (3,), (3, 3), (3, 3), (3, 3)),
    "B": ((3, 3), (3, 3), (3, 3), (3, 3), (3, 3)),
    "C": ((3, 3), (3, 3), (3, 3, 1), (3, 3, 1), (3, 3, 1)),
    "D": ((3, 3), (3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3)),
    "E": ((3, 3), (3, 3), (3, 3, 3, 3), (3, 3, 3, 3), (3, 3, 3, 3)),
}
_WIDER = (1, 2, 4, 8, 8)  # channels of a stage in widths of the first


class VGG(nn.Module):
    """Five stages of 3x3 convolutions, each with a 2x2 max pooling after it, then dense layers.

    Paper: Simonyan & Zisserman 2015, arXiv:1409.1556, table 1 and section 2. Differs: batch norm where `norm` has it,
    which came later; `initial: he` is not the paper's, which draws all layers from one normal distribution and lets
    deep configurations begin with weights of a trained shallow one; an image that is too small for five poolings gets
    those of the first `pools` stages alone; any size of image has dense layers of its own size.

    Args:
        spec: one image (channel, height, width); target of one position.
        configuration: a column of the paper's table, of 11, 13, 16 (C has 1x1 convolutions), 16 and 19 layers.
        pools: stages with a pooling, from the first on; the paper's is 5. It drops an odd last row.
        width: channels of the first stage; the others have 2, 4, 8 and 8 times as many. The paper's is 64.
        dense: units of the hidden dense layers.
        norm: makes what comes after each convolution from its channels.
        dropout: what comes after each hidden dense layer; each gets a copy.
        initial: draws the weights.

    Raises:
        UsageError: a number is out of range.
        Mismatch: the input is no image, or cannot be halved so often.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        configuration: Literal["A", "B", "C", "D", "E"],
        pools: int,
        width: int,
        dense: Sequence[int],
        norm: Norm,
        dropout: nn.Module,
        initial: Initializer,
    ) -> None:
        super().__init__()
        at_least(0, pools=pools)
        at_least(1, width=width)
        for units in dense:
            at_least(1, dense=units)
        stages = _STAGES[configuration]
        if pools > len(stages):
            raise UsageError(f"VGG has {len(stages)} stages to pool after: model.pools is at most that, not {pools}")
        check_pools(spec, pools, "VGG")
        channel, height, breadth = image_shape(spec, "VGG")
        ends = pairwise((channel, *(width * times for times in _WIDER)))
        after = [nn.MaxPool2d(2)] * pools + [nn.Identity()] * (len(stages) - pools)
        self.stages = nn.Sequential(
            *(
                nn.Sequential(*_convolutions(*end, kernels, norm), pool)
                for end, kernels, pool in zip(ends, stages, after, strict=True)
            )
        )
        values = width * _WIDER[-1] * (height >> pools) * (breadth >> pools)
        self.hidden = nn.Sequential(*(layer for end in pairwise((values, *dense)) for layer in _dense(*end, dropout)))
        self.answer = nn.Linear((values, *dense)[-1], spec.target.width)
        initial(self)

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch unit"]:
        return self.answer(self.hidden(self.stages(x).flatten(1)))


def _convolutions(inputs: int, width: int, kernels: Sequence[int], norm: Norm) -> Iterator[nn.Module]:
    for channels, kernel in zip((inputs, *[width] * (len(kernels) - 1)), kernels, strict=True):
        yield from (nn.Conv2d(channels, width, kernel, padding=kernel // 2), norm(width), nn.ReLU())


def _dense(inputs: int, units: int, dropout: nn.Module) -> list[nn.Module]:
    return [nn.Linear(inputs, units), nn.ReLU(), deepcopy(dropout)]
