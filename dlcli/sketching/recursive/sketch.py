"""Recursive sketches: one vector for all objects of a scene."""

import torch
from jaxtyping import Float
from torch import Tensor

from dlcli.sketching.recursive.linear_map import forward_map
from dlcli.sketching.recursive.matrices import Matrices
from dlcli.sketching.recursive.object_graph import Objects, Structure
from dlcli.sketching.recursive.scale import GAIN, Scale, scaled


def sketch(objects: Objects, matrices: Matrices, scale: Scale) -> Float[Tensor, "scene dimension"]:
    """Recursive sketches of all scenes.

    Paper: Ghazi, Panigrahy & Wang 2019, arXiv:1905.12730. Differs: an output pseudo-object has no module and no
    attributes, so its sketch is the tuple of its children; "isometric" scaling, with norms independent of depth, is
    not in the paper.

        tuple   Σ w T_i s_i over the children, T = (I + R) / 2
        own     R_{M,1} x / 2 + R_{M,2} e₁ / 2
        object  T_{M,0} (T_0 own / 2 + T_1 tuple / 2)

    Raises:
        UsageError: the attributes are wider than the dimension.
    """
    ones = objects.attributes.new_ones(len(objects.attributes))
    return forward_map(objects.structure, objects.attributes, ones, matrices, scale)


def coefficients(structure: Structure, scale: Scale) -> Float[Tensor, " object"]:
    """Coefficient of each object's R_{M,1} x and R_{M,2} e₁ in a sketch, without any other matrix (identity path).

    It is the product of all weights and gains from the output to the object, summed over its paths.
    """
    gain = GAIN[scale]
    weight = scaled(structure.weight, scale)
    reached = torch.cat([weight.new_zeros(len(structure.module)), weight.new_ones(structure.scenes)])
    groups = [structure.levels.outputs, *reversed(structure.levels.edges)]
    for level, group in enumerate(groups):
        factor = gain if level == 0 else gain**4
        for _, edges in group:
            flow = reached[structure.reader[edges]] * weight[edges] * factor
            reached.index_add_(0, structure.child[edges], flow)
    return reached[: len(structure.module)] * gain**4


def rate(depth: int, scale: Scale) -> float:
    """Coefficient of an object at a depth (outputs have depth 1) if all weights are 1.

    The sum of effective weights is signature / rate; with isometric scaling, the sum of their square roots.
    """
    return GAIN[scale] ** (4 * depth + 1)
