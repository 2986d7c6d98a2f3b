"""Train on mixtures of two samples, with the same mixture of their losses."""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.learner import Objective, pace
from dlcli.core.task import Batch, Carry, Loss, Task, call
from dlcli.nn.stochastic.select_modules import HasModules
from dlcli.objectives.answered import Answered
from dlcli.objectives.mixing import check_mixable, mixed, shuffled


class Mixup(nn.Module):
    """share L(f(m), y) + (1 - share) L(f(m), y') of m = share x + (1 - share) x', with share ~ Beta(alpha, alpha).

    x' and y' are the rows of the same batch in one random order. The model sees the mixtures once; the base objective
    is asked twice about that output, so that any kind of target will do.

    Paper: Zhang et al. 2018, arXiv:1710.09412, section 2.

    Args:
        task: what the base takes its loss from.
        base: the objective that is mixed; it may ask the model for its output alone.
        alpha: of the Beta distribution, above 0; large ones make halves, small ones mix little.
        per: one share for the whole "batch", as in the authors' code, or one for each "sample".

    Raises:
        UsageError: alpha is not above 0.
        Mismatch: the inputs are no real values, the task has no loss, or the base needs more than the output.
    """

    needs = HasModules  # not an answer alone: mixtures of mixtures would never reach the model

    def __init__(
        self, task: Task, *, base: Callable[[Task], Objective], alpha: float, per: Literal["batch", "sample"]
    ) -> None:
        super().__init__()
        check_mixable(task, "Mixup")
        if not alpha > 0:
            raise UsageError(f"alpha of mixup is above 0, not {alpha}")
        self.base, self.per = base(task), per
        if getattr(self.base, "needs", None) is not None:
            raise Mismatch(
                f"mixup asks its base about an output, and {type(self.base).__name__} needs the model itself\n"
                "What acts on model or inputs goes outside: objective=dropout objective@objective.base=mixup"
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
        own, others = (self.base(Answered(output), rows) for rows in (batch, pair))
        terms = {name: share * value + (1 - share) * others.terms[name] for name, value in own.terms.items()}
        value = share * own.value + (1 - share) * others.value
        return Loss(value, terms | {"share": share}, own.weight, after)

    def _by_row(self, output: Tensor, batch: Batch, pair: Batch, share: Tensor) -> Loss:
        """The mean over units when every row has a share of its own: each row is a batch of one."""

        def one(answer: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
            row = Batch(
                tuple(part[:1] for part in batch.inputs),
                target[None],
                batch.first[:1],
                batch.step,
                batch.epoch,
                batch.index[:1],
            )
            loss = self.base(Answered(answer[None]), row)
            return loss.value, torch.as_tensor(loss.weight, dtype=loss.value.dtype, device=loss.value.device)

        rows = torch.vmap(one, randomness="different")
        (own, weight), (others, other_weight) = (rows(output, part.target) for part in (batch, pair))
        weights = share * weight, (1 - share) * other_weight
        sums = [torch.where(part > 0, value * part, 0.0) for value, part in zip((own, others), weights, strict=True)]
        total = weights[0].sum() + weights[1].sum()
        return Loss((sums[0] + sums[1]).sum() / total.where(total > 0, 1.0), {"share": share.mean()}, total)
