"""A task's episodes as the vectorised environment of stable-baselines3."""

from typing import Any

import numpy as np
import torch
from stable_baselines3.common.vec_env.base_vec_env import VecEnv, VecEnvIndices, VecEnvStepReturn
from torch import Tensor

from dlcli.core.episode import Plays, Simulator
from dlcli.learners.rl.action_space import Choice, unbounded
from dlcli.learners.rl.episode_stream import Notes, Seeds


class Lanes(VecEnv):
    """As many episodes at a time as there are lanes; where one is over the next begins.

    A simulator takes no new rows, so episodes that begin together share one and leave it when they are over: with
    episodes of equal length there is one simulator, at worst one a lane. An episode whose reward or observation is not
    finite ends there, without that reward, and counts as failed. The end of an episode is terminal for the agent, also
    where a task merely cuts it off.

    Args:
        task: whose episodes of training are played, each once.
        shape: of an observation.
        count: lanes.
        choice: what the agent may do.
        scale: what the agent's rewards are multiplied with.
    """

    def __init__(self, task: Plays, shape: tuple[int, ...], count: int, choice: Choice, scale: float) -> None:
        super().__init__(count, unbounded(shape), choice.space)
        self._task, self._choice, self._scale = task, choice, scale
        self._stream = Seeds(task)
        self._crowds: list[_Crowd] = []
        self._seen = torch.zeros(count, *shape)
        self._total = torch.zeros(count, dtype=torch.float64)
        self._chosen = np.zeros(0)
        self.notes = Notes()

    def reset(self) -> np.ndarray:
        self._crowds = []
        self._begin(torch.arange(self.num_envs))
        return self._seen.numpy().copy()

    def _begin(self, lanes: Tensor) -> None:
        """New episodes in these lanes."""
        simulator = self._task.simulate(self._stream.take(len(lanes)))
        self._seen[lanes] = simulator.reset()
        self._total[lanes] = 0.0
        self._crowds.append(_Crowd(simulator, lanes))

    def step_async(self, actions: np.ndarray) -> None:
        self._chosen = actions

    def step_wait(self) -> VecEnvStepReturn:
        output = self._choice.answer(self._chosen)
        reward = torch.zeros(self.num_envs, dtype=torch.float64)
        over = torch.zeros(self.num_envs, dtype=torch.bool)
        for crowd in self._crowds:
            outcome = crowd.play(output[crowd.lane])
            self._seen[crowd.lane] = outcome.observation
            reward[crowd.lane] = outcome.reward
            over[crowd.lane] = outcome.over
        # Only what goes on is seen again: the last observation of an episode may be anything.
        failed = ~reward.isfinite() | (~over & ~self._seen.flatten(1).isfinite().all(1))
        reward = reward.masked_fill(failed, 0.0)
        self._total += reward
        infos = self._turn_over(over | failed, failed)
        return self._seen.numpy().copy(), (self._scale * reward).float().numpy(), (over | failed).numpy(), infos

    def _turn_over(self, over: Tensor, failed: Tensor) -> list[dict[str, Any]]:
        """Note what ended and begin anew in its lanes."""
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if not over.any():
            return infos
        lanes = over.nonzero()[:, 0]
        for lane, seen in zip(lanes.tolist(), self._seen[lanes].nan_to_num(0.0, 0.0, 0.0).numpy(), strict=True):
            infos[lane]["terminal_observation"] = seen
        self.notes.add({"return": self._total[lanes], "failed": failed[lanes].double()})
        for crowd in self._crowds:
            crowd.leave(over[crowd.lane], failed[crowd.lane], self.notes)
        self._crowds = [crowd for crowd in self._crowds if len(crowd.lane)]
        self._begin(lanes)
        return infos

    def close(self) -> None:
        self._crowds = []

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        if attr_name != "render_mode":
            raise AttributeError(attr_name)
        return [None for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        raise AttributeError(attr_name)

    def env_method(self, method_name: str, *args: Any, indices: VecEnvIndices = None, **more: Any) -> list[Any]:
        raise AttributeError(method_name)

    def env_is_wrapped(self, wrapper_class: type, indices: VecEnvIndices = None) -> list[bool]:
        return [False for _ in self._get_indices(indices)]


class _Crowd:
    """Episodes that began together, and the lane of each row of their simulator."""

    def __init__(self, simulator: Simulator, lane: Tensor) -> None:
        self._simulator, self.lane, self.play = simulator, lane, simulator.step

    def leave(self, over: Tensor, failed: Tensor, notes: Notes) -> None:
        """The rows that are over go; what they came to is noted, unless they failed."""
        if not over.any():
            return
        sound = (over & ~failed).nonzero()[:, 0]
        if len(sound):
            scores = self._simulator.end(sound).scores
            notes.add({name: values for name, values in scores.items() if name != "failed"})
        self._simulator.keep((~over).nonzero()[:, 0])
        self.lane = self.lane[~over]
