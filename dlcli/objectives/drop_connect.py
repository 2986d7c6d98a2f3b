"""DropConnect: dropout of weights."""

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
    """Compute the base objective with randomly zeroed weights and the other weights rescaled.

    Paper: Wan et al. 2013, "Regularization of Neural Networks using DropConnect", ICML, section 3. Differs: weights are
    rescaled in training and evaluation uses the mean weights, where the paper samples activations.

    Args:
        task: batches and loss.
        base: factory of the base objective from the task.
        rate: probability in [0, 1] that a weight is zeroed.
        modules: types of modules: linear, convolution, recurrent (input and state matrices).
        per: "sample" uses a separate mask per sample, as in the paper (linear layers only); "batch" uses one mask for
            all samples, which is much cheaper.

    Raises:
        UsageError: a value is out of range, or a module type is unknown or does not support masks per sample.
        Mismatch: on the first call, if the model has no such module.
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
            requirement = "objective.modules=[linear]"
            hint = f"objective.per=batch supports modules={list(modules)}"
            raise UsageError("requires", key="objective.per=sample", requirement=requirement, hint=hint)
        self.rate, self.per = check_rate(rate), per
        self.base = base(task)
        self.needs = getattr(self.base, "needs", None) or HasModules

    def pace(self, update: int, turn: int) -> None:
        pace(self.base, update, turn)

    def forward(self, model: nn.Module, batch: Batch, carry: Carry = None) -> Loss:
        modules = select_modules(model, self.kinds)
        with masked_weights(modules, self.rate) if self.per == "batch" else self._sampled(modules, len(batch)):
            return self.base(model, batch, carry)

    @contextmanager
    def _sampled(self, modules: Sequence[nn.Module], rows: int) -> Iterator[None]:
        def answer(module: nn.Module, given: tuple[Tensor], output: Tensor) -> Tensor:
            if not module.training:
                return output
            (x,) = given
            if batch_first_axes(module, x, rows)[0] == 0:
                return per_sample_linear(cast(nn.Linear, module), x, self.rate)
            return per_sample_linear(cast(nn.Linear, module), x.transpose(0, 1), self.rate).transpose(0, 1)

        with ExitStack() as hooks:
            for module in modules:
                hooks.enter_context(module.register_forward_hook(answer))
            yield
