"""Pictures of mazes: where a population's robots ended, and the way of one."""

import torch
from torch import Tensor

from dlcli.tasks.control.maze.canvas import Canvas, Colour
from dlcli.tasks.control.maze.geometry import Plan
from dlcli.tasks.control.maze.robots import ARRIVAL, RADIUS, RAYS

_PAPER = (1.0, 1.0, 1.0)
_WALL = (0.13, 0.14, 0.17)
_START = (0.55, 0.57, 0.6)
_GOAL = (0.84, 0.12, 0.16)
_ROBOT = (0.12, 0.42, 0.72)
_RAY = (0.72, 0.78, 0.85)
_MARGIN = 8.0

# Viridis (van der Walt & Smith 2015) at equal distances, without its palest end.
_VIRIDIS = torch.tensor(
    [
        [0.267, 0.005, 0.329], [0.283, 0.141, 0.458], [0.254, 0.265, 0.530], [0.207, 0.372, 0.553],
        [0.164, 0.471, 0.558], [0.128, 0.567, 0.551], [0.135, 0.659, 0.518], [0.267, 0.749, 0.441],
        [0.478, 0.821, 0.318], [0.741, 0.873, 0.150],
    ]
)  # fmt: skip


def colour(part: float) -> Colour:
    """From the first, 0, to the last, 1."""
    at = part * (len(_VIRIDIS) - 1)
    low = min(int(at), len(_VIRIDIS) - 2)
    red, green, blue = _VIRIDIS[low].lerp(_VIRIDIS[low + 1], at - low).tolist()
    return red, green, blue


def scatter(plan: Plan, places: Tensor, generation: Tensor) -> Tensor:
    """[height, width, 3]: a dot where each robot ended, its colour the generation, from violet to yellow.

    Args:
        places: [n, 2].
        generation: [n].
    """
    canvas = _ground(plan, 4.0)
    known = places.isfinite().all(1)
    places, generation = places[known], generation[known]
    numbers = generation.unique().tolist()
    first, last = (min(numbers), max(numbers)) if numbers else (0, 0)
    for number in numbers:
        dots = places[generation == number]
        canvas.discs(dots, 2.6, colour((number - first) / max(last - first, 1)))
    _walls(canvas, plan, 5.0)
    return canvas.pixels


def film(plan: Plan, poses: Tensor, every: int) -> Tensor:
    """uint8 [frame, height, width, 3]: a robot's way so far, and how far its rangefinders see.

    Args:
        poses: [step, 9], x, y, the heading in radians, the six ranges.
        every: steps from frame to frame; the last step has one too.
    """
    ground = _ground(plan, 2.0)
    _walls(ground, plan, 3.0)
    shown = sorted({*range(0, len(poses), every), len(poses) - 1})
    frames, before = [], 0
    for step in shown:
        ground.discs(poses[before : step + 1, :2], 1.5, _ROBOT)
        before = step
        frames.append(_robot(ground.copy(), poses[step]).pixels)
    return torch.stack([frame.mul(255).round().to(torch.uint8) for frame in frames])


def _robot(canvas: Canvas, pose: Tensor) -> Canvas:
    place, heading, ranges = pose[:2], pose[2], pose[3:]
    angles = heading + torch.tensor(RAYS) * (torch.pi / 180)
    ways = torch.stack((angles.cos(), angles.sin()), 1)
    for way, reach in zip(ways, ranges, strict=True):
        canvas.segment(place, place + way * reach, 1.5, _RAY)
    canvas.discs(place[None], 2 * RADIUS, _ROBOT)
    canvas.segment(place, place + ways[RAYS.index(0)] * RADIUS, 3.0, _PAPER)
    return canvas


def _ground(plan: Plan, scale: float) -> Canvas:
    """Start and goal on paper, with a margin around the walls."""
    xs = [x for wall in plan.walls for x in wall[::2]]
    ys = [y for wall in plan.walls for y in wall[1::2]]
    sides = (min(xs) - _MARGIN, min(ys) - _MARGIN, max(xs) + _MARGIN, max(ys) + _MARGIN)
    canvas = Canvas(*sides, scale=scale, paper=_PAPER)
    canvas.discs(torch.tensor([plan.start]), scale * RADIUS, _START)
    canvas.discs(torch.tensor([plan.start]), scale * (RADIUS - 1), _PAPER)
    goal = torch.tensor([plan.goal])
    for ring, paint in ((ARRIVAL, _GOAL), (ARRIVAL - 1, _PAPER), (3.0, _GOAL)):
        canvas.discs(goal, scale * ring, paint)
    return canvas


def _walls(canvas: Canvas, plan: Plan, width: float) -> None:
    for x1, y1, x2, y2 in plan.walls:
        canvas.segment(torch.tensor([x1, y1]), torch.tensor([x2, y2]), width, _WALL)
