"""What a population was: the rows of population.csv, and where all its generations ended."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from dlcli.core.learner import Curves, Growing, Leaf, Tree
from dlcli.core.population import Genome, Pictures, Rating

_COLUMNS = 8  # numbers of a behaviour in the table
_POINTS = 20_000  # behaviours in the picture, at most
_COURSE = ("fitness_max", "fitness_mean", "fitness_best")
_SHOWN = 2  # mutations of a genome that are written out


class Chronicle:
    """Remembers generations until they are written down.

    Args:
        task: draws the picture, if it can.
    """

    def __init__(self, task: object) -> None:
        self._pictures = task if isinstance(task, Pictures) else None
        self._rows: list[list[Any]] = []
        self._width = 0
        self._stride = 1
        self._behaviour, self._generation = torch.zeros(0, 0), torch.zeros(0, dtype=torch.int64)
        self._course: list[list[float]] = []  # evaluations so far, then what a generation came to
        self._evaluations = 0

    def came_to(self, evaluations: int, values: Mapping[str, Tensor]) -> None:
        """How a generation ended, and how many evaluations it took."""
        self._evaluations += evaluations
        self._course.append([float(self._evaluations), *(float(values.get(name, math.nan)) for name in _COURSE)])

    def _summary(self) -> dict[str, Leaf]:
        """The course of the fitness, and the best that any individual did."""
        lines = {name: [(row[0], row[place]) for row in self._course] for place, name in enumerate(_COURSE, 1)}
        finite = [value for _, value in lines["fitness_max"] if math.isfinite(value)]
        maximum = max(finite, default=None)
        named = {name.removeprefix("fitness_"): points for name, points in lines.items()}
        return {"fitness": Curves("evaluations", named), "training": Tree({"maximum": maximum})}

    def add(self, generation: int, genomes: Sequence[Genome], parents: Sequence[int | None], rating: Rating) -> None:
        self._width = min(_COLUMNS, rating.behaviour.shape[1])
        fitness, behaviour = rating.fitness.tolist(), rating.behaviour[:, : self._width].double().tolist()
        for number, (genome, parent) in enumerate(zip(genomes, parents, strict=True)):
            row = [generation, number, written(genome), "" if parent is None else parent, fitness[number]]
            self._rows.append(row + [float(f"{value:.7g}") for value in behaviour[number]])
        if self._pictures is not None:
            self._mark(generation, rating)

    def _mark(self, generation: int, rating: Rating) -> None:
        """Keep where they ended; every second one is given up when there are too many."""
        new = rating.behaviour[~rating.fitness.isnan()][:: self._stride]
        old = self._behaviour if len(self._behaviour) else new[:0]
        self._behaviour = torch.cat((old, new))
        self._generation = torch.cat((self._generation, torch.full((len(new),), generation)))
        while len(self._behaviour) > _POINTS:
            self._stride *= 2
            self._behaviour, self._generation = self._behaviour[::2], self._generation[::2]

    def leave(self) -> dict[str, Leaf]:
        """The rows since the last call, and the picture of everything."""
        left: dict[str, Leaf] = {}
        if self._rows:
            columns = ["generation", "individual", "genome", "parent", "fitness"]
            left["population"] = Growing(columns + [f"b{n}" for n in range(self._width)], self._rows)
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


def written(genome: Genome) -> str:
    """`s1+0.1*s2`, from a centre `c0-0.1*s1`; of a long chain only its length and the last mutation: `[9]+0.1*s9`."""
    mutations = genome.seeds[len(genome.seeds) - len(genome.sigmas) :]
    last = [f"{sigma:+g}*s{seed}" for seed, sigma in zip(mutations, genome.sigmas, strict=True)]
    if len(last) > _SHOWN:
        return f"[{len(last)}]{last[-1]}"
    return (f"s{genome.seeds[0]}" if genome.centre is None else f"c{genome.centre}") + "".join(last)
