"""Pool of idle environments."""

import warnings
from typing import Any

import gymnasium


class Pool:
    """Idle environments of one id."""

    def __init__(self, name: str, options: dict[str, Any], limit: int) -> None:
        self.name, self._options, self._limit = name, options, limit
        self.logged_errors: set[type[Exception]] = set()
        self._idle: list[gymnasium.Env[Any, Any]] = []

    def take(self) -> gymnasium.Env[Any, Any]:
        return self._idle.pop() if self._idle else self.make()

    def give(self, environment: gymnasium.Env[Any, Any]) -> None:
        self._idle.append(environment)

    def make(self, **options: Any) -> gymnasium.Env[Any, Any]:
        """New environment, with a time limit if it has none; gymnasium's warnings are suppressed."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            environment = gymnasium.make(self.name, disable_env_checker=True, **(self._options | options))
        has_limit = environment.spec is not None and environment.spec.max_episode_steps is not None
        return environment if has_limit else gymnasium.wrappers.TimeLimit(environment, self._limit)

    def make_vector(self) -> gymnasium.vector.VectorEnv[Any, Any, Any]:
        return gymnasium.make_vec(self.name, 1, vectorization_mode="vector_entry_point", **self._options)
