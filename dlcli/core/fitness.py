"""Any supervised task as one that rates a population: fitness is minus the loss."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from dlcli.core.errors import Mismatch
from dlcli.core.evaluation_mode import evaluating
from dlcli.core.population import Rated, Rating, Stacked
from dlcli.core.rng import normal_vector, reseed
from dlcli.core.task import Batch, Supervised, Task

_NUMBERS = 64  # of a behaviour, at most
_SIGNS = 0x516  # seed of the projection of longer behaviours
_RATING = 0x4A7E  # sets draws while rating apart from those of training


def rated(task: Task) -> Rated:
    """The task itself where it rates populations, or a supervised one as such.

    Raises:
        Mismatch: it is neither.
    """
    if isinstance(task, Rated):
        return task
    if isinstance(task, Supervised):
        return Graded(task)
    requirement = "a task that rates populations or has a loss"
    raise Mismatch("mismatch", subject="evolution", requirement=requirement, got=type(task).__name__)


class Graded:
    """Fitness is minus the task's loss on the batches; behaviour the outputs on a probe, at most 64 numbers.

    The probe is the first rows of the validation split; outputs of more numbers a row are added up with random signs
    (Charikar, Chen & Farach-Colton 2002, ICALP). Each call starts without a carry. Models that `vmap` does not take
    (nn.GRU and its kin) are rated one by one.
    """

    counter = "samples"

    def __init__(self, task: Supervised) -> None:
        self._task = task
        self._one_by_one: set[type[nn.Module]] = set()
        self._probe: tuple[Tensor, ...] | None = None

    def rate(self, model: nn.Module, parameters: Stacked, batches: Sequence[Batch]) -> Rating:
        with evaluating(model):
            return self._rate(model, parameters, batches)

    def _rate(self, model: nn.Module, parameters: Stacked, batches: Sequence[Batch]) -> Rating:
        count = len(next(iter(parameters.values())))
        total = weight = torch.zeros(count, dtype=torch.float64)
        for batch in batches:
            value, units = self._each(_Grade(model, self._task, batch), parameters, batch.inputs)
            total, weight = total + value.double().cpu() * units.double().cpu(), weight + units.double().cpu()
        outputs = self._each(_Answer(model), parameters, self._seen(model))[0]
        rows = torch.full((count,), sum(len(batch) for batch in batches))
        return Rating(-total / weight.where(weight > 0, 1.0), _behaviour(outputs.flatten(1).cpu().float()), rows)

    def _seen(self, model: nn.Module) -> tuple[Tensor, ...]:
        """As many rows of the validation split as make up a behaviour."""
        if self._probe is None:
            inputs = self._task.batch("valid", 0).inputs
            width = _output(model(*(part[:1] for part in inputs))).numel()
            self._probe = tuple(part[: max(1, _NUMBERS // width)] for part in inputs)
        return self._probe

    def _each(self, graded: "_Grade | _Answer", parameters: Stacked, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """What the module answers with the parameters of every individual."""
        named = {f"model.{name}": value for name, value in parameters.items()}

        def one(own: Stacked, *x: Tensor) -> Any:
            return functional_call(graded, dict(own), x)

        kind = type(graded.model)
        if kind not in self._one_by_one:
            try:
                return _batched(one, named, inputs)
            except RuntimeError as error:
                if isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error):
                    raise
                self._one_by_one.add(kind)
                reason = str(error).strip().splitlines()[0][:160]
                logging.getLogger("dlcli").info(f"{kind.__name__} is rated one by one, which is slower: {reason}")
        return _in_turn(one, named, inputs)


class _Grade(nn.Module):
    """A model's loss on a batch, and how many units it is over."""

    def __init__(self, model: nn.Module, task: Supervised, batch: Batch) -> None:
        super().__init__()
        self.model, self._task, self._batch = model, task, batch

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        loss = self._task.loss(self.model, self._batch.with_inputs(*inputs))
        return loss.value, torch.as_tensor(loss.weight, dtype=torch.float64, device=loss.value.device)


class _Answer(nn.Module):
    """A model's output alone."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, *inputs: Tensor) -> tuple[Tensor]:
        return (_output(self.model(*inputs)),)


def _output(answer: Any) -> Tensor:
    return answer if isinstance(answer, Tensor) else answer[0]


def _batched(one: Callable[..., Any], named: Stacked, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """All individuals in one call. Each gets the inputs as its own, so that every product is one of a batch."""
    count = len(next(iter(named.values())))
    return vmap(one, randomness="error")(named, *(part.expand(count, *part.shape) for part in inputs))


def _in_turn(one: Callable[..., Any], named: Stacked, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    answers = []
    for number in range(len(next(iter(named.values())))):
        reseed(inputs[0].device, _RATING)
        answers.append(one({name: value[number] for name, value in named.items()}, *inputs))
    return tuple(torch.stack(parts) for parts in zip(*answers, strict=True))


def _behaviour(outputs: Tensor) -> Tensor:
    """[individual, n] as at most 64 numbers each."""
    size = outputs.shape[1]
    if size <= _NUMBERS:
        return outputs
    signed = outputs * normal_vector(_SIGNS, size).sign()
    return nn.functional.pad(signed, (0, -size % _NUMBERS)).unflatten(1, (-1, _NUMBERS)).sum(1)
