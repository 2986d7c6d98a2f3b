"""Images of mazes: the final positions of a population and the path of one robot."""

import torch
from torch import Tensor

from dlcli.tasks.control.maze.canvas import Canvas, Color
from dlcli.tasks.control.maze.geometry import FloorPlan
from dlcli.tasks.control.maze.robots import ARRIVAL, RADIUS, RAYS

_BACKGROUND = (1.0, 1.0, 1.0)
_WALL = (0.13, 0.14, 0.17)
_START = (0.55, 0.57, 0.6)
_GOAL = (0.84, 0.12, 0.16)
_ROBOT = (0.12, 0.42, 0.72)
_RAY = (0.72, 0.78, 0.85)
_MARGIN = 8.0

# Viridis (van der Walt & Smith 2015) at equal distances, without its lightest end.
_VIRIDIS = torch.tensor(
    [
        [0.267, 0.005, 0.329], [0.283, 0.141, 0.458], [0.254, 0.265, 0.530], [0.207, 0.372, 0.553],
        [0.164, 0.471, 0.558], [0.128, 0.567, 0.551], [0.135, 0.659, 0.518], [0.267, 0.749, 0.441],
        [0.478, 0.821, 0.318], [0.741, 0.873, 0.150],
    ]
)  # fmt: skip


def color(fraction: float) -> Color:
    """Interpolated viridis color, for a fraction in [0, 1]."""
    at = fraction * (len(_VIRIDIS) - 1)
    low = min(int(at), len(_VIRIDIS) - 2)
    red, green, blue = _VIRIDIS[low].lerp(_VIRIDIS[low + 1], at - low).tolist()
    return red, green, blue


def scatter(plan: FloorPlan, positions: Tensor, generation: Tensor) -> Tensor:
    """Draw the final position of each robot, colored by generation from violet to yellow: [height, width, 3].

    Args:
        plan: the maze.
        positions: [n, 2].
        generation: [n].
    """
    canvas = _background(plan, 4.0)
    finite = positions.isfinite().all(1)
    positions, generation = positions[finite], generation[finite]
    numbers = generation.unique().tolist()
    first, last = (min(numbers), max(numbers)) if numbers else (0, 0)
    for number in numbers:
        dots = positions[generation == number]
        canvas.discs(dots, 2.6, color((number - first) / max(last - first, 1)))
    _walls(canvas, plan, 5.0)
    return canvas.pixels


def video(plan: FloorPlan, poses: Tensor, every: int) -> Tensor:
    """Draw the path and the rangefinders of a robot: uint8 [frame, height, width, 3].

    Args:
        plan: the maze.
        poses: [step, 9]: x, y, the heading in radians, the six ranges.
        every: steps per frame; the last step is always drawn.
    """
    background = _background(plan, 2.0)
    _walls(background, plan, 3.0)
    shown = sorted({*range(0, len(poses), every), len(poses) - 1})
    frames, before = [], 0
    for step in shown:
        background.discs(poses[before : step + 1, :2], 1.5, _ROBOT)
        before = step
        frames.append(_robot(background.copy(), poses[step]).pixels)
    return torch.stack([frame.mul(255).round().to(torch.uint8) for frame in frames])


def _robot(canvas: Canvas, pose: Tensor) -> Canvas:
    place, heading, ranges = pose[:2], pose[2], pose[3:]
    angles = heading + torch.tensor(RAYS) * (torch.pi / 180)
    directions = torch.stack((angles.cos(), angles.sin()), 1)
    for way, reach in zip(directions, ranges, strict=True):
        canvas.segment(place, place + way * reach, 1.5, _RAY)
    canvas.discs(place[None], 2 * RADIUS, _ROBOT)
    canvas.segment(place, place + directions[RAYS.index(0)] * RADIUS, 3.0, _BACKGROUND)
    return canvas


def _background(plan: FloorPlan, scale: float) -> Canvas:
    """Canvas with start and goal, and a margin around the walls."""
    xs = [x for wall in plan.walls for x in wall[::2]]
    ys = [y for wall in plan.walls for y in wall[1::2]]
    sides = (min(xs) - _MARGIN, min(ys) - _MARGIN, max(xs) + _MARGIN, max(ys) + _MARGIN)
    canvas = Canvas(*sides, scale=scale, background=_BACKGROUND)
    canvas.discs(torch.tensor([plan.start]), scale * RADIUS, _START)
    canvas.discs(torch.tensor([plan.start]), scale * (RADIUS - 1), _BACKGROUND)
    goal = torch.tensor([plan.goal])
    for radius, paint in ((ARRIVAL, _GOAL), (ARRIVAL - 1, _BACKGROUND), (3.0, _GOAL)):
        canvas.discs(goal, scale * radius, paint)
    return canvas


def _walls(canvas: Canvas, plan: FloorPlan, width: float) -> None:
    for x1, y1, x2, y2 in plan.walls:
        canvas.segment(torch.tensor([x1, y1]), torch.tensor([x2, y2]), width, _WALL)
