"""Dropout for any model, applied by hooks."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.core.learner import Objective, pace
from dlcli.core.task import Batch, Carry, Loss, Task
from dlcli.nn.stochastic.dropout import DropPath
from dlcli.nn.stochastic.select_modules import HasModules, batch_first_axes, check_kinds, select_modules


class Dropped(nn.Module):
    """Compute the base objective with dropout on the inputs of the model's modules; the model is not changed.

    Each batch has new masks; evaluation has none. Drop path acts on the outputs of the residual branches that the model
    has marked (`nn/stochastic/dropout.py`).

    Paper: Srivastava et al. 2014, Journal of Machine Learning Research 15, figure 1.

    Args:
        task: batches and loss.
        base: factory of the base objective from the task.
        variant: dropout on hidden activations.
        inputs: dropout on the data, before any trainable module.
        modules: types of modules: linear, convolution, recurrent; branch for drop path.

    Raises:
        UsageError: a module type is unknown, or does not support the variant.
        Mismatch: on the first call, if the model has no such module.
    """

    def __init__(
        self,
        task: Task,
        *,
        base: Callable[[Task], Objective],
        variant: nn.Module,
        inputs: nn.Module,
        modules: Sequence[str],
    ) -> None:
        super().__init__()
        if isinstance(variant, DropPath) != ("branch" in modules) or ("branch" in modules and len(modules) > 1):
            raise UsageError(
                "requires",
                key="drop path (objective.variant=path)",
                requirement="objective.modules=[branch], and modules=[branch] requires drop path",
            )
        self.kinds = check_kinds(modules)
        self.base, self.variant, self.inputs = base(task), variant, inputs
        self.needs = getattr(self.base, "needs", None) or HasModules

    def pace(self, update: int, turn: int) -> None:
        pace(self.base, update, turn)

    def forward(self, model: nn.Module, batch: Batch, carry: Carry = None) -> Loss:
        with ExitStack() as hooks:
            for module in select_modules(model, self.kinds):
                hooks.enter_context(self._hook(module, len(batch)))
            return self.base(model, batch, carry)

    def _hook(self, module: nn.Module, rows: int) -> Any:
        """Handle that removes the hook when its context is left."""
        if "branch" in self.kinds:
            return module.register_forward_hook(lambda module, _, output: self._drop(module, output, rows))
        return module.register_forward_pre_hook(
            lambda module, given: (self._drop(module, given[0], rows), *given[1:]) if given else None
        )

    def _drop(self, module: nn.Module, x: Tensor, rows: int) -> Tensor:
        if not module.training:
            return x
        variant = self.variant if x.requires_grad else self.inputs
        order = batch_first_axes(module, x, rows)
        return variant(x.permute(order)).permute([order.index(axis) for axis in range(x.dim())])
