"""The hard maze as one writes it first: a robot at a time, a wall at a time, with the standard library's numbers."""

import math
from collections.abc import Sequence

from dlcli.tasks.control.maze.geometry import FloorPlan, Segment

RAYS = (-90, -45, 0, 45, 90, -180)


class Robot:
    """One robot; `step` takes two numbers and tells whether the episode is over."""

    def __init__(self, plan: FloorPlan) -> None:
        self.plan = plan
        self.x, self.y = plan.start
        self.heading = self.turning = self.speed = 0.0  # degrees
        self.steps = 0

    def step(self, turn: float, go: float) -> bool:
        self.turning = towards(self.turning, 6 * (min(max(turn + 0.5, 0.0), 1.0) - 0.5))
        self.speed = towards(self.speed, 6 * (min(max(go + 0.5, 0.0), 1.0) - 0.5))
        x = self.x + math.cos(math.radians(self.heading)) * self.speed
        y = self.y + math.sin(math.radians(self.heading)) * self.speed
        self.heading += self.turning
        if all(from_wall(x, y, wall) >= 8 for wall in self.plan.walls):
            self.x, self.y = x, y
        self.steps += 1
        return self.steps == 400 or self.distance() < 10

    def distance(self) -> float:
        return math.dist((self.x, self.y), self.plan.goal)

    def see(self) -> list[float]:
        """The eleven inputs of a policy."""
        rays = [self.range(math.radians(self.heading + ray)) / 100 for ray in RAYS]
        gx, gy = self.plan.goal
        angle = (math.degrees(math.atan2(gy - self.y, gx - self.x)) - self.heading) % 360
        quarter = int((angle + 45) % 360 // 90)
        return [1.0, *rays, *(float(quarter == number) for number in range(4))]

    def range(self, angle: float) -> float:
        """The distance to the nearest wall in a direction, at most 100."""
        dx, dy = math.cos(angle), math.sin(angle)
        return min([100.0, *(to_wall(self.x, self.y, dx, dy, wall) for wall in self.plan.walls)])


def towards(now: float, wanted: float) -> float:
    return min(max(now + min(max(wanted - now, -0.2), 0.2), -3.0), 3.0)


def from_wall(x: float, y: float, wall: Segment) -> float:
    """The distance of a point from a segment."""
    x1, y1, x2, y2 = wall
    dx, dy = x2 - x1, y2 - y1
    part = min(max(((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy), 0.0), 1.0)
    return math.hypot(x1 + part * dx - x, y1 + part * dy - y)


def to_wall(x: float, y: float, dx: float, dy: float, wall: Segment) -> float:
    """How far along a direction a segment is met; infinite if it is not."""
    x1, y1, x2, y2 = wall
    wx, wy = x2 - x1, y2 - y1
    cross = dx * wy - dy * wx
    if cross == 0:
        return math.inf
    ahead = ((x1 - x) * wy - (y1 - y) * wx) / cross
    part = ((x1 - x) * dy - (y1 - y) * dx) / cross
    return ahead if ahead > 0 and 0 < part < 1 else math.inf


def run(plan: FloorPlan, outputs: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Final position of a robot that receives these outputs and senses at every step."""
    robot = Robot(plan)
    robot.see()
    for turn, go in outputs:
        over = robot.step(turn, go)
        robot.see()
        if over:
            break
    return robot.x, robot.y
