"""Environments of gymnasium."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from dlcli.core.errors import Missing, UsageError, install_command
from dlcli.core.metric import Metric
from dlcli.core.population import PolicyPopulation
from dlcli.core.spec import Spec
from dlcli.tasks.control.environment import RETURN, Environment
from dlcli.tasks.control.episode_loop import VectorEnvironment

try:
    import gymnasium
    import numpy as np

    from dlcli.tasks.control.gymnasium.pool import Pool
    from dlcli.tasks.control.gymnasium.rows import SequentialRows
    from dlcli.tasks.control.gymnasium.spaces import action_decoder, observation_encoder
    from dlcli.tasks.control.gymnasium.vectorized import VectorizedRows, matching_vector_env
except ModuleNotFoundError as error:
    if error.name != "gymnasium":
        raise
    hint = f"Install it: {install_command('gym')}"
    raise Missing("missing_package", feature="task=gymnasium", package="gymnasium", hint=hint) from None

_RATE = 30.0  # frames per second of environments that do not declare it


class Gymnasium(Environment):
    """Gymnasium environment; each episode is reset with its own seed.

    Observations: arrays of numbers unchanged, uint8 arrays scaled to [0, 1], uint8 images as (channel, height, width),
    discrete observations one-hot. Actions: the discrete action with the highest score, or continuous values clipped to
    their bounds. The behavior characterization is the last observation. An episode fails, with a return of NaN, if the
    environment raises an exception, or if an observation, a reward or a policy output is NaN.

    An environment whose vectorized form reproduces the single one bit by bit is run in vectorized form (CartPole-v1).

    Args:
        id: id in gymnasium's registry; `module:Name-v0` imports the module first.
        limit: maximum number of steps of an episode, for environments without a limit.
        options: keyword arguments of `gymnasium.make`, including those of the environment (`max_episode_steps: 200`).
        episodes, valid_episodes, test_episodes, lanes: see `Environment`.

    Raises:
        UsageError: the id or a keyword argument is unknown, or a space is not supported.
        Missing: a package required by the environment is not installed.
    """

    def __init__(
        self,
        *,
        id: str,
        options: Mapping[str, Any],
        limit: int,
        episodes: int,
        valid_episodes: int,
        test_episodes: int,
        lanes: int,
    ) -> None:
        if limit < 1:
            raise UsageError("invalid_value", key="task.limit", must="at least 1", got=limit)
        self._pool = Pool(id, dict(options), limit)
        single = _opened(self._pool)
        self._encode = observation_encoder(single.observation_space, id)
        self._decode = action_decoder(single.action_space, id)
        super().__init__(
            Spec((self._encode.part,), self._decode.part),
            RETURN.goal,
            episodes=episodes,
            valid_episodes=valid_episodes,
            test_episodes=test_episodes,
            lanes=lanes,
            scores=(Metric("failed", "min"),),
            actions=self._decode.range(),
        )
        self._pool.give(single)
        self._single = single
        self._vector = matching_vector_env(self._pool, self._encode, self._decode)

    def simulate(self, seeds: Tensor) -> VectorEnvironment:
        if self._vector is None:
            return SequentialRows(self._pool, self._encode, self._decode, seeds)
        return VectorizedRows(self._vector, self._single, self._encode, self._decode, seeds)

    def frames(self, model: nn.Module, seed: int) -> tuple[Tensor, float]:
        """Rendered frame of every step, uint8 [frame, height, width, 3], and the frames per second.

        Raises:
            UsageError: the environment does not support rendering to arrays.
            Missing: a package required for rendering is not installed.
        """
        name = self._pool.name
        if "rgb_array" not in self._single.metadata.get("render_modes", []):
            raise UsageError("unsupported", subject=name, feature="render_mode=rgb_array")
        environment = _opened(self._pool, render_mode="rgb_array")
        try:
            frames = self._rendered(environment, model, seed)
        except gymnasium.error.DependencyNotInstalled as error:
            raise Missing("missing_package", feature=f"rendering {name}", package=str(error)) from None
        finally:
            environment.close()
        return torch.from_numpy(frames), float(environment.metadata.get("render_fps", _RATE))

    def _rendered(self, environment: "gymnasium.Env[Any, Any]", model: nn.Module, seed: int) -> "np.ndarray":
        with torch.no_grad():
            policy, over = PolicyPopulation(model, None, 1), False
            observation, _ = environment.reset(seed=seed)
            frames: list[Any] = [environment.render()]
            while not over:
                action = self._decode(policy(self._encode([observation])[None])[0])[0]
                observation, _, ended, cut, _ = environment.step(action)
                over = bool(ended or cut)
                frames.append(environment.render())
        return np.stack(frames).astype(np.uint8)


def _opened(pool: "Pool", **options: Any) -> "gymnasium.Env[Any, Any]":
    """A new environment.

    Raises:
        UsageError: gymnasium or the environment rejects the id or the options.
        Missing: a package required by the environment is not installed.
    """
    subject = f"task.id={pool.name}"
    try:
        return pool.make(**options)
    except gymnasium.error.DependencyNotInstalled as error:
        raise Missing("missing_package", feature=subject, package=str(error)) from None
    except gymnasium.error.DeprecatedEnv as error:
        raise UsageError("invalid_data", path=subject, problem=str(error)) from None
    except gymnasium.error.UnregisteredEnv:
        known = gymnasium.registry
        raise UsageError("unknown_name", kind="gymnasium environment", name=pool.name, known=known) from None
    except ModuleNotFoundError as error:
        raise Missing("missing_package", feature=subject, package=f"{error.name} ({error})") from None
    except Exception as error:  # noqa: BLE001 - third-party environments may raise anything
        raise UsageError("invalid_data", path=subject, problem=f"{type(error).__name__}: {error}") from None
