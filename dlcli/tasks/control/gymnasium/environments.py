"""Any environment of gymnasium."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from dlcli.core.errors import Missing, UsageError, nearest
from dlcli.core.metric import Metric
from dlcli.core.population import Policies
from dlcli.core.spec import Spec
from dlcli.tasks.control.environment import RETURN, Environment
from dlcli.tasks.control.episode_loop import Simulator

try:
    import gymnasium
    import numpy as np

    from dlcli.tasks.control.gymnasium.pool import Pool
    from dlcli.tasks.control.gymnasium.rows import OneByOne
    from dlcli.tasks.control.gymnasium.spaces import hand, sight
    from dlcli.tasks.control.gymnasium.vectorized import Vectorised, vector_of
except ModuleNotFoundError as error:
    if error.name != "gymnasium":
        raise
    raise Missing("task=gymnasium needs gymnasium\nGet it: pip install 'dlcli[gym]'") from None

_RATE = 30.0  # frames a second of environments that do not say it


class Gymnasium(Environment):
    """An environment by its id, each episode reset with its own seed.

    Observations: an array of numbers as it is, bytes in [0, 1], pictures of them as (channel, height, width), one of
    several as so many numbers. Actions: the one of several with the highest score, or values clipped to their bounds.
    The characterisation is the last observation. An episode in which the environment raises, or gives or gets NaN,
    failed: its return is NaN.

    An id whose vectorised form plays as the single one does, to the bit, is played through it (CartPole-v1).

    Args:
        id: as gymnasium knows it; `module:Name-v0` imports the module first.
        limit: steps after which an episode is cut off, where the environment has no limit of its own.
        options: keywords of `gymnasium.make` (`max_episode_steps: 200`, and what the environment itself takes).
        episodes, valid_episodes, test_episodes, lanes: as of every environment.

    Raises:
        UsageError: the id or a keyword is unknown, or a space is none that a policy can serve.
        Missing: a package that the environment needs is not there.
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
            raise UsageError(f"task.limit is at least 1, not {limit}")
        self._pool = Pool(id, dict(options), limit)
        single = _opened(self._pool)
        self._sight = sight(single.observation_space, id)
        self._hand = hand(single.action_space, id)
        super().__init__(
            Spec((self._sight.part,), self._hand.part),
            RETURN.goal,
            episodes=episodes,
            valid_episodes=valid_episodes,
            test_episodes=test_episodes,
            lanes=lanes,
            scores=(Metric("failed", "min"),),
            actions=self._hand.range(),
        )
        self._pool.give(single)
        self._single = single
        self._vector = vector_of(self._pool, self._sight, self._hand)

    def simulate(self, seeds: Tensor) -> Simulator:
        if self._vector is None:
            return OneByOne(self._pool, self._sight, self._hand, seeds)
        return Vectorised(self._vector, self._single, self._sight, self._hand, seeds)

    def frames(self, model: nn.Module, seed: int) -> tuple[Tensor, float]:
        """What the environment itself draws of every step.

        Raises:
            UsageError: it draws nothing.
            Missing: what draws it is not there.
        """
        name = self._pool.name
        if "rgb_array" not in self._single.metadata.get("render_modes", []):
            raise UsageError(f"{name} has no pictures: it does not know render_mode=rgb_array")
        environment = _opened(self._pool, render_mode="rgb_array")
        try:
            pictures = self._filmed(environment, model, seed)
        except gymnasium.error.DependencyNotInstalled as error:
            raise Missing(f"drawing {name}: {error}") from None
        finally:
            environment.close()
        return torch.from_numpy(pictures), float(environment.metadata.get("render_fps", _RATE))

    def _filmed(self, environment: "gymnasium.Env[Any, Any]", model: nn.Module, seed: int) -> "np.ndarray":
        with torch.no_grad():
            policy, over = Policies(model, None, 1), False
            observation, _ = environment.reset(seed=seed)
            pictures: list[Any] = [environment.render()]
            while not over:
                action = self._hand(policy(self._sight([observation])[None])[0])[0]
                observation, _, ended, cut, _ = environment.step(action)
                over = bool(ended or cut)
                pictures.append(environment.render())
        return np.stack(pictures).astype(np.uint8)


def _opened(pool: "Pool", **more: Any) -> "gymnasium.Env[Any, Any]":
    """A new environment; what gymnasium says of what is wrong, as ours."""
    try:
        return pool.make(**more)
    except gymnasium.error.DependencyNotInstalled as error:
        raise Missing(f"task.id={pool.name}: {error}") from None
    except gymnasium.error.DeprecatedEnv as error:
        raise UsageError(f"task.id={pool.name}: {error}") from None
    except gymnasium.error.UnregisteredEnv:
        raise UsageError(f"gymnasium has no {pool.name}{nearest(pool.name, gymnasium.registry)}") from None
    except ModuleNotFoundError as error:
        raise Missing(f"task.id={pool.name} needs the module {error.name}: {error}") from None
    except Exception as error:  # noqa: BLE001 - whatever a third party's environment raises
        raise UsageError(f"task.id={pool.name}: {type(error).__name__}: {error}") from None
