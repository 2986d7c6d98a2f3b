"""The hard maze: its robots against a scalar loop, whoever else is there; where the reward leads; what is drawn."""

import math
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[4]))

from helpers.errors import usage_error

from benchmarks.maze_reference import Robot
from dlcli.core.population import FitnessTask, PlotsBehavior, Renderable
from dlcli.tasks.control.maze.geometry import EASY, HARD, Walls
from dlcli.tasks.control.maze.maze import EasyMaze, HardMaze
from dlcli.tasks.control.maze.picture import color
from dlcli.tasks.control.maze.robots import Robots

SIZES = {"episodes": 1, "valid_episodes": 1, "test_episodes": 200, "lanes": 200}


class Net(nn.Module):
    """11-16-2, elementwise but for sums, so that its answers do not depend on who else asks."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.zeros(16, 11)), nn.Parameter(torch.zeros(2, 16))
        self.c = nn.Parameter(torch.zeros(2))

    def forward(self, x):
        hidden = (x[..., None, :] * self.a).sum(-1).tanh()
        return (hidden[..., None, :] * self.b).sum(-1) + self.c


class Ahead(nn.Module):
    """Straight on as fast as it can, if `speed` is more than a half."""

    def __init__(self, turn=0.0, speed=1.0):
        super().__init__()
        self.output = nn.Parameter(torch.tensor([turn, speed]))

    def forward(self, x):
        return self.output.expand(len(x), 2)


def told(robots, seed):
    random = torch.Generator().manual_seed(seed)
    return torch.randn(20, robots, 2, generator=random).repeat_interleave(20, 0) + torch.tensor([0.0, 0.3])


def population(count, seed=0):
    random = torch.Generator().manual_seed(seed)
    return {name: torch.randn(count, *p.shape, generator=random) for name, p in Net().named_parameters()}


@pytest.mark.parametrize("plan", [HARD, EASY], ids=["hard", "easy"])
def test_robots_move_and_see_as_one_at_a_time_in_plain_python(plan):
    outputs = told(3, 1)
    many = Robots(plan, Walls(plan.walls), 3)
    ones = [Robot(plan) for _ in range(3)]
    seen = many.reset()
    for output in outputs:
        for row, one in enumerate(ones):
            torch.testing.assert_close(seen[row], torch.tensor(one.see()), rtol=1e-3, atol=1e-4)
            one.step(*output[row].tolist())
        seen = many.step(output).observation
        places = torch.tensor([[one.x, one.y] for one in ones], dtype=torch.float64)
        torch.testing.assert_close(many.place.t(), places, rtol=0, atol=1e-9)


def test_the_first_sight_is_hand_computed():
    seen = Robots(HARD, Walls(HARD.walls), 1).reset()[0]
    # From (36, 184) with heading 0: -90 is up (y - ), where the wall from (6, 80) to (33, 121) ends left of x = 36 and
    # that from (4, 49) to (57, 53) is 133 away; 90 is down to the wall from (7, 202) to (195, 198) at x = 36.
    assert seen[0] == 1
    assert seen[1] == 1
    assert float(seen[5]) == pytest.approx((202 - 4 * 29 / 188 - 184) / 100, abs=1e-5)
    # -180 is left, to the wall from (4, 49) to (7, 202) at y = 184.
    assert float(seen[6]) == pytest.approx((36 - (4 + 3 * 135 / 153)) / 100, abs=1e-5)
    # The goal is at -92 degrees: in the quarter from 225 to 315 degrees.
    assert seen[7:].tolist() == [0, 0, 0, 1]


def test_speed_is_reached_by_steps_of_a_fifth_and_a_robot_turns_after_it_moved():
    robots = Robots(HARD, Walls(HARD.walls), 1)
    robots.reset()
    robots.step(torch.tensor([[9.0, 9.0]]))
    assert robots.place[:, 0].tolist() == pytest.approx([36.2, 184.0])
    assert math.degrees(float(robots.heading)) == pytest.approx(0.2)
    robots.step(torch.tensor([[9.0, 9.0]]))
    assert float(robots.place[0, 0]) == pytest.approx(36.2 + 0.4 * math.cos(math.radians(0.2)))
    assert math.degrees(float(robots.heading)) == pytest.approx(0.6)


def test_no_robot_ever_touches_a_wall_and_all_stay_inside():
    robots = Robots(HARD, Walls(HARD.walls), 50)
    robots.reset()
    for output in told(50, 2):
        robots.step(output)
        assert bool(robots._walls.clear(robots._walls.frame(*robots.place), 8.0).all())
    assert bool(((robots.place > 0) & (robots.place < 205)).all())


@pytest.mark.parametrize("count", [1, 2, 7, 33])
def test_an_individual_is_rated_the_same_whoever_is_beside_it(count):
    task, everyone = HardMaze(**SIZES), population(40)
    batches = [task.batch("train", 0)]
    together = task.rate(Net(), everyone, batches)
    some = {name: value[3 : 3 + count] for name, value in everyone.items()}
    alone = task.rate(Net(), some, batches)
    assert torch.equal(alone.fitness, together.fitness[3 : 3 + count])
    assert torch.equal(alone.behaviour, together.behaviour[3 : 3 + count])
    assert torch.equal(alone.cost, together.cost[3 : 3 + count])


def test_fitness_is_minus_the_distance_from_where_it_ended():
    task = HardMaze(**SIZES)
    rating = task.rate(Net(), population(20), [task.batch("train", 0)])
    away = (rating.behaviour.double() - torch.tensor(HARD.goal)).norm(dim=1)
    torch.testing.assert_close(rating.fitness, -away, rtol=0, atol=1e-4)
    assert rating.cost.tolist() == [400] * 20


def test_the_corridor_is_closed_in_the_hard_maze_and_open_in_the_easy_one():
    """A robot that turns up and follows the corridor: below the wall, or at the goal before its time is over."""
    ends = {}
    for kind in (HardMaze, EasyMaze):
        robots = kind(**SIZES).simulate(torch.zeros(1, dtype=torch.int64))
        robots.reset()
        step = 0
        while step < 400:
            step += 1
            x, y = robots.place[:, 0].tolist()
            wanted = math.atan2(20 - y, (44 if y > 90 else 31) - x)
            off = math.remainder(wanted - float(robots.heading), 2 * math.pi)
            outcome = robots.step(torch.tensor([[off, 0.5 if abs(off) < 0.3 else 0.0]]))
            if outcome.over.all():
                break
        scores = robots.end(torch.tensor([0])).scores
        ends[kind] = (step, float(scores["success_rate"]), float(scores["distance"]), float(outcome.reward))
    steps, solved, distance, reward = ends[HardMaze]
    assert (steps, solved) == (400, 0)
    assert 38 < distance < 45
    assert reward == -distance
    steps, solved, distance, reward = ends[EasyMaze]
    assert steps < 250
    assert solved == 1
    assert distance < 10
    assert reward == -distance


def test_a_policy_that_answers_nothing_fails_alone():
    task, everyone = HardMaze(**SIZES), population(3)
    everyone["c"][1] = torch.nan
    rating = task.rate(Net(), everyone, [task.batch("train", 0)])
    assert rating.fitness.isnan().tolist() == [False, True, False]
    whole = {name: value[[0, 2]] for name, value in everyone.items()}
    assert torch.equal(task.rate(Net(), whole, [task.batch("train", 0)]).fitness, rating.fitness[[0, 2]])


def test_its_scores_are_those_of_a_task():
    task = HardMaze(**SIZES)
    metrics = task.metrics(Ahead(), task.batch("test", 0)).values
    assert set(metrics) == {"return", "length", "success_rate", "distance"}
    assert len(metrics["success_rate"].total) == 200
    assert metrics["distance"].total.unique().numel() == 1


def test_a_picture_has_dots_where_robots_ended_in_the_colours_of_their_generations():
    task = HardMaze(**SIZES)
    places = torch.tensor([[100.0, 60.0], [150.0, 60.0], [150.0, 60.0], [torch.nan, 0.0]])
    pixels = task.picture(places, torch.tensor([0, 0, 9, 9])).pixels
    assert float(pixels.min()) >= 0
    assert float(pixels.max()) <= 1

    def at(x, y):
        return pixels[int((y - 5 + 8) * 4), int((x - 3 + 8) * 4)].tolist()

    assert at(100, 60) == pytest.approx(color(0.0), abs=1e-6)
    assert at(150, 60) == pytest.approx(color(1.0), abs=1e-6)  # the later one on top
    assert at(100, 50) == [1, 1, 1]
    assert max(at(56, 100)) < 0.3  # a wall
    assert at(31, 20)[0] > 0.8  # the goal
    assert task.picture(torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64)).pixels.shape == pixels.shape


def test_a_film_shows_the_way():
    task = EasyMaze(**SIZES)
    film, rate = task.frames(Ahead(), 0)
    assert film.dtype == torch.uint8
    assert film.shape[0] == 101
    assert film.shape[-1] == 3
    assert rate == 25
    assert not torch.equal(film[0], film[-1])


def test_it_is_what_the_contract_wants():
    task = HardMaze(**SIZES)
    assert isinstance(task, FitnessTask)
    assert isinstance(task, PlotsBehavior)
    assert isinstance(task, Renderable)
    with usage_error("invalid_value", key="task.test_episodes", got=0):
        HardMaze(**(SIZES | {"test_episodes": 0}))
