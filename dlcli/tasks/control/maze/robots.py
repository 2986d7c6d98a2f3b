"""Robots in a maze, side by side: the dynamics and senses of the hard maze."""

import math

import torch
from torch import Tensor

from dlcli.tasks.control.episode_loop import End, Outcome
from dlcli.tasks.control.maze.geometry import Plan, Walls

RADIUS = 8.0  # of a robot
ARRIVAL = 10.0  # a robot nearer than this has reached the goal
REACH = 100.0  # of a rangefinder
RAYS = (-90, -45, 0, 45, 90, -180)  # degrees to the heading
STEPS = 400
_FASTEST = 3.0  # units a step, and degrees a step
_SLEW = 0.2  # how far either may change in a step

_SLICES = torch.tensor([[0, 0, 0, 1], [0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0]], dtype=torch.float32)


class Robots:
    """All that move at once; state on the last axis, [.., robot]. They differ by what they are told alone.

    Args:
        plan: where they are.
        walls: of the plan.
        count: how many.
    """

    def __init__(self, plan: Plan, walls: Walls, count: int) -> None:
        self._walls = walls
        self._goal = torch.tensor(plan.goal, dtype=torch.float64)[:, None]
        self.place = torch.tensor(plan.start, dtype=torch.float64)[:, None].repeat(1, count)
        self.heading = torch.zeros(count, dtype=torch.float64)  # radians
        self._velocity = torch.zeros(2, count, dtype=torch.float64)  # degrees a step, units a step
        self._direction = self._turned()
        self._way, self.distance = self._sighted()
        self._steps = 0

    def reset(self) -> Tensor:
        return self._see()

    def step(self, output: Tensor) -> Outcome:
        """Move with the heading so far, then turn; a move into a wall is cancelled."""
        wanted = output.t().double().clamp_(-0.5, 0.5).mul_(2 * _FASTEST)
        change = wanted.sub_(self._velocity).clamp_(-_SLEW, _SLEW)
        self._velocity = change.add_(self._velocity).clamp_(-_FASTEST, _FASTEST)
        move = self._direction.mul_(self._velocity[1])
        clear = self._walls.clear(self._walls.frame(*(self.place + move)), RADIUS)
        self.place = move.mul_(clear).add_(self.place)
        self.heading = self._velocity[0].mul(math.pi / 180).add_(self.heading)
        self._direction = self._turned()
        self._way, self.distance = self._sighted()
        self._steps += 1
        over = self.distance < ARRIVAL if self._steps < STEPS else torch.ones_like(self.distance, dtype=torch.bool)
        return Outcome(self._see(), self.distance.neg().masked_fill_(~over, 0.0), over)

    def end(self, rows: Tensor) -> End:
        distance = self.distance[rows]
        arrived = (distance < ARRIVAL).double()
        return End(self.place[:, rows].t().float(), {"success_rate": arrived, "distance": distance})

    def keep(self, rows: Tensor) -> None:
        self.place, self._velocity = self.place[:, rows], self._velocity[:, rows]
        self._direction, self._way = self._direction[:, rows], self._way[:, rows]
        self.heading, self.distance = self.heading[rows], self.distance[rows]

    def _turned(self) -> Tensor:
        return torch.stack((self.heading.cos(), self.heading.sin()))

    def _sighted(self) -> tuple[Tensor, Tensor]:
        """The way to the goal and its length."""
        way = self._goal - self.place
        squared = way.square()
        return way, squared[0].add_(squared[1]).sqrt_()

    def pose(self) -> Tensor:
        """float32 [9] of the first robot: x, y, its heading in radians, its six ranges."""
        return torch.cat((self.place[:, 0].float(), self.heading[:1].float(), self._ranges()[:, 0]))

    def _ranges(self) -> Tensor:
        cos, sin = self._direction.float()
        return self._walls.ranges(self._walls.frame(*self.place).float(), cos, sin, REACH)

    def _see(self) -> Tensor:
        """float32 [robot, 11]: 1, six ranges as parts of their reach, and in which quarter the goal lies."""
        seen = torch.ones(11, self.place.shape[1])
        seen[1:7] = self._ranges().div_(REACH)
        seen[7:] = self._radar()
        return seen.t().contiguous()

    def _radar(self) -> Tensor:
        """[4, robot]: the goal ahead, to 90 degrees, behind, to 270 degrees; each a quarter of the circle."""
        turned = self._direction * self._way
        ahead = turned[0] + turned[1]
        aside = self._direction[0] * self._way[1] - self._direction[1] * self._way[0]
        quarter = (aside >= ahead).long().add_((aside >= -ahead), alpha=2)
        return _SLICES[quarter].t()
