"""Robots that look for a goal in a maze; reward alone leads them into a dead end."""

import torch
from torch import Tensor, nn

from dlcli.core.learner import Image
from dlcli.core.metric import Metric
from dlcli.core.population import Policies
from dlcli.core.spec import Real, Spec
from dlcli.tasks.control.environment import Environment
from dlcli.tasks.control.maze.geometry import EASY, HARD, Plan, Walls
from dlcli.tasks.control.maze.picture import film, scatter
from dlcli.tasks.control.maze.robots import Robots

_EVERY = 4  # steps from one frame of a film to the next
_RATE = 25.0  # frames a second


SUCCESS = Metric("success_rate", "max", ties="last")
"""Share of episodes that reach the goal: 0 until it is 1, so that the latest of equal checkpoints is kept."""


class _Maze(Environment):
    """A robot of radius 8 that sees walls and where the goal lies, and sets its turning and its speed.

    Inputs: 1; rangefinders at -90, -45, 0, 45, 90 and -180 degrees to the heading, up to 100 units, divided by 100; the
    goal ahead, to 90 degrees, behind, or to 270 degrees (one of four is 1). Outputs, clipped to [-0.5, 0.5], are six
    times less than the angular velocity (degrees a step) and the speed (units a step) that are wanted; either changes
    by at most 0.2 a step and stays within 3. A step moves with the heading so far, then turns; a move into a wall is
    cancelled.

    An episode ends when the goal is nearer than 10, or after 400 steps. The reward of its last step is minus the
    distance to the goal then, of all others 0; the characterisation is where it ended, (x, y).
    """

    distinct = 1

    def __init__(self, plan: Plan, *, episodes: int, valid_episodes: int, test_episodes: int, lanes: int) -> None:
        super().__init__(
            Spec((Real((11,)),), Real((2,))),
            SUCCESS.goal,
            episodes=episodes,
            valid_episodes=valid_episodes,
            test_episodes=test_episodes,
            lanes=lanes,
            scores=(SUCCESS, Metric("distance", "min", "units")),
            actions=(torch.full((2,), -0.5), torch.full((2,), 0.5)),
        )
        self._plan, self._walls = plan, Walls(plan.walls)

    def simulate(self, seeds: Tensor) -> Robots:
        return Robots(self._plan, self._walls, len(seeds))

    def picture(self, behaviour: Tensor, generation: Tensor) -> Image:
        """Where robots ended, coloured by generation, the latest on top."""
        return Image(scatter(self._plan, behaviour, generation))

    def frames(self, model: nn.Module, seed: int) -> tuple[Tensor, float]:
        """A robot's way and what it sees, every fourth step."""
        with torch.no_grad():
            robots, policy = self.simulate(torch.tensor([seed])), Policies(model, None, 1)
            poses, over, seen = [robots.pose()], False, robots.reset()
            while not over:
                outcome = robots.step(policy(seen[None])[0])
                over, seen = bool(outcome.over), outcome.observation
                poses.append(robots.pose())
            return film(self._plan, torch.stack(poses), _EVERY), _RATE


class HardMaze(_Maze):
    """The hard maze: the corridor that leads straight to the goal is closed by a wall in front of it.

    Paper: Lehman & Stanley 2011, Evolutionary Computation 19(2), section 4; geometry and dynamics as in the code of
    Such et al. 2017, arXiv:1712.06567. Differs: a robot that has reached the goal stops there (theirs goes on for all
    400 steps); what it sees are these 11 numbers (the paper's Image Hard Maze shows pictures of the maze). Nothing is
    random, so one episode says all.

    Args:
        episodes, valid_episodes, test_episodes, lanes: as of every environment.

    Raises:
        UsageError: a number is below 1.
    """

    def __init__(self, *, episodes: int, valid_episodes: int, test_episodes: int, lanes: int) -> None:
        super().__init__(
            HARD, episodes=episodes, valid_episodes=valid_episodes, test_episodes=test_episodes, lanes=lanes
        )


class EasyMaze(_Maze):
    """The hard maze without the wall that closes the dead end below the goal: who follows the reward arrives.

    Ours, no paper's: what an algorithm that climbs the reward can do, beside the maze in which it cannot. Random search
    arrives too, if later, so it tells nothing about which algorithm is better.

    Args:
        episodes, valid_episodes, test_episodes, lanes: as of every environment.

    Raises:
        UsageError: a number is below 1.
    """

    def __init__(self, *, episodes: int, valid_episodes: int, test_episodes: int, lanes: int) -> None:
        super().__init__(
            EASY, episodes=episodes, valid_episodes=valid_episodes, test_episodes=test_episodes, lanes=lanes
        )
