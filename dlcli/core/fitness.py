"""Adapter from supervised tasks to fitness tasks: the fitness is the negative loss."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from dlcli.core.errors import Mismatch
from dlcli.core.evaluation_mode import evaluation_mode
from dlcli.core.population import FitnessTask, Rating, Stacked
from dlcli.core.rng import normal_vector, reseed
from dlcli.core.task import Batch, SupervisedTask, Task

_MAX_BEHAVIOR = 64  # values of a behavior characterization
_SIGNS = 0x516  # seed of the random projection of longer behaviors
_RATING = 0x4A7E  # random stream of fitness evaluation, independent of that of training


def as_fitness_task(task: Task) -> FitnessTask:
    """Return the task if it rates populations, or the adapter of a supervised task.

    Raises:
        Mismatch: the task neither rates populations nor has a loss.
    """
    if isinstance(task, FitnessTask):
        return task
    if isinstance(task, SupervisedTask):
        return NegativeLossFitness(task)
    requirement = "a task that rates populations or has a loss"
    raise Mismatch("mismatch", subject="evolution", requirement=requirement, got=type(task).__name__)


class NegativeLossFitness:
    """Fitness task of a supervised task: the negative loss on the batches, and the outputs on a probe as behavior.

    The probe is the largest number of first validation rows for which the behavior has at most 64 values;
    wider outputs are projected by random signs (count sketch; Charikar, Chen & Farach-Colton 2002, ICALP). Recurrent
    models start each batch without a carry. Models that `vmap` does not support (nn.GRU, nn.LSTM) are evaluated one by
    one.

    Args:
        task: supervised task.
    """

    counter = "samples"

    def __init__(self, task: SupervisedTask) -> None:
        self._task = task
        self._one_by_one: set[type[nn.Module]] = set()
        self._probe: tuple[Tensor, ...] | None = None

    def rate(self, model: nn.Module, parameters: Stacked, batches: Sequence[Batch]) -> Rating:
        with evaluation_mode(model):
            return self._rate(model, parameters, batches)

    def _rate(self, model: nn.Module, parameters: Stacked, batches: Sequence[Batch]) -> Rating:
        count = len(next(iter(parameters.values())))
        total = weight = torch.zeros(count, dtype=torch.float64)
        for batch in batches:
            value, units = self._each(_BatchLoss(model, self._task, batch), parameters, batch.inputs)
            total, weight = total + value.double().cpu() * units.double().cpu(), weight + units.double().cpu()
        outputs = self._each(_ModelOutput(model), parameters, self._probe_inputs(model))[0]
        rows = torch.full((count,), sum(len(batch) for batch in batches))
        return Rating(-total / weight.where(weight > 0, 1.0), _behavior(outputs.flatten(1).cpu().float()), rows)

    def _probe_inputs(self, model: nn.Module) -> tuple[Tensor, ...]:
        """First rows of the validation split, whose outputs are the behavior."""
        if self._probe is None:
            inputs = self._task.batch("valid", 0).inputs
            width = _output(model(*(part[:1] for part in inputs))).numel()
            self._probe = tuple(part[: max(1, _MAX_BEHAVIOR // width)] for part in inputs)
        return self._probe

    def _each(
        self, module: "_BatchLoss | _ModelOutput", parameters: Stacked, inputs: tuple[Tensor, ...]
    ) -> tuple[Tensor, ...]:
        """Outputs of the module with the parameters of every individual, stacked along the first axis."""
        named = {f"model.{name}": value for name, value in parameters.items()}

        def forward(individual: Stacked, *x: Tensor) -> Any:
            return functional_call(module, dict(individual), x)

        kind = type(module.model)
        if kind not in self._one_by_one:
            try:
                return _batched(forward, named, inputs)
            except RuntimeError as error:
                if isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error):
                    raise
                self._one_by_one.add(kind)
                reason = str(error).strip().splitlines()[0][:160]
                logging.getLogger("dlcli").info(
                    f"vmap does not support {kind.__name__}; individuals are evaluated one by one (slower): {reason}"
                )
        return _sequential(forward, named, inputs)


class _BatchLoss(nn.Module):
    """Loss of a model on a batch, and the number of units that it averages."""

    def __init__(self, model: nn.Module, task: SupervisedTask, batch: Batch) -> None:
        super().__init__()
        self.model, self._task, self._batch = model, task, batch

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        loss = self._task.loss(self.model, self._batch.with_inputs(*inputs))
        return loss.value, torch.as_tensor(loss.weight, dtype=torch.float64, device=loss.value.device)


class _ModelOutput(nn.Module):
    """Output of a model without its carry."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, *inputs: Tensor) -> tuple[Tensor]:
        return (_output(self.model(*inputs)),)


def _output(result: Any) -> Tensor:
    return result if isinstance(result, Tensor) else result[0]


def _batched(forward: Callable[..., Any], named: Stacked, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Evaluate all individuals in one call; the inputs are expanded so that every product is a batched one."""
    count = len(next(iter(named.values())))
    return vmap(forward, randomness="error")(named, *(part.expand(count, *part.shape) for part in inputs))


def _sequential(forward: Callable[..., Any], named: Stacked, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    results = []
    for index in range(len(next(iter(named.values())))):
        reseed(inputs[0].device, _RATING)
        results.append(forward({name: value[index] for name, value in named.items()}, *inputs))
    return tuple(torch.stack(parts) for parts in zip(*results, strict=True))


def _behavior(outputs: Tensor) -> Tensor:
    """Outputs [individual, n] reduced to at most 64 values per individual."""
    size = outputs.shape[1]
    if size <= _MAX_BEHAVIOR:
        return outputs
    signed = outputs * normal_vector(_SIGNS, size).sign()
    return nn.functional.pad(signed, (0, -size % _MAX_BEHAVIOR)).unflatten(1, (-1, _MAX_BEHAVIOR)).sum(1)
