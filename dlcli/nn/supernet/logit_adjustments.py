"""What the published controllers add to logits, and ask for beside reward: parts of a controller.

Each concerns the decisions whose name has the word `where` in it, and leaves the others as they are.
"""

import math

from jaxtyping import Float
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.core.space import Decision


class Temperature:
    """Logits divided: less certainty for some decisions (2.5 for operations in the published micro search).

    Args:
        where: word of the decisions.
        by: what their logits are divided by.
    """

    def __init__(self, *, where: str, by: float) -> None:
        if not by > 0:
            raise UsageError(f"by of Reduce is above 0, not {by}")
        self.where, self.by = where, by

    def __call__(self, decision: Decision, logits: Float[Tensor, "sample choice"]) -> Float[Tensor, "sample choice"]:
        return logits / self.by if self.where in decision.name else logits


class DistancePenalty:
    """The choice d places from the end loses d**2 / scale, d from 1: nodes read near ones (6 in enas_lm).

    Args:
        where: word of the decisions; their choices are in the order of computation.
        scale: above 0.
    """

    def __init__(self, *, where: str, scale: float) -> None:
        if not scale > 0:
            raise UsageError(f"scale of Distance is above 0, not {scale}")
        self.where, self.scale = where, scale

    def __call__(self, decision: Decision, logits: Float[Tensor, "sample choice"]) -> Float[Tensor, "sample choice"]:
        if self.where not in decision.name:
            return logits
        far = range(len(decision.choices), 0, -1)
        return logits - logits.new_tensor([distance**2 / self.scale for distance in far])


class ChoiceBonus:
    """Choices with a word in them gain `by`, the others lose it (.25 for convolutions in the published micro search).

    The published code also starts those convolutions with a trained bias of 10; here no choice starts ahead.

    Args:
        where: word of the decisions.
        choice: word of the favoured choices.
        by: gain in nats.
    """

    def __init__(self, *, where: str, choice: str, by: float) -> None:
        self.where, self.choice, self.by = where, choice, by

    def __call__(self, decision: Decision, logits: Float[Tensor, "sample choice"]) -> Float[Tensor, "sample choice"]:
        if self.where not in decision.name:
            return logits
        signs = [1.0 if self.choice in choice else -1.0 for choice in decision.choices]
        return logits + self.by * logits.new_tensor(signs)


class SkipSparsity:
    """Yes-or-no decisions should say yes with probability `target`: weight * KL(p || target), summed over them.

    Paper: Pham et al. 2018, section 2.3. Differs from the published code, which takes p from the logits apart (the
    sigmoid of each) and averages the sums over layers.

    Args:
        where: word of the decisions, whose choices are no and yes.
        target: probability of yes, in (0, 1).
        weight: of the penalty.
    """

    def __init__(self, *, where: str, target: float, weight: float) -> None:
        if not 0 < target < 1:
            raise UsageError(f"target of SparseSkips is in (0, 1), not {target}")
        self.where, self.weight = where, weight
        self.wanted = (math.log(1 - target), math.log(target))

    def __call__(self, decision: Decision, log_p: Float[Tensor, "sample choice"]) -> Float[Tensor, "sample"]:
        if self.where not in decision.name or len(decision.choices) != 2:
            return log_p.new_zeros(len(log_p))
        return self.weight * (log_p.exp() * (log_p - log_p.new_tensor(self.wanted))).sum(1)
