"""Environments that wait to be played."""

import warnings
from typing import Any

import gymnasium


class Pool:
    """Environments of one id that nobody plays at the moment."""

    def __init__(self, name: str, options: dict[str, Any], limit: int) -> None:
        self.name, self._options, self._limit = name, options, limit
        self.told: set[type[Exception]] = set()
        self._idle: list[gymnasium.Env[Any, Any]] = []

    def take(self) -> gymnasium.Env[Any, Any]:
        return self._idle.pop() if self._idle else self.make()

    def give(self, environment: gymnasium.Env[Any, Any]) -> None:
        self._idle.append(environment)

    def make(self, **more: Any) -> gymnasium.Env[Any, Any]:
        """A new one, cut off after the limit where it has none of its own; gymnasium's warnings are not ours to say."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = gymnasium.make(self.name, disable_env_checker=True, **(self._options | more))
        own = made.spec is not None and made.spec.max_episode_steps is not None
        return made if own else gymnasium.wrappers.TimeLimit(made, self._limit)

    def make_vector(self) -> gymnasium.vector.VectorEnv[Any, Any, Any]:
        return gymnasium.make_vec(self.name, 1, vectorization_mode="vector_entry_point", **self._options)
