"""Residual networks for images and videos: branches, units, stages."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.nn.checks import at_least, probability
from dlcli.nn.conv.inflated import InflatedConv3d
from dlcli.nn.stochastic.dropout import DropPath, ResidualBranch

Time = tuple[int, ...]
"""Temporal kernel size of the first convolution of a unit: (size,) for videos, () for images."""


def convolve(inputs: int, width: int, size: int, stride: int = 1, time: Time = ()) -> nn.Module:
    """Convolution of `size` x `size` pixels that preserves time, and height and width up to its stride."""
    if not time:
        return nn.Conv2d(inputs, width, size, stride, padding=size // 2, bias=False)
    return InflatedConv3d(inputs, width, (time[0], size, size), stride)


def norm(width: int, time: Time) -> nn.Module:
    """Batch normalization of feature maps, or of volumes with a time axis."""
    return nn.BatchNorm3d(width) if time else nn.BatchNorm2d(width)


class BasicBranch(ResidualBranch):
    """Two 3x3 convolutions; `time` is the temporal kernel of the first.

    Paper: He, Zhang, Ren & Sun 2016, arXiv:1512.03385, figure 5 left.
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
    """1x1 convolution to `width` channels, 3x3, 1x1 to four times as many; `time` is the temporal kernel of the first.

    Paper: He et al. 2016, figure 5 right. Differs: the stride is in the 3x3 convolution instead of the first one.
        Temporal
    kernel as in Wang et al. 2018, section 4.
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
"""Number of halvings of height and width; 7x7 is the paper's stem, with max pooling."""


class ResidualUnit(nn.Module):
    """ReLU(shortcut(x) + branch(x)).

    Args:
        branch: residual branch.
        shortcut: identity, or a 1x1 convolution if width or size change.
        drop: probability in [0, 1] of dropping the branch of a sample in training (stochastic depth).
    """

    def __init__(self, branch: nn.Module, shortcut: nn.Module, drop: float) -> None:
        super().__init__()
        self.branch, self.shortcut = branch, shortcut
        self.drop = DropPath(rate=drop)

    def forward(self, x: Float[Tensor, "batch channel *space"]) -> Float[Tensor, "batch unit *smaller"]:
        return (self.shortcut(x) + self.drop(self.branch(x))).relu()


@dataclass(frozen=True)
class ResidualStages:
    """Hyper-parameters of a residual trunk.

    Args:
        unit: "basic" or "bottleneck".
        stem: "3x3", or "7x7" with stride 2 and max pooling.
        widths: channels of the stages, before the factor 4 of a bottleneck; every stage but the first halves the size.
        units: number of units per stage.
        times: temporal kernel of the units of each stage; () for images.
        drop_path: probability in [0, 1) of dropping the last branch; it increases linearly over the units.
        nonlocal_every: per stage, number of units between two non-local blocks; 0 for none.

    Raises:
        UsageError: a value is out of range, or the lists differ in length.
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
                raise UsageError("unknown_name", kind=f"model.{name}", name=value, known=known)
        counts = {name: len(getattr(self, name)) for name in ("widths", "units", "times", "nonlocal_every")}
        if len(set(counts.values())) > 1 or not self.widths:
            lengths = ", ".join(f"{name} {count}" for name, count in counts.items())
            raise UsageError(
                "invalid_value", key="model.widths", must="as long as units and nonlocal_every", got=lengths
            )
        for minimum, name in ((1, "widths"), (1, "units"), (0, "nonlocal_every")):
            at_least(minimum, **{name: min(getattr(self, name))})
        probability("model.drop_path", self.drop_path)

    @property
    def reductions(self) -> int:
        """Number of halvings of height and width."""
        return STEMS[self.stem] + len(self.widths) - 1

    @property
    def width(self) -> int:
        """Output channels."""
        return self.widths[-1] * BRANCHES[self.unit].growth

    def trunk(self, inputs: int, block: Callable[[int], nn.Module]) -> nn.Sequential:
        """Stem, residual units and non-local blocks.

        Modules are named by stage and unit, identically with and without blocks: `unit_2_1`, `nonlocal_2_1`.

        Args:
            inputs: input channels.
            block: factory of a non-local block, called with its channels.
        """
        modules = OrderedDict(stem=_stem(self.stem, inputs, self.widths[0], self.times[0]))
        kind, channels, rates = BRANCHES[self.unit], self.widths[0], iter(self._rates())
        for stage, width in enumerate(self.widths):
            every, time = self.nonlocal_every[stage], self.times[stage]
            for number in range(1, self.units[stage] + 1):
                stride = 2 if stage and number == 1 else 1
                branch = kind(channels, width, stride, time)
                shortcut = _shortcut(channels, width * kind.growth, stride, time)
                modules[f"unit_{stage + 1}_{number}"] = ResidualUnit(branch, shortcut, next(rates))
                channels = width * kind.growth
                if every and number % every == 0:
                    modules[f"nonlocal_{stage + 1}_{number}"] = block(channels)
        return _he_initialized(nn.Sequential(modules))

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


def _he_initialized(trunk: nn.Sequential) -> nn.Sequential:
    """Initialize convolutions with He's normal distribution, fan-out mode (He et al. 2015, arXiv:1502.01852)."""
    for module in trunk.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return trunk
