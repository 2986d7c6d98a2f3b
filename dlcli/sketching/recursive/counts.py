"""Estimates of the number of objects of a module in many scenes, and of their mean attribute."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dlcli.sketching.recursive import queries
from dlcli.sketching.recursive.flat import coefficients
from dlcli.sketching.recursive.matrices import Matrices
from dlcli.sketching.recursive.module_graph import ModuleGraph, ModulePath, attribute_columns, signature_columns
from dlcli.sketching.recursive.object_graph import Structure
from dlcli.sketching.recursive.scale import Scale
from dlcli.sketching.recursive.sketch import rate

Decoder = Literal["joint", "identity"]

_DECOYS = 16  # absent modules whose counts estimate the standard error
_RIDGE = 1e-4  # regularization of the normal equations, relative to squared column norms


@dataclass(frozen=True)
class Count:
    """Estimated count and mean attribute of a module.

    Args:
        value: estimated number of objects.
        deviation: standard error of the number, from the estimates for modules that do not exist.
        mean: estimated mean attribute.
    """

    value: float
    deviation: float
    mean: Float[Tensor, " attribute"]


def sum_sketches(
    sketches: Float[Tensor, "scene kept"], total: Float[Tensor, " scene"], scale: Scale
) -> Float[Tensor, " kept"]:
    """Sum of the sketches, each multiplied such that its weights (or their square roots) count objects.

    Args:
        sketches: complete or erased sketches.
        total: number of objects among which the weights of a scene are shared.
        scale: scaling of the sketches.
    """
    return _multiplier(total, scale).to(sketches.dtype) @ sketches


def weighted_count(structure: Structure, module: int, total: Float[Tensor, " scene"], scale: Scale) -> float:
    """Expected count: the sum over a module's objects of weight times total.

    It equals the number of objects if all weights of a scene are equal.
    """
    own = structure.module == module
    return float((coefficients(structure, scale) * _multiplier(total, scale)[structure.scene])[own].sum())


def _multiplier(total: Float[Tensor, " scene"], scale: Scale) -> Float[Tensor, " scene"]:
    return total if scale == "paper" else total.sqrt()


class Counter:
    """Counts objects of modules in a sum of sketches, given only the module graph.

    "identity" is the query of the paper: the product with the signature, divided by the coefficient of the identity
    path. "joint" is not in the paper: least squares for the contributions of a signature at the end of every path and
    of a mean attribute of every module; for all modules together if the sketch is long enough, otherwise for one
    module. It assumes that the mean attribute of a module is the same on all paths, as for random scenes.

    Args:
        graph: the module graph.
        matrices: random matrices of the sketches.
        scale: scaling of the sketches.
        kept: number of values of an (erased) sketch.
        width: width of the attributes.
        decoder: "joint" or "identity".
    """

    def __init__(
        self, graph: ModuleGraph, matrices: Matrices, scale: Scale, kept: int, width: int, decoder: Decoder
    ) -> None:
        self._matrices, self._scale, self._kept, self._width, self._decoder = matrices, scale, kept, width, decoder
        self._modules = len(graph.modules)
        self._names = (*graph.modules, *(f"decoy {number}" for number in range(_DECOYS)))
        self._paths = [graph.paths(number) for number in range(self._modules)]
        present = [number for number, paths in enumerate(self._paths) if paths]
        unknowns = sum(len(paths) for paths in self._paths) + width * len(present)
        solvable = decoder == "joint" and unknowns <= kept
        self._full_system = self._system(present) if solvable else None

    def _system(self, modules: list[int]) -> tuple[Float[Tensor, "column kept"], Int[Tensor, " column"]]:
        """Columns, and their owners: 2 m for signatures and 2 m + 1 for attributes of module m."""
        parts = [(2 * number, self._signatures(self._paths[number])) for number in modules]
        parts += [(2 * number + 1, self._attributes(self._paths[number])) for number in modules]
        owner = torch.cat([torch.full((len(rows),), number) for number, rows in parts])
        return torch.cat([rows for _, rows in parts]), owner

    def _signatures(self, paths: list[ModulePath]) -> Float[Tensor, "path kept"]:
        return signature_columns(self._names, paths, self._matrices, self._scale)[:, : self._kept].double()

    def _attributes(self, paths: list[ModulePath]) -> Float[Tensor, "attribute kept"]:
        columns = attribute_columns(self._names, paths, self._matrices, self._scale, self._width)
        return columns[:, : self._kept].double()

    def count(self, sketch: Float[Tensor, " kept"], module: int) -> Count:
        """Estimate the count and mean attribute of a module in a sum of sketches; zero for an absent module."""
        paths = self._paths[module]
        if not paths:
            return Count(0.0, 0.0, sketch.new_zeros(self._width))
        decoys = [[(*path[:-1], (path[-1][0], self._modules + number)) for path in paths] for number in range(_DECOYS)]
        decode = self._decode_joint if self._decoder == "joint" else self._decode_identity
        value, total, decoy_counts = decode(sketch, module, decoys)
        return Count(value, float(torch.tensor(decoy_counts).square().mean().sqrt()), total / max(value, 1.0))

    def _decode_identity(
        self, sketch: Tensor, module: int, decoys: list[list[ModulePath]]
    ) -> tuple[float, Tensor, list[float]]:
        """Count, sum of attributes, and counts of the decoys, by the identity path."""
        unit, names = rate(min(map(len, self._paths[module])), self._scale), self._names
        queried = [names[module], *(names[paths[0][-1][1]] for paths in decoys)]
        values = [float(queries.signature(sketch[None], self._matrices, name, rate=unit)) for name in queried]
        total = queries.attribute(sketch[None], self._matrices, names[module], width=self._width, rate=unit)[0]
        return values[0], total, values[1:]

    def _decode_joint(
        self, sketch: Tensor, module: int, decoys: list[list[ModulePath]]
    ) -> tuple[float, Tensor, list[float]]:
        """Count, sum of attributes, and counts of the decoys, by least squares."""
        columns, owner = self._full_system if self._full_system is not None else self._system([module])
        solution = _solve(columns, columns @ sketch.double())
        residual = sketch.double() - solution @ columns
        values = []
        for paths in decoys:
            own = self._signatures(paths)
            own = own - _solve(columns, columns @ own.T).T @ columns  # orthogonal to the system
            values.append(float(_solve(own, own @ residual).sum()))
        total = solution[owner == 2 * module + 1].to(sketch.dtype)
        return float(solution[owner == 2 * module].sum()), total, values


def _solve(rows: Float[Tensor, "column kept"], right: Float[Tensor, "column *more"]) -> Tensor:
    """Solve the ridge-regularized normal equations of `rows`, normalized to length 1; `right` is rows @ data."""
    size = torch.linalg.vector_norm(rows, dim=1).clamp(min=1e-30).reciprocal()
    gram = (rows @ rows.T) * size[:, None] * size
    gram.diagonal().add_(_RIDGE)
    scaled = right * (size if right.dim() == 1 else size[:, None])
    return torch.linalg.solve(gram, scaled) * (size if right.dim() == 1 else size[:, None])
