"""Residual networks for films: frame by frame, inflated in time, with or without non-local blocks."""

from collections.abc import Mapping, Sequence
from functools import partial

from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.errors import Mismatch, UsageError, nearest
from dlcli.core.learner import Leaf
from dlcli.core.spec import Spec
from dlcli.core.task import Batch
from dlcli.nn.shapes import video_shape
from dlcli.nn.checks import probability
from dlcli.nn.attention.attention_map import attention_map
from dlcli.nn.shapes import halvings
from dlcli.nn.initializers import Initializer
from dlcli.nn.attention.non_local import NonLocalBlock
from dlcli.nn.conv.residual import ResidualStages

READ = {"mean": slice(None), "last": slice(-1, None)}
"""The frames whose mean is the answer."""


class VideoResNet(nn.Module):
    """A residual network over (time, height, width): C2D with kernels of 1 in time, I3D with kernels of 3.

    Time is never halved. Weights of a `ResNet` of the same sizes can be loaded: they are inflated.

    Papers: Wang, Girshick, Gupta & He 2018, arXiv:1711.07971, section 4; Carreira & Zisserman 2017, arXiv:1705.07750.
    Differs: no pooling over time; a stage's kernel in time is that of the first convolution in each of its units, where
    the paper inflates every second unit.

    Args:
        spec: one film (channel, time, height, width); target of one position.
        unit: basic, or bottleneck, which makes a stage four times as wide as `widths` says.
        stem: 3x3 for small films, 7x7 with stride 2 and max pooling for large ones; never over time.
        widths: of the stages; every stage but the first halves height and width.
        units: how many each stage has.
        temporal: by stage, steps of a unit's first kernel, odd: 1 is C2D, 3 is I3D.
        read: the answer is taken from the mean of all frames, or from the last frame.
        drop_path: probability in [0, 1) that a sample goes without the last unit's branch; less for earlier units.
        dropout: probability in [0, 1), before the scores.
        nonlocal_every: by stage, after every how many units a non-local block stands; 0 has none.
        nonlocal_form: gaussian, embedded_gaussian, dot_product, concatenation.
        nonlocal_scale: factor of a pair's value; 1.0 is the paper's, null is one over the root of the channels.
        nonlocal_pool: every position sees the maxima of windows of so many pixels a side, in every frame.
        nonlocal_gamma: scale that a block's norm starts with; 0.0 is the paper's, the identity at first.
        nonlocal_initial: draws a block's weights; normal of deviation 0.01 is the paper's.

    Raises:
        UsageError: a value is out of range, or the lists are not of one length.
        Mismatch: the input is no film, or cannot be halved so often.
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
        nonlocal_form: str,
        nonlocal_scale: float | None,
        nonlocal_pool: int,
        nonlocal_gamma: float,
        nonlocal_initial: Initializer,
    ) -> None:
        super().__init__()
        channel, _, height, width = video_shape(spec, "VideoResNet")
        if read not in READ:
            raise UsageError(f"model.read is one of {', '.join(READ)}, not {read!r}{nearest(read, READ)}")
        stages = ResidualStages(unit, stem, widths, units, [(steps,) for steps in temporal], drop_path, nonlocal_every)
        if stages.reductions > halvings(height, width):
            raise Mismatch(
                f"VideoResNet can halve {spec.describe()} at most {halvings(height, width)} times, "
                f"not {stages.reductions}"
            )
        self.trunk = stages.trunk(
            channel,
            partial(
                NonLocalBlock,
                form=nonlocal_form,
                scale=nonlocal_scale,
                pool=nonlocal_pool,
                gamma=nonlocal_gamma,
                initial=nonlocal_initial,
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

    def depict(self, batch: Batch) -> Mapping[str, Leaf]:
        """Where the last non-local block looks, in every frame, from the brightest place of the last frame."""
        return attention_map(self.trunk, batch.inputs[0])
