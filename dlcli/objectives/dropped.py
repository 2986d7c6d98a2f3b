"""Dropout in any model, also in one that has none."""

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
    """Another objective, while dropout acts on what the model's modules read; the model itself stays as it is.

    Masks are drawn anew with every batch. Scoring knows nothing of them. With drop path they are on what residual
    branches answer, where a model has marked these (`nn/stochastic/dropout.py`).

    Paper: Srivastava et al. 2014, Journal of Machine Learning Research 15, figure 1.

    Args:
        task: what the base takes its loss from.
        base: the objective that is computed meanwhile.
        variant: of dropout, on what the network makes of the data.
        inputs: of dropout, on the data themselves: what no trainable module has touched.
        modules: kinds of them: linear, convolution, recurrent; for drop path it is branch.

    Raises:
        UsageError: a kind is unknown, or not one for this variant.
        Mismatch: when it is called, the model has no such module.
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
            raise UsageError("drop path is for residual branches, and they for it: modules=[branch] with variant path")
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
        """A handle that takes the hook away when its `with` is left, whatever happened in it."""
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
