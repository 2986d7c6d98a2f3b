"""Mixup: convex combinations of two samples and of their losses."""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.learner import Objective, pace
from dlcli.core.task import Batch, Carry, Loss, Task, call
from dlcli.nn.stochastic.select_modules import HasModules
from dlcli.objectives.answered import FixedOutput
from dlcli.objectives.mixing import check_mixable, mixed, shuffled


class Mixup(nn.Module):
    """share L(f(m), y) + (1 - share) L(f(m), y') of m = share x + (1 - share) x', with share ~ Beta(alpha, alpha).

    x' and y' are the rows of the same batch in a random permutation. There is one forward pass of the mixtures; the
    base objective is evaluated twice on its output, so that targets of any type are supported.

    Paper: Zhang et al. 2018, arXiv:1710.09412, section 2.

    Args:
        task: batches and loss.
        base: factory of the base objective from the task; it may use only the output of the model.
        alpha: parameter of the Beta distribution, above 0; large values mix evenly, small values mix little.
        per: one share per "batch", as in the authors' code, or per "sample".

    Raises:
        UsageError: alpha is not above 0.
        Mismatch: an input is not real-valued, the task has no loss, or the base objective requires more than the
            output.
    """

    needs = HasModules  # excludes FixedOutput: nested mixup would not reach the model

    def __init__(
        self, task: Task, *, base: Callable[[Task], Objective], alpha: float, per: Literal["batch", "sample"]
    ) -> None:
        super().__init__()
        check_mixable(task, "Mixup")
        if not alpha > 0:
            raise UsageError("invalid_value", key="objective.alpha", must="above 0", got=alpha)
        self.base, self.per = base(task), per
        if getattr(self.base, "needs", None) is not None:
            raise Mismatch(
                "unsupported",
                subject="objective=mixup",
                feature=f"{type(self.base).__name__} as base, which requires the model itself",
                hint="nest them the other way round: objective=dropout objective@objective.base=mixup",
            )
        self.beta = torch.distributions.Beta(alpha, alpha)

    def pace(self, update: int, turn: int) -> None:
        pace(self.base, update, turn)

    def forward(self, model: nn.Module, batch: Batch, carry: Carry = None) -> Loss:
        share = self.beta.sample((len(batch),) if self.per == "sample" else ()).to(batch.index.device)
        other = shuffled(batch)
        output, after = call(model, mixed(batch, other, share), carry)
        pair = replace(batch, target=batch.target[other])
        if self.per == "sample":
            return replace(self._by_row(output, batch, pair, share), carry=after)
        own, others = (self.base(FixedOutput(output), rows) for rows in (batch, pair))
        terms = {name: share * value + (1 - share) * others.terms[name] for name, value in own.terms.items()}
        value = share * own.value + (1 - share) * others.value
        return Loss(value, terms | {"share": share}, own.weight, after)

    def _by_row(self, output: Tensor, batch: Batch, pair: Batch, share: Tensor) -> Loss:
        """Mean over units with one share per row: each row is a batch of one."""

        def row_loss(row_output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
            row = Batch(
                tuple(part[:1] for part in batch.inputs),
                target[None],
                batch.first[:1],
                batch.step,
                batch.epoch,
                batch.index[:1],
            )
            loss = self.base(FixedOutput(row_output[None]), row)
            return loss.value, torch.as_tensor(loss.weight, dtype=loss.value.dtype, device=loss.value.device)

        rows = torch.vmap(row_loss, randomness="different")
        (own, weight), (others, other_weight) = (rows(output, part.target) for part in (batch, pair))
        weights = share * weight, (1 - share) * other_weight
        sums = [torch.where(part > 0, value * part, 0.0) for value, part in zip((own, others), weights, strict=True)]
        total = weights[0].sum() + weights[1].sum()
        return Loss((sums[0] + sums[1]).sum() / total.where(total > 0, 1.0), {"share": share.mean()}, total)
