"""Logit adjustments and priors of the published ENAS controllers.

Each applies to the decisions whose name contains the word `where`, and leaves the others unchanged.
"""

import math

from jaxtyping import Float
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.core.space import Decision


class Temperature:
    """Divide logits by a temperature (2.5 for operations in the published micro search).

    Args:
        where: word in the names of the decisions.
        by: temperature, greater than 0.
    """

    def __init__(self, *, where: str, by: float) -> None:
        if not by > 0:
            raise UsageError("invalid_value", key="shapings.by", must="greater than 0", got=by)
        self.where, self.by = where, by

    def __call__(self, decision: Decision, logits: Float[Tensor, "sample choice"]) -> Float[Tensor, "sample choice"]:
        return logits / self.by if self.where in decision.name else logits


class DistancePenalty:
    """Subtract d**2 / scale from the d-th choice from the end, d from 1: prefer close nodes (scale 6 in enas_lm).

    Args:
        where: word in the names of the decisions; their choices are in the order of computation.
        scale: greater than 0.
    """

    def __init__(self, *, where: str, scale: float) -> None:
        if not scale > 0:
            raise UsageError("invalid_value", key="shapings.scale", must="greater than 0", got=scale)
        self.where, self.scale = where, scale

    def __call__(self, decision: Decision, logits: Float[Tensor, "sample choice"]) -> Float[Tensor, "sample choice"]:
        if self.where not in decision.name:
            return logits
        distances = range(len(decision.choices), 0, -1)
        return logits - logits.new_tensor([distance**2 / self.scale for distance in distances])


class ChoiceBonus:
    """Add `by` to the logits of choices that contain a word and subtract it from the others.

    0.25 for convolutions in the published micro search, which also initializes a trained bias of 10 for them; here no
    choice has an initial advantage.

    Args:
        where: word in the names of the decisions.
        choice: word in the preferred choices.
        by: bonus in nats.
    """

    def __init__(self, *, where: str, choice: str, by: float) -> None:
        self.where, self.choice, self.by = where, choice, by

    def __call__(self, decision: Decision, logits: Float[Tensor, "sample choice"]) -> Float[Tensor, "sample choice"]:
        if self.where not in decision.name:
            return logits
        signs = [1.0 if self.choice in choice else -1.0 for choice in decision.choices]
        return logits + self.by * logits.new_tensor(signs)


class SkipSparsity:
    """KL penalty that draws the probability of "yes" to `target`: weight * KL(p || target), summed over the decisions.

    Paper: Pham et al. 2018, section 2.3. Differs from the published code, which computes p from each logit separately
        (by a
    sigmoid) and averages the sums over layers.

    Args:
        where: word in the names of the decisions, whose choices are no and yes.
        target: probability of yes, in (0, 1).
        weight: of the penalty.
    """

    def __init__(self, *, where: str, target: float, weight: float) -> None:
        if not 0 < target < 1:
            raise UsageError("invalid_value", key="priors.target", must="in (0, 1)", got=target)
        self.where, self.weight = where, weight
        self.target_log_probs = (math.log(1 - target), math.log(target))

    def __call__(self, decision: Decision, log_p: Float[Tensor, "sample choice"]) -> Float[Tensor, "sample"]:
        if self.where not in decision.name or len(decision.choices) != 2:
            return log_p.new_zeros(len(log_p))
        return self.weight * (log_p.exp() * (log_p - log_p.new_tensor(self.target_log_probs))).sum(1)
