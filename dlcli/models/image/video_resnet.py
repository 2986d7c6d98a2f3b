"""Residual networks for videos: 2-D or inflated 3-D convolutions, with optional non-local blocks."""

from collections.abc import Mapping, Sequence
from functools import partial

from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.core.learner import Artifact
from dlcli.core.spec import Spec
from dlcli.core.task import Batch
from dlcli.nn.attention.attention_map import attention_map
from dlcli.nn.attention.non_local import NonLocalBlock
from dlcli.nn.checks import probability
from dlcli.nn.conv.residual import ResidualStages
from dlcli.nn.initializers import Initializer
from dlcli.nn.shapes import check_halvings, max_halvings, video_shape

READ = {"mean": slice(None), "last": slice(-1, None)}
"""Frames whose features are averaged."""


class VideoResNet(nn.Module):
    """Residual network over (time, height, width): C2D with temporal kernels of 1, I3D with temporal kernels of 3.

    Time is never sub-sampled. Weights of a `ResNet` of the same size can be loaded; they are inflated.

    Papers: Wang, Girshick, Gupta & He 2018, arXiv:1711.07971, section 4; Carreira & Zisserman 2017, arXiv:1705.07750.
    Differs: no pooling over time; the temporal kernel of a stage applies to the first convolution of each of its units,
    where the paper inflates every second unit.

    Args:
        spec: one video (channel, time, height, width); target of one position.
        unit: "basic" or "bottleneck"; a bottleneck stage is four times as wide as `widths`.
        stem: "3x3" for small frames, "7x7" with stride 2 and max pooling for large ones; spatial only.
        widths: channels of the stages; every stage but the first halves height and width.
        units: number of units per stage.
        temporal: per stage, odd temporal kernel size of the first convolution of a unit: 1 for C2D, 3 for I3D.
        read: frames from which the output is computed: "mean" of all frames, or the "last" one.
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
        Mismatch: the input is not a video, or too small for the reductions.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        unit: str,
        stem: str,
        widths: Sequence[int],
        units: Sequence[int],
        temporal: Sequence[int],
        read: str,
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
        channel, _, height, width = video_shape(spec, "VideoResNet")
        if read not in READ:
            raise UsageError("invalid_value", key="model.read", must=" or ".join(READ), got=read)
        stages = ResidualStages(unit, stem, widths, units, [(steps,) for steps in temporal], drop_path, nonlocal_every)
        check_halvings(spec, stages.reductions, max_halvings(height, width), "VideoResNet")
        self.trunk = stages.trunk(
            channel,
            partial(
                NonLocalBlock,
                variant=nonlocal_variant,
                scale=nonlocal_scale,
                pool=nonlocal_pool,
                gamma=nonlocal_gamma,
                initializer=nonlocal_initializer,
            ),
        )
        self.read = READ[read]
        self.answer = nn.Sequential(
            nn.AdaptiveAvgPool3d(1),
            nn.Flatten(),
            nn.Dropout(probability("model.dropout", dropout)),
            nn.Linear(stages.width, spec.target.width),
        )

    def forward(self, x: Float[Tensor, "batch channel time height width"]) -> Float[Tensor, "batch unit"]:
        return self.answer(self.trunk(x)[:, :, self.read])

    def depict(self, batch: Batch) -> Mapping[str, Artifact]:
        """Attention map of the last non-local block, in every frame, for the brightest position of the last frame."""
        return attention_map(self.trunk, batch.inputs[0])
