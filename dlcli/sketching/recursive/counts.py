"""How many objects of a module there were in many scenes, and what they were like in the mean."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dlcli.sketching.recursive import queries
from dlcli.sketching.recursive.flat import coefficients
from dlcli.sketching.recursive.matrices import Matrices
from dlcli.sketching.recursive.module_graph import Way, Wiring, marks, means
from dlcli.sketching.recursive.object_graph import Structure
from dlcli.sketching.recursive.scale import Scale
from dlcli.sketching.recursive.sketch import rate

Decoder = Literal["joint", "identity"]

_DECOYS = 16
_SMALL = 1e-4  # of a column's squared length: what a system of equations is steadied by


@dataclass(frozen=True)
class Count:
    """An estimate.

    Args:
        value: of the number.
        deviation: its standard error: how many were found of modules that never fired.
        mean: the mean attribute.
    """

    value: float
    deviation: float
    mean: Float[Tensor, " attribute"]


def summed(
    sketches: Float[Tensor, "scene kept"], total: Float[Tensor, " scene"], scale: Scale
) -> Float[Tensor, " kept"]:
    """The sum of the sketches, each times what makes its weights (or their roots) count objects."""
    return _times(total, scale).to(sketches.dtype) @ sketches


def weighed(structure: Structure, module: int, total: Float[Tensor, " scene"], scale: Scale) -> float:
    """What a count would be without noise: the sum over a module's objects of what each is counted as.

    It is their number where all weights of a scene are equal.
    """
    mine = structure.module == module
    return float((coefficients(structure, scale) * _times(total, scale)[structure.scene])[mine].sum())


def _times(total: Float[Tensor, " scene"], scale: Scale) -> Float[Tensor, " scene"]:
    return total if scale == "paper" else total.sqrt()


class Counter:
    """Counts modules in a sum of sketches, of which nothing is known but the wiring.

    "identity" is the paper's question: the signature's matrix, transposed, over the coefficient of the identity path.
    "joint" is ours: least squares over what a signature at the end of every way, and a mean attribute of every module,
    would leave in the sum; over all modules together where what was kept is long enough, else over one module. That a
    mean attribute is the same at the end of all ways is an assumption, which random scenes meet.

    Args:
        wiring: how the modules read one another.
        kept: values of a sketch that are there.
        width: of the attributes.
    """

    def __init__(
        self, wiring: Wiring, matrices: Matrices, scale: Scale, kept: int, width: int, decoder: Decoder
    ) -> None:
        self._matrices, self._scale, self._kept, self._width, self._decoder = matrices, scale, kept, width, decoder
        self._modules = len(wiring.modules)
        self._names = (*wiring.modules, *(f"decoy {number}" for number in range(_DECOYS)))
        self._ways = [wiring.ways(number) for number in range(self._modules)]
        there = [number for number, ways in enumerate(self._ways) if ways]
        unknowns = sum(len(ways) for ways in self._ways) + width * len(there)
        self._together = decoder == "joint" and unknowns <= kept
        self._known = self._system(there) if self._together else None

    def _system(self, modules: list[int]) -> tuple[Float[Tensor, "column kept"], Int[Tensor, " column"]]:
        """Columns, and which module's signatures (2 number) or attributes (2 number + 1) they are of."""
        parts = [(2 * number, self._marks(self._ways[number])) for number in modules]
        parts += [(2 * number + 1, self._means(self._ways[number])) for number in modules]
        owner = torch.cat([torch.full((len(rows),), number) for number, rows in parts])
        return torch.cat([rows for _, rows in parts]), owner

    def _marks(self, ways: list[Way]) -> Float[Tensor, "way kept"]:
        return marks(self._names, ways, self._matrices, self._scale)[:, : self._kept].double()

    def _means(self, ways: list[Way]) -> Float[Tensor, "attribute kept"]:
        return means(self._names, ways, self._matrices, self._scale, self._width)[:, : self._kept].double()

    def count(self, sketch: Float[Tensor, " kept"], module: int) -> Count:
        """How many objects of a module there are in a sum of sketches, and their mean attribute: none of a module that
        is nowhere in the wiring.
        """
        ways = self._ways[module]
        if not ways:
            return Count(0.0, 0.0, sketch.new_zeros(self._width))
        decoys = [[(*way[:-1], (way[-1][0], self._modules + number)) for way in ways] for number in range(_DECOYS)]
        value, total, none = (self._jointly if self._decoder == "joint" else self._plainly)(sketch, module, decoys)
        return Count(value, float(torch.tensor(none).square().mean().sqrt()), total / max(value, 1.0))

    def _plainly(self, sketch: Tensor, module: int, decoys: list[list[Way]]) -> tuple[float, Tensor, list[float]]:
        once, names = rate(min(map(len, self._ways[module])), self._scale), self._names
        asked = [names[module], *(names[ways[0][-1][1]] for ways in decoys)]
        found = [float(queries.signature(sketch[None], self._matrices, name, rate=once)) for name in asked]
        total = queries.attribute(sketch[None], self._matrices, names[module], width=self._width, rate=once)[0]
        return found[0], total, found[1:]

    def _jointly(self, sketch: Tensor, module: int, decoys: list[list[Way]]) -> tuple[float, Tensor, list[float]]:
        columns, owner = self._known if self._known is not None else self._system([module])
        solution = _solved(columns, columns @ sketch.double())
        rest = sketch.double() - solution @ columns
        found = []
        for ways in decoys:
            own = self._marks(ways)
            own = own - _solved(columns, columns @ own.T).T @ columns
            found.append(float(_solved(own, own @ rest).sum()))
        total = solution[owner == 2 * module + 1].to(sketch.dtype)
        return float(solution[owner == 2 * module].sum()), total, found


def _solved(rows: Float[Tensor, "column kept"], right: Float[Tensor, "column *more"]) -> Tensor:
    """Least squares in the rows, each scaled to length 1, with a little of a ridge."""
    size = torch.linalg.vector_norm(rows, dim=1).clamp(min=1e-30).reciprocal()
    gram = (rows @ rows.T) * size[:, None] * size
    gram.diagonal().add_(_SMALL)
    scaled = right * (size if right.dim() == 1 else size[:, None])
    return torch.linalg.solve(gram, scaled) * (size if right.dim() == 1 else size[:, None])
