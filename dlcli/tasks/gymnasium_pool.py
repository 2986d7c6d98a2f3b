"""Environments that wait to be played."""

from typing import Any

import gymnasium


class Pool:
    """Environments of one id that nobody plays at the moment."""

    def __init__(self, name: str, options: dict[str, Any]) -> None:
        self.name, self._options = name, options
        self._idle: list[gymnasium.Env[Any, Any]] = []

    def take(self) -> gymnasium.Env[Any, Any]:
        return self._idle.pop() if self._idle else self.make()

    def give(self, environment: gymnasium.Env[Any, Any]) -> None:
        self._idle.append(environment)

    def make(self, **more: Any) -> gymnasium.Env[Any, Any]:
        return gymnasium.make(self.name, disable_env_checker=True, **(self._options | more))

    def make_vector(self) -> gymnasium.vector.VectorEnv[Any, Any, Any]:
        return gymnasium.make_vec(self.name, 1, vectorization_mode="vector_entry_point", **self._options)
