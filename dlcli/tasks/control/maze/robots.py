"""Dynamics and sensors of parallel robots in a maze."""

import math

import torch
from torch import Tensor

from dlcli.tasks.control.episode_loop import EpisodeSummary, Transition
from dlcli.tasks.control.maze.geometry import FloorPlan, Walls

RADIUS = 8.0  # radius of a robot
ARRIVAL = 10.0  # distance below which the goal is reached
REACH = 100.0  # range of a rangefinder
RAYS = (-90, -45, 0, 45, 90, -180)  # degrees to the heading
STEPS = 400
_MAX_VELOCITY = 3.0  # units per step, and degrees per step
_MAX_CHANGE = 0.2  # maximum change of either per step

_QUADRANTS = torch.tensor([[0, 0, 0, 1], [0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0]], dtype=torch.float32)


class Robots:
    """Parallel robots with state on the last axis, [.., robot]; all start in the same state.

    Args:
        plan: the maze.
        walls: the walls of the plan.
        count: number of robots.
    """

    def __init__(self, plan: FloorPlan, walls: Walls, count: int) -> None:
        self._walls = walls
        self._goal = torch.tensor(plan.goal, dtype=torch.float64)[:, None]
        self.place = torch.tensor(plan.start, dtype=torch.float64)[:, None].repeat(1, count)
        self.heading = torch.zeros(count, dtype=torch.float64)  # radians
        self._velocity = torch.zeros(2, count, dtype=torch.float64)  # degrees per step, units per step
        self._direction = self._heading_vector()
        self._to_goal, self.distance = self._goal_vector()
        self._steps = 0

    def reset(self) -> Tensor:
        return self._observation()

    def step(self, output: Tensor) -> Transition:
        """Move in the direction of the current heading, then turn; a move into a wall is canceled."""
        target = output.t().double().clamp_(-0.5, 0.5).mul_(2 * _MAX_VELOCITY)
        change = target.sub_(self._velocity).clamp_(-_MAX_CHANGE, _MAX_CHANGE)
        self._velocity = change.add_(self._velocity).clamp_(-_MAX_VELOCITY, _MAX_VELOCITY)
        move = self._direction.mul_(self._velocity[1])
        clear = self._walls.clear(self._walls.frame(*(self.place + move)), RADIUS)
        self.place = move.mul_(clear).add_(self.place)
        self.heading = self._velocity[0].mul(math.pi / 180).add_(self.heading)
        self._direction = self._heading_vector()
        self._to_goal, self.distance = self._goal_vector()
        self._steps += 1
        over = self.distance < ARRIVAL if self._steps < STEPS else torch.ones_like(self.distance, dtype=torch.bool)
        return Transition(self._observation(), self.distance.neg().masked_fill_(~over, 0.0), over)

    def end(self, rows: Tensor) -> EpisodeSummary:
        distance = self.distance[rows]
        arrived = (distance < ARRIVAL).double()
        return EpisodeSummary(self.place[:, rows].t().float(), {"success_rate": arrived, "distance": distance})

    def keep(self, rows: Tensor) -> None:
        self.place, self._velocity = self.place[:, rows], self._velocity[:, rows]
        self._direction, self._to_goal = self._direction[:, rows], self._to_goal[:, rows]
        self.heading, self.distance = self.heading[rows], self.distance[rows]

    def _heading_vector(self) -> Tensor:
        return torch.stack((self.heading.cos(), self.heading.sin()))

    def _goal_vector(self) -> tuple[Tensor, Tensor]:
        """Vector to the goal and its length."""
        vector = self._goal - self.place
        squared = vector.square()
        return vector, squared[0].add_(squared[1]).sqrt_()

    def pose(self) -> Tensor:
        """Pose of the first robot, float32 [9]: x, y, heading in radians, the six ranges."""
        return torch.cat((self.place[:, 0].float(), self.heading[:1].float(), self._ranges()[:, 0]))

    def _ranges(self) -> Tensor:
        cos, sin = self._direction.float()
        return self._walls.ranges(self._walls.frame(*self.place).float(), cos, sin, REACH)

    def _observation(self) -> Tensor:
        """Observation, float32 [robot, 11]: 1, six ranges relative to their maximum, and the quadrant of the goal."""
        observation = torch.ones(11, self.place.shape[1])
        observation[1:7] = self._ranges().div_(REACH)
        observation[7:] = self._radar()
        return observation.t().contiguous()

    def _radar(self) -> Tensor:
        """One-hot quadrant of the goal [4, robot]: ahead, 90 degrees, behind, 270 degrees."""
        products = self._direction * self._to_goal
        ahead = products[0] + products[1]
        aside = self._direction[0] * self._to_goal[1] - self._direction[1] * self._to_goal[0]
        quadrant = (aside >= ahead).long().add_((aside >= -ahead), alpha=2)
        return _QUADRANTS[quadrant].t()
