"""Evolutionary algorithms with an ask-and-tell interface."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import torch
from torch import Tensor, nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.fitness import as_fitness_task
from dlcli.core.learner import Artifact, Row
from dlcli.core.population import Genome, GenomeEvaluator, ParameterLayout, Rating
from dlcli.core.rng import hash_integers
from dlcli.core.task import Task
from dlcli.learners.evolution.decoder import Decoder, initial
from dlcli.learners.evolution.elite import Elite, EliteSelection
from dlcli.learners.evolution.local_evaluator import LocalEvaluator
from dlcli.learners.evolution.population_log import PopulationLog

_INITIAL = 0x1E0


@dataclass(frozen=True)
class Generation:
    """Individuals to rate.

    Args:
        genomes: genome of each individual.
        parents: number of each individual's parent in the previous generation, None without a parent.
        centres: start vectors of genomes by number.
    """

    genomes: Sequence[Genome]
    parents: Sequence[int | None]
    centres: Mapping[int, Tensor] = field(default_factory=dict)


class Evolution(ABC):
    """Evolutionary algorithm whose steps evaluate one generation on the training batch of its number.

    Individuals whose fitness is not finite have failed: they are counted, and never become elite or parents. Random
    numbers are functions of (seed, generation, individual); `rater` can be replaced by a remote evaluator.

    Args:
        model: module whose parameters evolve; it receives the parameters of the best individual.
        task: task with a fitness for populations, or with a loss.
        population: individuals per generation.
        chunk: individuals evaluated in one batched call; affects memory and speed only.
        seed: seed of all random numbers.
        candidates, elite_batches: selection of the best individual; see `elite.EliteSelection`.
        output_std: factor of the initial standard deviation of the weights of the last layer.

    Raises:
        UsageError: a number is out of range.
        Mismatch: the task has neither a fitness nor a loss, or the model has no parameters.
    """

    precisions: Sequence[str] = ("float32",)
    """Populations are decoded and rated in float32."""

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
            raise UsageError("invalid_value", key=f"learner.{name}", must="at least 1", got=number)
        self.counters = ("evaluations", as_fitness_task(task).counter, "failed")
        self.population, self.seed, self.generation = population, seed, 0
        self._layout = ParameterLayout(model)
        if not self._layout.size:
            requirement = "a model with trainable parameters"
            raise Mismatch("mismatch", subject="evolution", requirement=requirement, got=type(model).__name__)
        self._decoder = Decoder(self._layout, *initial(model, self._layout, output_std))
        self.rater: GenomeEvaluator = LocalEvaluator(model, task, self._decoder, self._layout, chunk)
        self._model = model
        self._election = EliteSelection(candidates, elite_batches)
        self._chronicle = PopulationLog(task)
        self._cost = [0, 0]

    @abstractmethod
    def ask(self) -> Generation:
        """Propose the next generation."""

    @abstractmethod
    def tell(self, asked: Generation, rating: Rating) -> dict[str, Tensor]:
        """Update from the rating of a generation; returns the values to log."""

    @abstractmethod
    def memory(self) -> dict[str, Any]:
        """State of the algorithm as tensors and plain values."""

    @abstractmethod
    def recall(self, memory: Mapping[str, Any]) -> None:
        """Restore the state from `memory`."""

    def sizes(self) -> dict[str, int]:
        """Further sizes that a checkpoint must match, in addition to those of the population."""
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
        """Number of trainable parameters."""
        return self._layout.size

    def draw(self, *key: int) -> int:
        """Random number below 2**64 for this generation and key."""
        return hash_integers(self.seed, self.generation, *key)

    def start(self, number: int = 0) -> Tensor:
        """Initial parameters, float32 [size]."""
        return self._decoder.decode(Genome((hash_integers(self.seed, _INITIAL, number),), ()), {})

    @final
    def step(self) -> Row:
        self._cost = [0, 0]
        asked = self.ask()
        rating = self._rate(asked.genomes, asked.centres, [self.generation])
        self._chronicle.add(self.generation, asked.genomes, asked.parents, rating)
        if self._election.hold(self.generation, asked.genomes, asked.centres, rating, self._rate):
            self._load_elite()
        values = self._values(rating) | self.tell(asked, rating)
        self._chronicle.came_to(self._cost[0], values)
        self.generation += 1
        failed = int(rating.fitness.isnan().sum())
        return Row(values, dict(zip(self.counters, [*self._cost, failed], strict=True)), optimized=("fitness_best",))

    def _rate(self, genomes: Sequence[Genome], centres: Mapping[int, Tensor], batches: Sequence[int]) -> Rating:
        """Rate genomes and count the evaluations."""
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

    def _load_elite(self) -> None:
        """Load the parameters of the elite into the model."""
        if self.elite is not None:
            self._layout.load(self._model, self._decoder.decode(self.elite.genome, self.elite.centres))

    @final
    def leave(self) -> Mapping[str, Artifact]:
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
            raise Mismatch("mismatch", subject="the checkpoint", requirement=f"learner {state['kind']}", got=kind)
        for name, number in self._sizes().items():
            if state["sizes"].get(name) != number:
                requirement = f"{name}={state['sizes'].get(name)}"
                raise Mismatch("mismatch", subject="the checkpoint", requirement=requirement, got=number)
        self.generation = state["generation"]
        self._election.load_state_dict(state["elite"])
        self._chronicle.load_state_dict(state["chronicle"])
        self.recall(state["memory"])
        self._load_elite()


def _max(fitness: Tensor) -> Tensor:
    return fitness.max() if len(fitness) else torch.tensor(torch.nan, dtype=torch.float64)


def check_positive(**numbers: int | float) -> None:
    """Check that options of the learner are above 0.

    Raises:
        UsageError: a number is not above 0.
    """
    for name, number in numbers.items():
        if not number > 0:
            raise UsageError("invalid_value", key=f"learner.{name}", must="above 0", got=number)
