"""Fit of a scikit-learn estimator."""

import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.fitting import Fittable
from dlcli.core.learner import Row
from dlcli.core.task import Task


class Estimator:
    """Fit a model that is fitted to all training data at once (`Fittable`), in a single step.

    The data are the batches of the first epoch, augmented where the task augments. Warnings of the library (no
    convergence) are written to log.txt.

    Args:
        model: module with `fit`, such as a scikit-learn estimator.
        task: training split.
        seed: all draws of the fit are a function of the data and the seed.

    Raises:
        Mismatch: the model cannot be fitted in this way.
    """

    counters = ("updates", "batches", "samples")

    def __init__(self, model: nn.Module, task: Task, *, seed: int) -> None:
        if not isinstance(model, Fittable):
            raise Mismatch(
                "mismatch",
                subject="learner=estimator",
                requirement="a scikit-learn estimator as the model",
                got=type(model).__name__,
                hint="Use model=logistic_regression, model=ridge or another estimator, or learner=gradient.",
            )
        self._model, self._fits, self._task, self._seed = model, model, task, seed
        self._steps = 0

    @property
    def model(self) -> nn.Module:
        return self._model

    @property
    def finished(self) -> bool:
        """True after the fit."""
        return self._steps > 0

    def step(self) -> Row:
        inputs, target = _gather(self._task)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                self._fits.fit(inputs, target, self._seed)
            except UsageError:
                raise
            except (ValueError, TypeError) as error:
                problem = (str(error).strip().splitlines() or [type(error).__name__])[0]
                raise UsageError("invalid_data", path=type(self._task).__name__, problem=problem) from error
        self._steps += 1
        counts = {"updates": 1, "batches": self._task.size("train"), "samples": len(target)}
        return Row({}, counts, "\n".join(dict.fromkeys(str(warning.message).splitlines()[0] for warning in caught)))

    def state_dict(self) -> dict[str, Any]:
        return {"model": self._model.state_dict(), "steps": self._steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        try:
            self._model.load_state_dict(state["model"])
        except RuntimeError as error:
            raise Mismatch("damaged", path="the checkpoint", problem=str(error).splitlines()[-1].strip()) from None
        self._steps = state["steps"]


def _gather(task: Task) -> tuple[tuple[Tensor, ...], Tensor]:
    """Inputs and target of one pass over the training split."""
    batches = [task.batch("train", index) for index in range(task.size("train"))]
    inputs = tuple(torch.cat(parts) for parts in zip(*(batch.inputs for batch in batches), strict=True))
    return inputs, torch.cat([batch.target for batch in batches])
