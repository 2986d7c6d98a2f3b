"""Residual networks over images and films: convolutions, units, stages."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.errors import UsageError, nearest
from dlcli.nn.stochastic.dropout import ResidualBranch
from dlcli.nn.stochastic.dropout import DropPath
from dlcli.nn.conv.inflated import InflatedConv3d
from dlcli.nn.checks import at_least, probability

Time = tuple[int, ...]
"""Kernel over time of a unit's first convolution: (steps,) in a film, () in an image."""


def convolve(inputs: int, width: int, size: int, stride: int = 1, time: Time = ()) -> nn.Module:
    """A convolution of `size` x `size` pixels that keeps height and width but for its stride, and keeps time."""
    if not time:
        return nn.Conv2d(inputs, width, size, stride, padding=size // 2, bias=False)
    return InflatedConv3d(inputs, width, (time[0], size, size), stride)


def norm(width: int, time: Time) -> nn.Module:
    return nn.BatchNorm3d(width) if time else nn.BatchNorm2d(width)


class BasicBranch(ResidualBranch):
    """Two convolutions of 3x3.

    Paper: He, Zhang, Ren & Sun 2016, arXiv:1512.03385, figure 5 left. `time` is of the first one.
    """

    growth = 1

    def __init__(self, inputs: int, width: int, stride: int, time: Time) -> None:
        frame = (1,) * len(time)
        super().__init__(
            convolve(inputs, width, 3, stride, time),
            norm(width, time),
            nn.ReLU(),
            convolve(width, width, 3, 1, frame),
            norm(width, time),
        )


class BottleneckBranch(ResidualBranch):
    """1x1 to `width` channels, 3x3, 1x1 to four times as many.

    Paper: He et al. 2016, figure 5 right. Differs: the 3x3 convolution halves, not the first one. `time` is of the
    first one, as in Wang et al. 2018, section 4.
    """

    growth = 4

    def __init__(self, inputs: int, width: int, stride: int, time: Time) -> None:
        frame = (1,) * len(time)
        super().__init__(
            convolve(inputs, width, 1, 1, time),
            norm(width, time),
            nn.ReLU(),
            convolve(width, width, 3, stride, frame),
            norm(width, time),
            nn.ReLU(),
            convolve(width, self.growth * width, 1, 1, frame),
            norm(self.growth * width, time),
        )


BRANCHES: dict[str, type[BasicBranch] | type[BottleneckBranch]] = {"basic": BasicBranch, "bottleneck": BottleneckBranch}
STEMS = {"3x3": 0, "7x7": 2}
"""How often each halves height and width; 7x7 is the paper's, with a max pooling."""


class ResidualUnit(nn.Module):
    """ReLU(x + branch(x)); a 1x1 convolution where width or size change.

    Args:
        branch: what is added.
        shortcut: what x goes through.
        drop: probability that a sample goes without the branch while training (stochastic depth).
    """

    def __init__(self, branch: nn.Module, shortcut: nn.Module, drop: float) -> None:
        super().__init__()
        self.branch, self.shortcut = branch, shortcut
        self.drop = DropPath(rate=drop)

    def forward(self, x: Float[Tensor, "batch channel *space"]) -> Float[Tensor, "batch unit *smaller"]:
        return (self.shortcut(x) + self.drop(self.branch(x))).relu()


@dataclass(frozen=True)
class ResidualStages:
    """What a residual network is made of.

    Args:
        unit: basic or bottleneck.
        stem: 3x3, or 7x7 with stride 2 and max pooling.
        widths: of the stages, before a bottleneck's growth; every stage but the first halves height and width.
        units: how many each stage has.
        times: kernel over time of each stage's units; () for images.
        drop_path: probability of leaving out the last unit's branch; it grows evenly from the first unit on.
        nonlocal_every: by stage, after every how many units a non-local block stands; 0 has none.

    Raises:
        UsageError: a value is out of range, or the lists are not of one length.
    """

    unit: str
    stem: str
    widths: Sequence[int]
    units: Sequence[int]
    times: Sequence[Time]
    drop_path: float
    nonlocal_every: Sequence[int]

    def __post_init__(self) -> None:
        for name, value, known in (("unit", self.unit, BRANCHES), ("stem", self.stem, STEMS)):
            if value not in known:
                raise UsageError(f"model.{name} is one of {', '.join(known)}, not {value!r}{nearest(value, known)}")
        counts = {name: len(getattr(self, name)) for name in ("widths", "units", "times", "nonlocal_every")}
        if len(set(counts.values())) > 1 or not self.widths:
            raise UsageError(f"a residual network wants one number a stage in {', '.join(counts)}: {counts}")
        for least, name in ((1, "widths"), (1, "units"), (0, "nonlocal_every")):
            at_least(least, **{name: min(getattr(self, name))})
        probability("model.drop_path", self.drop_path)

    @property
    def reductions(self) -> int:
        """How often height and width are halved."""
        return STEMS[self.stem] + len(self.widths) - 1

    @property
    def width(self) -> int:
        """Channels that come out."""
        return self.widths[-1] * BRANCHES[self.unit].growth

    def trunk(self, inputs: int, block: Callable[[int], nn.Module]) -> nn.Sequential:
        """Stem, units, and the non-local blocks that `block` makes for so many channels.

        Parts are named by stage and unit, the same with and without blocks: `unit_2_1`, `nonlocal_2_1`.
        """
        made = OrderedDict(stem=_stem(self.stem, inputs, self.widths[0], self.times[0]))
        kind, channels, rates = BRANCHES[self.unit], self.widths[0], iter(self._rates())
        for stage, width in enumerate(self.widths):
            every, time = self.nonlocal_every[stage], self.times[stage]
            for number in range(1, self.units[stage] + 1):
                stride = 2 if stage and number == 1 else 1
                branch = kind(channels, width, stride, time)
                shortcut = _shortcut(channels, width * kind.growth, stride, time)
                made[f"unit_{stage + 1}_{number}"] = ResidualUnit(branch, shortcut, next(rates))
                channels = width * kind.growth
                if every and number % every == 0:
                    made[f"nonlocal_{stage + 1}_{number}"] = block(channels)
        return _started(nn.Sequential(made))

    def _rates(self) -> list[float]:
        total = sum(self.units)
        return [self.drop_path * number / total for number in range(1, total + 1)]


def _stem(kind: str, inputs: int, width: int, time: Time) -> nn.Module:
    frame = (1,) * len(time)
    if kind == "3x3":
        return nn.Sequential(convolve(inputs, width, 3, 1, frame), norm(width, time), nn.ReLU())
    pooling: Any = nn.MaxPool3d if time else nn.MaxPool2d
    pool = pooling((*frame, 3, 3), (*frame, 2, 2), (*(0 for _ in time), 1, 1))
    return nn.Sequential(convolve(inputs, width, 7, 2, frame), norm(width, time), nn.ReLU(), pool)


def _shortcut(inputs: int, width: int, stride: int, time: Time) -> nn.Module:
    if inputs == width and stride == 1:
        return nn.Identity()
    return nn.Sequential(convolve(inputs, width, 1, stride, (1,) * len(time)), norm(width, time))


def _started(trunk: nn.Sequential) -> nn.Sequential:
    """With weights whose variance keeps that of the signal through ReLUs (He et al. 2015, arXiv:1502.01852)."""
    for module in trunk.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return trunk
