"""Distributions over the architectures of a space: a recurrent one that learns, and the uniform one."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.core.space import Architecture, Decision, Space

LogitAdjustment = Callable[[Decision, Tensor], Tensor]
"""Changes the logits [sample, choice] of a decision."""

Prior = Callable[[Decision, Tensor], Tensor]
"""What log-probabilities [sample, choice] of a decision cost, [sample]."""


@dataclass(frozen=True)
class SampledArchitectures:
    """Architectures, and how a controller thinks of each.

    Args:
        architectures: int64 [sample, decision].
        log_prob: [sample], in nats, of the whole architecture; attached to the graph.
        entropy: [sample] sum over the decisions of the entropy of each given those before: its mean is the entropy.
        penalty: [sample] what the priors ask for, to be added to a loss; attached to the graph.
    """

    architectures: Int[Tensor, "sample decision"]
    log_prob: Float[Tensor, "sample"]
    entropy: Float[Tensor, "sample"]
    penalty: Float[Tensor, "sample"]

    def tuples(self) -> list[Architecture]:
        return [tuple(row) for row in self.architectures.tolist()]


def max_probability(choices: int, tanh: float | None) -> float:
    """The largest probability that a choice can have when logits lie in [-tanh, tanh]; 1 where they are free.

    The temperature does not matter: logits are divided by it inside of the hyperbolic tangent.
    """
    return 1.0 if tanh is None else 1 / (1 + (choices - 1) * math.exp(-2 * tanh))


class Controller(nn.Module):
    """An LSTM that makes one decision after another, each knowing those before.

    The choice last made comes in through a table of vectors, one table for all decisions between the same things; every
    decision has a softmax head of its own. Logits are tanh(logits / temperature) * tanh, which keeps every choice
    possible: no probability exceeds `max_probability(choices, tanh)`, .801 of six operations at 1.5, .968 of four at 2.25. A
    controller that has converged is not one that is certain.

    Paper: Pham et al. 2018, arXiv:1802.03268, section 2. Differs: the published codes choose earlier nodes and skips by
    attention over the LSTM's states, here those are decisions like the others, so that one controller fits every space.

    Args:
        space: what is decided.
        hidden: units of the LSTM.
        tanh: largest logit; None does not bound them.
        temperature: what logits are divided by first.
        initial: initial weights are uniform in [-initial, initial].
        shapings: what changes logits then, in order, by a name for the configuration.
        priors: what is asked for beside reward, by a name.

    Raises:
        UsageError: a number is not above 0.
    """

    def __init__(
        self,
        space: Space,
        *,
        hidden: int,
        tanh: float | None,
        temperature: float,
        initial: float,
        shapings: Mapping[str, LogitAdjustment],
        priors: Mapping[str, Prior],
    ) -> None:
        super().__init__()
        for name, number in (("hidden", hidden), ("tanh", tanh), ("temperature", temperature), ("initial", initial)):
            if number is not None and not number > 0:
                raise UsageError(f"model.controller.{name} is above 0, not {number}")
        self.decisions = tuple(space.decisions)
        self.tanh, self.temperature = tanh, temperature
        self.shapings, self.priors = tuple(shapings.values()), tuple(priors.values())
        kinds = list(dict.fromkeys(decision.choices for decision in self.decisions))
        self.kinds = [kinds.index(decision.choices) for decision in self.decisions]
        self.start = nn.Parameter(torch.empty(hidden))
        self.tables = nn.ModuleList(nn.Embedding(len(choices), hidden) for choices in kinds)
        self.cell = nn.LSTMCell(hidden, hidden)
        self.heads = nn.ModuleList(nn.Linear(hidden, len(decision.choices)) for decision in self.decisions)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -initial, initial)

    def sample(self, count: int) -> SampledArchitectures:
        """Architectures drawn with the global generator."""
        return self._walk(count, lambda _, log_p: torch.multinomial(log_p.detach().exp(), 1))

    def forward(self, architectures: Int[Tensor, "sample decision"]) -> SampledArchitectures:
        """What it thinks of given architectures."""
        return self._walk(len(architectures), lambda place, _: architectures[:, place, None])

    def best(self) -> Architecture:
        """The likeliest choice, one decision after another."""
        with torch.no_grad():
            (architecture,) = self._walk(1, lambda _, log_p: log_p.argmax(1, keepdim=True)).tuples()
        return architecture

    def _walk(self, count: int, choose: Callable[[int, Tensor], Tensor]) -> SampledArchitectures:
        """Decide in order; `choose` says the column of choices from the place and its log-probabilities."""
        x = self.start.expand(count, -1)
        state: tuple[Tensor, Tensor] | None = None
        columns, log_probs, entropies, penalty = [], [], [], x.new_zeros(count)
        for place, decision in enumerate(self.decisions):
            state = self.cell(x, state)
            log_p = self._logits(place, state[0]).log_softmax(1)
            chosen = choose(place, log_p)
            columns.append(chosen)
            log_probs.append(log_p.gather(1, chosen))
            entropies.append(-(log_p.exp() * log_p).sum(1))
            for prior in self.priors:
                penalty = penalty + prior(decision, log_p)
            x = self.tables[self.kinds[place]](chosen[:, 0])
        return SampledArchitectures(torch.cat(columns, 1), torch.cat(log_probs, 1).sum(1), torch.stack(entropies).sum(0), penalty)

    def _logits(self, place: int, h: Float[Tensor, "sample unit"]) -> Float[Tensor, "sample choice"]:
        logits = self.heads[place](h) / self.temperature
        if self.tanh is not None:
            logits = self.tanh * logits.tanh()
        for shaping in self.shapings:
            logits = shaping(self.decisions[place], logits)
        return logits


class UniformController(nn.Module):
    """Every architecture is as good as every other: random search with shared weights (Li & Talwalkar 2019)."""

    def __init__(self, space: Space) -> None:
        super().__init__()
        self.decisions = tuple(space.decisions)

    def sample(self, count: int) -> SampledArchitectures:
        """Architectures drawn with the global generator."""
        columns = [torch.randint(len(decision.choices), (count,)) for decision in self.decisions]
        nats = torch.tensor(sum(math.log(len(decision.choices)) for decision in self.decisions)).expand(count)
        return SampledArchitectures(torch.stack(columns, 1), -nats, nats, torch.zeros(count))

    def best(self) -> Architecture:
        """The first of the space: it prefers none."""
        return (0,) * len(self.decisions)
