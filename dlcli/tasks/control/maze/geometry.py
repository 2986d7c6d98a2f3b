"""Walls of mazes: collisions and rangefinders of many robots at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

_HALF = 0.5**0.5
_FAR = 1e30  # in place of 1 / 0
_SIGNS = torch.tensor([1.0, -1.0, 1.0, -1.0])[:, None, None]

Point = tuple[int, int]
Segment = tuple[int, int, int, int]


@dataclass(frozen=True)
class FloorPlan:
    """Maze: start, goal, and walls (x1, y1, x2, y2); y points down."""

    start: Point
    goal: Point
    walls: Sequence[Segment]


_ROOF = (4, 49, 57, 53)  # closes the corridor that leads straight from the start to the goal

HARD = FloorPlan(
    (36, 184),
    (31, 20),
    (
        (41, 5, 3, 8), (3, 8, 4, 49), _ROOF, (4, 49, 7, 202), (7, 202, 195, 198), (195, 198, 186, 8), (186, 8, 39, 5),
        (56, 54, 56, 157), (57, 106, 158, 162), (77, 201, 108, 164), (6, 80, 33, 121), (192, 146, 87, 91),
        (56, 55, 133, 30),
    ),
)  # fmt: skip
EASY = FloorPlan(HARD.start, HARD.goal, [wall for wall in HARD.walls if wall != _ROOF])


class Walls:
    """Collisions and distances in the coordinate frame of each wall, with robots on the last axis.

    Uses elementwise arithmetic only, so that the result of a robot does not depend on the other rows.

    Args:
        segments: x1, y1, x2, y2 of every wall.
    """

    def __init__(self, segments: Sequence[Segment]) -> None:
        ends = torch.tensor(segments, dtype=torch.float64)
        along = ends[:, 2:] - ends[:, :2]
        length = along.norm(dim=1)
        tx, ty = (along / length[:, None]).unbind(1)
        middle = (ends[:, :2] + ends[:, 2:]) / 2
        self._x = torch.stack((tx, -ty))[:, :, None]
        self._y = torch.stack((ty, tx))[:, :, None]
        self._origin = self._x * middle[:, :1] + self._y * middle[:, 1:]
        self._half = length[:, None] / 2
        self._axes = torch.stack((-ty, tx, tx, ty))[:, :, None].float()
        self._reach = self._half.float()

    def frame(self, x: Tensor, y: Tensor) -> Tensor:
        """Coordinates of points along and across each wall, relative to its center: float64 [2, wall, robot]."""
        return (self._x * x).add_(self._y * y).sub_(self._origin)

    def clear(self, frame: Tensor, radius: float) -> Tensor:
        """0 if a disc around the point touches a wall, else 1: float64 [robot]."""
        beyond = frame[0].abs().sub_(self._half).clamp_(min=0)
        squared = beyond.square_().add_(frame[1].square())
        return squared.amin(0).ge_(radius * radius)

    def ranges(self, frame: Tensor, cos: Tensor, sin: Tensor, reach: float) -> Tensor:
        """Distances to the nearest wall at -90, -45, 0, 45, 90 and -180 degrees to the heading: float32 [6, robot].

        Four lines through a robot give six rays. With q and p the components of a line's direction across and along a
        wall, and (b, a) the robot's coordinates along and across it, the line intersects the wall if |b q - a p| <
        |q| * length / 2, at distance -a / q; q of a line is p of the perpendicular line up to its sign.

        Args:
            frame: coordinates of the robots from `frame`, float32.
            cos, sin: float32 [robot], of the headings.
            reach: maximum distance.
        """
        across = self._axes[0] * cos + self._axes[1] * sin
        along = self._axes[2] * cos + self._axes[3] * sin
        sum_, difference = (across + along).mul_(_HALF), (across - along).mul_(_HALF)
        q = torch.stack((across, along, difference, sum_))  # 0, 90, -45, 45 degrees
        p = torch.stack((along, across, sum_, difference)).mul_(_SIGNS)
        b, a = frame.unbind(0)
        miss = p.mul_(a).sub_(q * b).abs_()
        hit = miss.lt_(q.abs().mul_(self._reach))  # in-place 0 or 1, much faster than a bool tensor
        nearness = q.mul_(a.reciprocal().neg_().clamp_(-_FAR, _FAR)).mul_(hit)
        ahead, behind = nearness.amax(1), nearness[:2].amin(1).neg_()
        inverse = torch.stack((behind[1], ahead[2], ahead[0], ahead[3], ahead[1], behind[0]))
        return inverse.clamp_(min=1 / reach).reciprocal_()
