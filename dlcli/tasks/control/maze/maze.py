"""Deceptive maze navigation: following the reward leads into a dead end."""

import torch
from torch import Tensor, nn

from dlcli.core.learner import Image
from dlcli.core.metric import Metric
from dlcli.core.population import PolicyPopulation
from dlcli.core.spec import Real, Spec
from dlcli.tasks.control.environment import Environment
from dlcli.tasks.control.maze.geometry import EASY, HARD, FloorPlan, Walls
from dlcli.tasks.control.maze.picture import scatter, video
from dlcli.tasks.control.maze.robots import Robots

_EVERY = 4  # steps per video frame
_RATE = 25.0  # frames per second


SUCCESS = Metric("success_rate", "max", ties="last")
"""Share of episodes that reach the goal. It is 0 for a long time, so that of equal checkpoints the latest is kept."""


class _Maze(Environment):
    """Robot of radius 8 with rangefinders and a goal sensor that controls its angular velocity and speed.

    Inputs: 1; rangefinders at -90, -45, 0, 45, 90 and -180 degrees to the heading, up to 100 units, divided by 100; the
    quadrant of the goal (ahead, 90 degrees, behind, 270 degrees), one-hot. Outputs, clipped to [-0.5, 0.5] and
    multiplied by 6, are the target angular velocity (degrees per step) and speed (units per step); each changes by at
    most 0.2 per step and stays within [-3, 3]. A step moves in the direction of the current heading, then turns; a move
    into a wall is canceled.

    An episode ends when the distance to the goal is below 10, or after 400 steps. The reward of the last step is minus
    the distance to the goal, all other rewards are 0; the behavior characterization is the final position (x, y).
    """

    distinct = 1

    def __init__(self, plan: FloorPlan, *, episodes: int, valid_episodes: int, test_episodes: int, lanes: int) -> None:
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
        """Final positions of robots, colored by generation, the latest on top."""
        return Image(scatter(self._plan, behaviour, generation))

    def frames(self, model: nn.Module, seed: int) -> tuple[Tensor, float]:
        """Path and rangefinders of a robot, every fourth step."""
        with torch.no_grad():
            robots, policy = self.simulate(torch.tensor([seed])), PolicyPopulation(model, None, 1)
            poses, over, observation = [robots.pose()], False, robots.reset()
            while not over:
                outcome = robots.step(policy(observation[None])[0])
                over, observation = bool(outcome.over), outcome.observation
                poses.append(robots.pose())
            return video(self._plan, torch.stack(poses), _EVERY), _RATE


class HardMaze(_Maze):
    """Hard maze: the corridor that leads straight to the goal is closed by a wall.

    Paper: Lehman & Stanley 2011, Evolutionary Computation 19(2), section 4; geometry and dynamics as in the code of
    Such et al. 2017, arXiv:1712.06567. Differs: an episode ends at the goal (theirs continues for all 400 steps); the
    observation is 11 numbers (that of the paper's Image Hard Maze is an image of the maze). The environment is
    deterministic, so one episode suffices.

    Args:
        episodes, valid_episodes, test_episodes, lanes: see `Environment`.

    Raises:
        UsageError: a number is below 1.
    """

    def __init__(self, *, episodes: int, valid_episodes: int, test_episodes: int, lanes: int) -> None:
        super().__init__(
            HARD, episodes=episodes, valid_episodes=valid_episodes, test_episodes=test_episodes, lanes=lanes
        )


class EasyMaze(_Maze):
    """Hard maze without the wall in front of the goal: following the reward reaches the goal.

    Not from a paper; a control for algorithms that fail in the hard maze. Random search also reaches the goal, if
    later, so that the maze is no evidence for one algorithm over another.

    Args:
        episodes, valid_episodes, test_episodes, lanes: see `Environment`.

    Raises:
        UsageError: a number is below 1.
    """

    def __init__(self, *, episodes: int, valid_episodes: int, test_episodes: int, lanes: int) -> None:
        super().__init__(
            EASY, episodes=episodes, valid_episodes=valid_episodes, test_episodes=test_episodes, lanes=lanes
        )
