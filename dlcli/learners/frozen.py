"""A model that is not trained."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from dlcli.core.errors import Mismatch
from dlcli.core.learner import Row
from dlcli.core.task import Task


class Frozen:
    """A model as it is built: an iterative algorithm, or an untrained baseline. It may have no parameters.

    The single step changes nothing and consumes nothing; the model is scored once.

    Args:
        model: module that is scored.
        task: not read.
    """

    counters = ("updates", "batches", "samples")

    def __init__(self, model: nn.Module, task: Task) -> None:
        self._model, self._steps = model, 0

    @property
    def model(self) -> nn.Module:
        return self._model

    @property
    def finished(self) -> bool:
        """True after the first step."""
        return self._steps > 0

    def step(self) -> Row:
        self._steps += 1
        return Row({}, dict.fromkeys(self.counters, 0))

    def state_dict(self) -> dict[str, Any]:
        return {"model": self._model.state_dict(), "steps": self._steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        try:
            self._model.load_state_dict(state["model"])
        except RuntimeError as error:
            raise Mismatch("damaged", path="the checkpoint", problem=str(error).splitlines()[-1].strip()) from None
        self._steps = state["steps"]
