"""Recursive sketches: one vector for all objects that a network saw in a scene."""

import torch
from jaxtyping import Float
from torch import Tensor

from dlcli.sketching.recursive.linear_map import up
from dlcli.sketching.recursive.matrices import Matrices
from dlcli.sketching.recursive.object_graph import Objects, Structure
from dlcli.sketching.recursive.scale import GAIN, Scale, scaled


def sketch(objects: Objects, matrices: Matrices, scale: Scale) -> Float[Tensor, "scene dimension"]:
    """Sketches of all scenes.

    Paper: Ghazi, Panigrahy & Wang 2019, arXiv:1905.12730. Differs: an output pseudo-object was made by no module and
    has no attributes, so its sketch is the tuple of its children alone; "isometric" scaling, whose lengths do not
    shrink with depth, is ours.

        tuple   Σ w T_i s_i over the children, T = (I + R) / 2
        own     R_{M,1} x / 2 + R_{M,2} e₁ / 2
        object  T_{M,0} (T_0 own / 2 + T_1 tuple / 2)

    Raises:
        UsageError: an attribute is wider than a sketch.
    """
    ones = objects.attributes.new_ones(len(objects.attributes))
    return up(objects.structure, objects.attributes, ones, matrices, scale)


def coefficients(structure: Structure, scale: Scale) -> Float[Tensor, " object"]:
    """What each object's R_{M,1} x, and equally its R_{M,2} e₁, is multiplied by on the way that meets no other matrix.

    The product of all weights and halves from the object to the output, summed over its paths.
    """
    gain = GAIN[scale]
    weight = scaled(structure.weight, scale)
    reached = torch.cat([weight.new_zeros(len(structure.module)), weight.new_ones(structure.scenes)])
    groups = [structure.levels.outputs, *reversed(structure.levels.edges)]
    for level, places in enumerate(groups):
        steps = gain if level == 0 else gain**4
        for _, edges in places:
            flow = reached[structure.reader[edges]] * weight[edges] * steps
            reached.index_add_(0, structure.child[edges], flow)
    return reached[: len(structure.module)] * gain**4


def rate(depth: int, scale: Scale) -> float:
    """The coefficient of an object at a depth (1: a network's output) whose weights are all 1.

    So that the sum of effective weights is signature / rate; with isometric scaling, the sum of their roots.
    """
    return GAIN[scale] ** (4 * depth + 1)
