"""Episodes of a task as a vector environment of stable-baselines3."""

from typing import Any

import numpy as np
import torch
from stable_baselines3.common.vec_env.base_vec_env import VecEnv, VecEnvIndices, VecEnvStepReturn
from torch import Tensor

from dlcli.core.episode import PlayableTask, VectorEnvironment
from dlcli.learners.rl.action_space import ActionSpace, unbounded
from dlcli.learners.rl.episode_stream import MeanAccumulator, SeedStream


class EpisodeVecEnv(VecEnv):
    """Vector environment of `count` parallel episodes, each of which is followed by a new one.

    A simulator cannot accept new rows, so episodes that start together share a simulator and are removed from it when
    they end: with episodes of equal length there is one simulator, at worst one per lane. An episode whose reward or
    observation is not finite ends without that reward and counts as failed. The end of an episode is terminal for the
    agent, including truncation by the task.

    Args:
        task: task whose training episodes are played, each once.
        shape: shape of an observation.
        count: number of lanes (parallel episodes).
        action_space: actions of the agent.
        scale: factor of the rewards of the agent.
    """

    def __init__(
        self, task: PlayableTask, shape: tuple[int, ...], count: int, action_space: ActionSpace, scale: float
    ) -> None:
        super().__init__(count, unbounded(shape), action_space.space)
        self._task, self._actions, self._scale = task, action_space, scale
        self._stream = SeedStream(task)
        self._groups: list[_EpisodeGroup] = []
        self._observation = torch.zeros(count, *shape)
        self._total = torch.zeros(count, dtype=torch.float64)
        self._pending = np.zeros(0)
        self.means = MeanAccumulator()

    def reset(self) -> np.ndarray:
        self._groups = []
        self._begin(torch.arange(self.num_envs))
        return self._observation.numpy().copy()

    def _begin(self, lanes: Tensor) -> None:
        """Start new episodes in the given lanes."""
        simulator = self._task.simulate(self._stream.take(len(lanes)))
        self._observation[lanes] = simulator.reset()
        self._total[lanes] = 0.0
        self._groups.append(_EpisodeGroup(simulator, lanes))

    def step_async(self, actions: np.ndarray) -> None:
        self._pending = actions

    def step_wait(self) -> VecEnvStepReturn:
        output = self._actions.to_output(self._pending)
        reward = torch.zeros(self.num_envs, dtype=torch.float64)
        over = torch.zeros(self.num_envs, dtype=torch.bool)
        for group in self._groups:
            outcome = group.play(output[group.lane])
            self._observation[group.lane] = outcome.observation
            reward[group.lane] = outcome.reward
            over[group.lane] = outcome.over
        # Only observations of running episodes are used again: the last one of an episode may be arbitrary.
        failed = ~reward.isfinite() | (~over & ~self._observation.flatten(1).isfinite().all(1))
        reward = reward.masked_fill(failed, 0.0)
        self._total += reward
        infos = self._finish(over | failed, failed)
        return self._observation.numpy().copy(), (self._scale * reward).float().numpy(), (over | failed).numpy(), infos

    def _finish(self, over: Tensor, failed: Tensor) -> list[dict[str, Any]]:
        """Record the finished episodes and start new ones in their lanes."""
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if not over.any():
            return infos
        lanes = over.nonzero()[:, 0]
        for lane, observation in zip(
            lanes.tolist(), self._observation[lanes].nan_to_num(0.0, 0.0, 0.0).numpy(), strict=True
        ):
            infos[lane]["terminal_observation"] = observation
        self.means.add({"return": self._total[lanes], "failed": failed[lanes].double()})
        for group in self._groups:
            group.leave(over[group.lane], failed[group.lane], self.means)
        self._groups = [group for group in self._groups if len(group.lane)]
        self._begin(lanes)
        return infos

    def close(self) -> None:
        self._groups = []

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        if attr_name != "render_mode":
            raise AttributeError(attr_name)
        return [None for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        raise AttributeError(attr_name)

    def env_method(self, method_name: str, *args: Any, indices: VecEnvIndices = None, **kwargs: Any) -> list[Any]:
        raise AttributeError(method_name)

    def env_is_wrapped(self, wrapper_class: type, indices: VecEnvIndices = None) -> list[bool]:
        return [False for _ in self._get_indices(indices)]


class _EpisodeGroup:
    """Episodes that started together, and the lane of each row of their simulator."""

    def __init__(self, simulator: VectorEnvironment, lane: Tensor) -> None:
        self._simulator, self.lane, self.play = simulator, lane, simulator.step

    def leave(self, over: Tensor, failed: Tensor, means: MeanAccumulator) -> None:
        """Remove finished rows and record their results, unless they failed."""
        if not over.any():
            return
        completed = (over & ~failed).nonzero()[:, 0]
        if len(completed):
            scores = self._simulator.end(completed).scores
            means.add({name: values for name, values in scores.items() if name != "failed"})
        self._simulator.keep((~over).nonzero()[:, 0])
        self.lane = self.lane[~over]
