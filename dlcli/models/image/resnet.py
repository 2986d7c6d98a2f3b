"""Residual networks for images, with optional non-local blocks."""

from collections.abc import Mapping, Sequence
from functools import partial

from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.learner import Artifact
from dlcli.core.spec import Spec
from dlcli.core.task import Batch
from dlcli.nn.attention.attention_map import attention_map
from dlcli.nn.attention.non_local import NonLocalBlock
from dlcli.nn.checks import probability
from dlcli.nn.conv.blocks import pooled_classifier
from dlcli.nn.conv.residual import ResidualStages
from dlcli.nn.initializers import Initializer
from dlcli.nn.shapes import check_reductions, image_shape


class ResNet(nn.Module):
    """Residual network: stem, stages of residual units, global average pooling; optional non-local blocks.

    Papers: He, Zhang, Ren & Sun 2016, arXiv:1512.03385, section 3; Wang, Girshick, Gupta & He 2018, arXiv:1711.07971,
    section 4. Differs: the stride of a bottleneck is in its 3x3 convolution; optional stochastic depth (Huang et al.
    2016, arXiv:1603.09382, linear decay).

    Args:
        spec: one image (channel, height, width); target of one position.
        unit: "basic" or "bottleneck"; a bottleneck stage is four times as wide as `widths`.
        stem: "3x3" for small images, "7x7" with stride 2 and max pooling for large ones.
        widths: channels of the stages; every stage but the first halves height and width.
        units: number of units per stage.
        drop_path: probability in [0, 1) of dropping the last branch of a sample; smaller for earlier units.
        dropout: probability in [0, 1), before the output layer.
        nonlocal_every: per stage, number of units between two non-local blocks; 0 for none.
        nonlocal_variant: pairwise function: gaussian, embedded_gaussian, dot_product or concatenation.
        nonlocal_scale: factor of the pairwise function; 1.0 in the paper, null for one over the root of the channels.
        nonlocal_pool: side of the max-pooling windows over keys and values, in pixels; 1 for no pooling.
        nonlocal_gamma: initial scale of the block's batch norm; 0.0 (identity) in the paper.
        nonlocal_initializer: initializer of the block; N(0, 0.01^2) in the paper.

    Raises:
        UsageError: a hyper-parameter is out of range, or the lists differ in length.
        Mismatch: the input is not an image, or too small for the reductions.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        unit: str,
        stem: str,
        widths: Sequence[int],
        units: Sequence[int],
        drop_path: float,
        dropout: float,
        nonlocal_every: Sequence[int],
        nonlocal_variant: str,
        nonlocal_scale: float | None,
        nonlocal_pool: int,
        nonlocal_gamma: float,
        nonlocal_initializer: Initializer,
    ) -> None:
        super().__init__()
        stages = ResidualStages(unit, stem, widths, units, [()] * len(widths), drop_path, nonlocal_every)
        check_reductions(spec, stages.reductions, "ResNet")
        self.trunk = stages.trunk(
            image_shape(spec, "ResNet")[0],
            partial(
                NonLocalBlock,
                variant=nonlocal_variant,
                scale=nonlocal_scale,
                pool=nonlocal_pool,
                gamma=nonlocal_gamma,
                initializer=nonlocal_initializer,
            ),
        )
        self.answer = pooled_classifier(stages.width, spec.target.width, probability("model.dropout", dropout))

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch unit"]:
        return self.answer(self.trunk(x))

    def depict(self, batch: Batch) -> Mapping[str, Artifact]:
        """Attention map of the last non-local block for the brightest position of each image."""
        return attention_map(self.trunk, batch.inputs[0])
