"""Evolution: ask for genomes, rate them, tell what they are worth."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import torch
from torch import Tensor, nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.fitness import rated
from dlcli.core.learner import Leaf, Row
from dlcli.core.population import Genome, Layout, Rater, Rating
from dlcli.core.rng import mix
from dlcli.core.task import Task
from dlcli.learners.evolution.decoder import Decoder, initial
from dlcli.learners.evolution.elite import Election, Elite
from dlcli.learners.evolution.local_evaluator import Here
from dlcli.learners.evolution.population_log import Chronicle

_INITIAL = 0x1E0


@dataclass(frozen=True)
class Generation:
    """Individuals to rate.

    Args:
        genomes: of each.
        parents: the individual of the generation before that each comes from, None for none.
        centres: the vectors that genomes start from, by number.
    """

    genomes: Sequence[Genome]
    parents: Sequence[int | None]
    centres: Mapping[int, Tensor] = field(default_factory=dict)


class Evolution(ABC):
    """Each step rates one generation on the training batch of its number, and learns from it.

    Individuals whose fitness is not finite failed: they are counted, never win, and never become parents. All draws
    are functions of (seed, generation, individual); `rater` may be replaced by one that works elsewhere.

    Args:
        model: whose parameters evolve; it is given the best individual's.
        task: rates populations, or has a loss.
        population: individuals of a generation.
        chunk: individuals rated in one batched call; changes memory and speed alone.
        seed: of all draws.
        candidates, elite_batches: how the best individual is elected; see `elite.Election`.
        output_std: what initial weights of the last layer are multiplied with.

    Raises:
        UsageError: a number is out of range.
        Mismatch: the task does neither, or the model has no parameters.
    """

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        *,
        population: int,
        chunk: int,
        seed: int,
        candidates: int,
        elite_batches: int,
        output_std: float,
    ) -> None:
        if population < 1 or chunk < 1:
            name, number = ("population", population) if population < 1 else ("chunk", chunk)
            raise UsageError(f"learner.{name} is at least 1, not {number}")
        self.counters = ("evaluations", rated(task).counter, "failed")
        self.population, self.seed, self.generation = population, seed, 0
        self._layout = Layout(model)
        if not self._layout.size:
            raise Mismatch(f"{type(model).__name__} has no parameters to evolve")
        self._decoder = Decoder(self._layout, *initial(model, self._layout, output_std))
        self.rater: Rater = Here(model, task, self._decoder, self._layout, chunk)
        self._model = model
        self._election = Election(candidates, elite_batches)
        self._chronicle = Chronicle(task)
        self._cost = [0, 0]

    @abstractmethod
    def ask(self) -> Generation:
        """The next generation."""

    @abstractmethod
    def tell(self, asked: Generation, rating: Rating) -> dict[str, Tensor]:
        """Learn from a rated generation, its elite elected; what to report."""

    @abstractmethod
    def memory(self) -> dict[str, Any]:
        """What was learned: tensors and plain values."""

    @abstractmethod
    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go on from a memory."""

    def sizes(self) -> dict[str, int]:
        """Numbers, beside the population's, that a checkpoint must share."""
        return {}

    @final
    @property
    def model(self) -> nn.Module | None:
        return None if self._election.elite is None else self._model

    @property
    def elite(self) -> Elite | None:
        """The best individual so far, by fitness."""
        return self._election.elite

    @property
    def size(self) -> int:
        """Trainable parameters."""
        return self._layout.size

    def draw(self, *words: int) -> int:
        """A seed, or any number below 2**64, of this generation."""
        return mix(self.seed, self.generation, *words)

    def start(self, number: int = 0) -> Tensor:
        """Initial parameters, float32 [size]."""
        return self._decoder.decode(Genome((mix(self.seed, _INITIAL, number),), ()), {})

    @final
    def step(self) -> Row:
        self._cost = [0, 0]
        asked = self.ask()
        rating = self._rate(asked.genomes, asked.centres, [self.generation])
        self._chronicle.add(self.generation, asked.genomes, asked.parents, rating)
        if self._election.hold(self.generation, asked.genomes, asked.centres, rating, self._rate):
            self._show()
        values = self._values(rating) | self.tell(asked, rating)
        self._chronicle.came_to(self._cost[0], values)
        self.generation += 1
        failed = int(rating.fitness.isnan().sum())
        return Row(values, dict(zip(self.counters, [*self._cost, failed], strict=True)))

    def _rate(self, genomes: Sequence[Genome], centres: Mapping[int, Tensor], batches: Sequence[int]) -> Rating:
        """All rating goes through here, and is counted."""
        rating = self.rater.rate(genomes, centres, batches)
        self._cost = [self._cost[0] + len(genomes) * len(batches), self._cost[1] + int(rating.cost.sum())]
        fitness = torch.where(rating.fitness.isfinite(), rating.fitness.double(), torch.nan)
        return Rating(fitness, rating.behaviour, rating.cost)

    def _values(self, rating: Rating) -> dict[str, Tensor]:
        fitness = rating.fitness
        failed = fitness.isnan()
        values = {"fitness_max": _max(fitness[~failed]), "fitness_mean": fitness.nanmean()}
        if self.elite is not None:
            values["fitness_best"] = torch.tensor(self.elite.fitness, dtype=torch.float64)
        return values | ({"failed": failed.sum().double()} if failed.any() else {})

    def _show(self) -> None:
        """Give the model the elite's parameters."""
        if self.elite is not None:
            self._layout.load(self._model, self._decoder.decode(self.elite.genome, self.elite.centres))

    @final
    def leave(self) -> Mapping[str, Leaf]:
        return self._chronicle.leave()

    def _sizes(self) -> dict[str, int]:
        return {"population": self.population, "parameters": self.size, **self.sizes()}

    @final
    def state_dict(self) -> dict[str, Any]:
        return {
            "kind": type(self).__name__,
            "sizes": self._sizes(),
            "generation": self.generation,
            "elite": self._election.state_dict(),
            "chronicle": self._chronicle.state_dict(),
            "memory": self.memory(),
        }

    @final
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        kind = type(self).__name__
        if state["kind"] != kind:
            raise Mismatch(f"the checkpoint is of {state['kind']}, not of {kind}")
        for name, number in self._sizes().items():
            if state["sizes"].get(name) != number:
                raise Mismatch(f"the checkpoint's {name} is {state['sizes'].get(name)}, not {number}")
        self.generation = state["generation"]
        self._election.load_state_dict(state["elite"])
        self._chronicle.load_state_dict(state["chronicle"])
        self.recall(state["memory"])
        self._show()


def _max(fitness: Tensor) -> Tensor:
    return fitness.max() if len(fitness) else torch.tensor(torch.nan, dtype=torch.float64)


def above_zero(**numbers: int | float) -> None:
    """Raises UsageError where a keyword of the learner is not above 0."""
    for name, number in numbers.items():
        if not number > 0:
            raise UsageError(f"learner.{name} is above 0, not {number}")
