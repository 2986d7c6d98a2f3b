"""Residual networks for images, with or without non-local blocks."""

from collections.abc import Mapping, Sequence
from functools import partial

from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.learner import Leaf
from dlcli.core.spec import Spec
from dlcli.core.task import Batch
from dlcli.nn.conv.blocks import pooled_classifier
from dlcli.nn.checks import probability
from dlcli.nn.attention.attention_map import attention_map
from dlcli.nn.shapes import check_reductions, image_shape
from dlcli.nn.initializers import Initializer
from dlcli.nn.attention.non_local import NonLocalBlock
from dlcli.nn.conv.residual import ResidualStages


class ResNet(nn.Module):
    """A stem, stages of residual units, the mean over all places, scores. Non-local blocks stand between units.

    Papers: He, Zhang, Ren & Sun 2016, arXiv:1512.03385, section 3; Wang, Girshick, Gupta & He 2018, arXiv:1711.07971,
    section 4. Differs: in a bottleneck the 3x3 convolution halves; branches may be dropped (Huang et al. 2016,
    arXiv:1603.09382, linear decay).

    Args:
        spec: one image (channel, height, width); target of one position.
        unit: basic, or bottleneck, which makes a stage four times as wide as `widths` says.
        stem: 3x3 for small images, 7x7 with stride 2 and max pooling for large ones.
        widths: of the stages; every stage but the first halves height and width.
        units: how many each stage has.
        drop_path: probability in [0, 1) that a sample goes without the last unit's branch; less for earlier units.
        dropout: probability in [0, 1), before the scores.
        nonlocal_every: by stage, after every how many units a non-local block stands; 0 has none.
        nonlocal_form: gaussian, embedded_gaussian, dot_product, concatenation.
        nonlocal_scale: factor of a pair's value; 1.0 is the paper's, null is one over the root of the channels.
        nonlocal_pool: every position sees the maxima of windows of so many pixels a side.
        nonlocal_gamma: scale that a block's norm starts with; 0.0 is the paper's, the identity at first.
        nonlocal_initial: draws a block's weights; normal of deviation 0.01 is the paper's.

    Raises:
        UsageError: a value is out of range, or the lists are not of one length.
        Mismatch: the input is no image, or cannot be halved so often.
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
        nonlocal_form: str,
        nonlocal_scale: float | None,
        nonlocal_pool: int,
        nonlocal_gamma: float,
        nonlocal_initial: Initializer,
    ) -> None:
        super().__init__()
        stages = ResidualStages(unit, stem, widths, units, [()] * len(widths), drop_path, nonlocal_every)
        check_reductions(spec, stages.reductions, "ResNet")
        self.trunk = stages.trunk(
            image_shape(spec, "ResNet")[0],
            partial(
                NonLocalBlock,
                form=nonlocal_form,
                scale=nonlocal_scale,
                pool=nonlocal_pool,
                gamma=nonlocal_gamma,
                initial=nonlocal_initial,
            ),
        )
        self.answer = pooled_classifier(stages.width, spec.target.width, probability("model.dropout", dropout))

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch unit"]:
        return self.answer(self.trunk(x))

    def depict(self, batch: Batch) -> Mapping[str, Leaf]:
        """Where the last non-local block looks from the brightest place of each image."""
        return attention_map(self.trunk, batch.inputs[0])
