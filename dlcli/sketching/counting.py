"""How many objects of a module there were in many scenes, and what they were like in the mean."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.sketching import asking
from dlcli.sketching.matrices import Matrices
from dlcli.sketching.recursive import rate
from dlcli.sketching.scaling import Scale
from dlcli.sketching.wiring import Way, Wiring, attributes_at, marks

Decoder = Literal["identity", "matched"]

_DECOYS = 16
_SMALL = 1e-6  # of the largest: what a system of equations is steadied by


@dataclass(frozen=True)
class Count:
    """An estimate.

    Args:
        value: of the number.
        deviation: its standard error: that of as many modules which never fired, and of which none should be found.
    """

    value: float
    deviation: float


def summed(
    sketches: Float[Tensor, "scene kept"], total: Float[Tensor, " scene"], scale: Scale
) -> Float[Tensor, " kept"]:
    """The sum of the sketches, each times what makes its weights (or their roots) count objects."""
    times = total if scale == "paper" else total.sqrt()
    return times.to(sketches.dtype) @ sketches


class Counter:
    """Counts modules in a sum of sketches.

    "identity" is the paper's question: the signature's matrix, transposed, over the coefficient of the identity path.
    "matched" looks for what the signature leaves at the end of every way through the wiring, all ways of all modules
    together by least squares where a sketch is long enough, else the ways of one module.

    Args:
        wiring: how the modules read one another.
        kept: values of a sketch that are there.
    """

    def __init__(self, wiring: Wiring, matrices: Matrices, scale: Scale, kept: int, decoder: Decoder) -> None:
        self._wiring, self._matrices, self._scale, self._kept, self._decoder = wiring, matrices, scale, kept, decoder
        self._decoys = tuple(f"decoy {number}" for number in range(_DECOYS))
        self._names = (*wiring.modules, *self._decoys)
        self._ways = {number: wiring.ways(number) for number in range(len(wiring.modules))}
        ways = [(number, way) for number, all_of in self._ways.items() for way in all_of]
        self._together = decoder == "matched" and 2 * len(ways) <= kept
        if self._together:
            self._owner = torch.tensor([number for number, _ in ways])
            self._columns = self._marks([way for _, way in ways])

    def _marks(self, ways: list[Way]) -> Float[Tensor, "way kept"]:
        return marks(self._names, ways, self._matrices, self._scale)[:, : self._kept].double()

    def ways(self, module: int) -> list[Way]:
        """Those to a module.

        Raises:
            UsageError: none of its objects is in any scene, so nobody knows where it would be.
        """
        if not self._ways[module]:
            raise UsageError(f"no scene has an object of {self._names[module]}: nothing says where it would be")
        return self._ways[module]

    def count(self, sketch: Float[Tensor, " kept"], module: int) -> Count:
        """How many objects of a module there are in a sum of sketches."""
        ways = self.ways(module)
        others = [self._moved(ways, len(self._wiring.modules) + number) for number in range(_DECOYS)]
        found = [self._found(sketch, ways, module), *(self._found(sketch, decoy, None) for decoy in others)]
        none = torch.tensor(found[1:])
        return Count(found[0], float(none.square().mean().sqrt()))

    @staticmethod
    def _moved(ways: list[Way], module: int) -> list[Way]:
        return [(*way[:-1], (way[-1][0], module)) for way in ways]

    def _found(self, sketch: Tensor, ways: list[Way], module: int | None) -> float:
        if self._decoder == "identity":
            once = rate(min(map(len, ways)), self._scale)
            name = self._names[ways[0][-1][1]]
            return float(asking.signature(sketch[None], self._matrices, name, rate=once))
        own, rest = self._marks(ways), sketch.double()
        if self._together:
            others = self._columns if module is None else self._columns[self._owner != module]
            own, rest = _without(own, others), _without(rest[None], others)[0]
        return float(_solved(own, own @ rest).sum())

    def mean(self, sketch: Float[Tensor, " kept"], module: int, width: int) -> Float[Tensor, " attribute"]:
        """The sum of a module's attributes over their number, which may be far off where there are few."""
        ways, many = self.ways(module), max(self.count(sketch, module).value, 1.0)
        if self._decoder == "identity":
            once, name = rate(min(map(len, ways)), self._scale), self._names[module]
            return asking.attribute(sketch[None], self._matrices, name, width=width, rate=once)[0] / many
        found = attributes_at(sketch, self._names, ways, self._matrices, self._scale, width)
        return found.sum(0) / many


def _solved(rows: Float[Tensor, "way kept"], right: Float[Tensor, "way *more"]) -> Tensor:
    gram = rows @ rows.T
    gram.diagonal().add_(_SMALL * gram.diagonal().max())
    return torch.linalg.solve(gram, right)


def _without(rows: Float[Tensor, "row kept"], columns: Float[Tensor, "way kept"]) -> Float[Tensor, "row kept"]:
    """The rows less their part that the columns explain."""
    if not len(columns):
        return rows
    return rows - _solved(columns, columns @ rows.T).T @ columns
