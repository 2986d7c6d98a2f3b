"""Dropout of a model's weights."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Literal, cast

from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.core.learner import Objective, pace
from dlcli.core.task import Batch, Carry, Loss, Task
from dlcli.nn.stochastic.dropout import check_rate
from dlcli.nn.stochastic.select_modules import HasModules, batch_first_axes, check_kinds, select_modules
from dlcli.nn.stochastic.weight_masks import masked_weights, per_sample_linear


class DropConnect(nn.Module):
    """Another objective, while weights of the model are zeroed and the others scaled up; afterwards all are back.

    Paper: Wan et al. 2013, "Regularization of Neural Networks using DropConnect", ICML, section 3. Differs: scaled
    while training, and scored with the mean of the weights, where the paper samples activations.

    Args:
        task: what the base takes its loss from.
        base: the objective that is computed meanwhile.
        rate: probability in [0, 1] that a weight is zeroed.
        modules: kinds of them: linear, convolution, recurrent (the matrices of input and state).
        per: each "sample" has masks of its own, as in the paper, in linear layers alone; or all samples of a "batch"
            share one, which costs next to nothing.

    Raises:
        UsageError: a value is out of its range, or a kind is none or has no masks by sample.
        Mismatch: when it is called, the model has no such module.
    """

    def __init__(
        self,
        task: Task,
        *,
        base: Callable[[Task], Objective],
        rate: float,
        modules: Sequence[str],
        per: Literal["batch", "sample"],
    ) -> None:
        super().__init__()
        self.kinds = check_kinds(modules, ("linear", "convolution", "recurrent"))
        if per == "sample" and set(modules) != {"linear"}:
            raise UsageError(f"a mask a sample is for linear layers alone: per=batch with modules={list(modules)}")
        self.rate, self.per = check_rate(rate), per
        self.base = base(task)
        self.needs = getattr(self.base, "needs", None) or HasModules

    def pace(self, update: int, turn: int) -> None:
        pace(self.base, update, turn)

    def forward(self, model: nn.Module, batch: Batch, carry: Carry = None) -> Loss:
        found = select_modules(model, self.kinds)
        with masked_weights(found, self.rate) if self.per == "batch" else self._sampled(found, len(batch)):
            return self.base(model, batch, carry)

    @contextmanager
    def _sampled(self, found: Sequence[nn.Module], rows: int) -> Iterator[None]:
        def answer(module: nn.Module, given: tuple[Tensor], output: Tensor) -> Tensor:
            if not module.training:
                return output
            (x,) = given
            if batch_first_axes(module, x, rows)[0] == 0:
                return per_sample_linear(cast(nn.Linear, module), x, self.rate)
            return per_sample_linear(cast(nn.Linear, module), x.transpose(0, 1), self.rate).transpose(0, 1)

        with ExitStack() as hooks:
            for module in found:
                hooks.enter_context(module.register_forward_hook(answer))
            yield
