"""Artifacts of a population: the rows of population.csv, the fitness curves and the final positions."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from dlcli.core.learner import AppendTable, Artifact, Curves, Tree
from dlcli.core.population import Genome, PlotsBehavior, Rating

_COLUMNS = 8  # maximum elements of a behavior characterization in the table
_POINTS = 20_000  # maximum points in the image
_FITNESS = ("fitness_max", "fitness_mean", "fitness_best")
_MAX_MUTATIONS = 2  # longer genomes are abbreviated


class PopulationLog:
    """Record generations until they are written.

    Args:
        task: renders the final positions if it supports this.
    """

    def __init__(self, task: object) -> None:
        self._pictures = task if isinstance(task, PlotsBehavior) else None
        self._rows: list[list[Any]] = []
        self._width = 0
        self._stride = 1
        self._behaviour, self._generation = torch.zeros(0, 0), torch.zeros(0, dtype=torch.int64)
        self._course: list[list[float]] = []  # evaluations so far, then the fitness values of a generation
        self._evaluations = 0

    def came_to(self, evaluations: int, values: Mapping[str, Tensor]) -> None:
        """Record the fitness values of a generation and its number of evaluations."""
        self._evaluations += evaluations
        self._course.append([float(self._evaluations), *(float(values.get(name, math.nan)) for name in _FITNESS)])

    def _summary(self) -> dict[str, Artifact]:
        """Fitness curves and the maximum fitness of all individuals."""
        curves = {name: [(row[0], row[column]) for row in self._course] for column, name in enumerate(_FITNESS, 1)}
        finite = [value for _, value in curves["fitness_max"] if math.isfinite(value)]
        maximum = max(finite, default=None)
        labeled = {name.removeprefix("fitness_"): points for name, points in curves.items()}
        return {"fitness": Curves("evaluations", labeled), "training": Tree({"maximum": maximum})}

    def add(self, generation: int, genomes: Sequence[Genome], parents: Sequence[int | None], rating: Rating) -> None:
        self._width = min(_COLUMNS, rating.behaviour.shape[1])
        fitness, behaviour = rating.fitness.tolist(), rating.behaviour[:, : self._width].double().tolist()
        for number, (genome, parent) in enumerate(zip(genomes, parents, strict=True)):
            row = [generation, number, genome_text(genome), "" if parent is None else parent, fitness[number]]
            self._rows.append(row + [float(f"{value:.7g}") for value in behaviour[number]])
        if self._pictures is not None:
            self._add_positions(generation, rating)

    def _add_positions(self, generation: int, rating: Rating) -> None:
        """Store final positions; every second one is dropped when there are too many."""
        new = rating.behaviour[~rating.fitness.isnan()][:: self._stride]
        old = self._behaviour if len(self._behaviour) else new[:0]
        self._behaviour = torch.cat((old, new))
        self._generation = torch.cat((self._generation, torch.full((len(new),), generation)))
        while len(self._behaviour) > _POINTS:
            self._stride *= 2
            self._behaviour, self._generation = self._behaviour[::2], self._generation[::2]

    def leave(self) -> dict[str, Artifact]:
        """The rows since the last call, and the image of all generations."""
        left: dict[str, Artifact] = {}
        if self._rows:
            columns = ["generation", "individual", "genome", "parent", "fitness"]
            left["population"] = AppendTable(columns + [f"b{n}" for n in range(self._width)], self._rows)
            self._rows = []
        if self._pictures is not None and len(self._behaviour):
            left["final_positions"] = self._pictures.picture(self._behaviour, self._generation)
        return left | (self._summary() if self._course else {})

    def state_dict(self) -> dict[str, Any]:
        return {
            "rows": list(self._rows),
            "width": self._width,
            "stride": self._stride,
            "behaviour": self._behaviour,
            "generation": self._generation,
            "course": [list(row) for row in self._course],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._rows, self._width, self._stride = list(state["rows"]), state["width"], state["stride"]
        self._behaviour, self._generation = state["behaviour"], state["generation"]
        self._course = [list(row) for row in state["course"]]
        self._evaluations = int(self._course[-1][0]) if self._course else 0


def genome_text(genome: Genome) -> str:
    """Text of a genome: `s1+0.1*s2`, with a center `c0-0.1*s1`, abbreviated to its last mutation `[9]+0.1*s9`."""
    mutations = genome.seeds[len(genome.seeds) - len(genome.sigmas) :]
    last = [f"{sigma:+g}*s{seed}" for seed, sigma in zip(mutations, genome.sigmas, strict=True)]
    if len(last) > _MAX_MUTATIONS:
        return f"[{len(last)}]{last[-1]}"
    return (f"s{genome.seeds[0]}" if genome.centre is None else f"c{genome.centre}") + "".join(last)
