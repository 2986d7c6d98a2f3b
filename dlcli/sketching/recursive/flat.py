"""Flat sketches: the paper's Prototype A, one layer and no signatures."""

import torch
from jaxtyping import Float
from torch import Tensor

from dlcli.sketching.recursive.decoding import over, read
from dlcli.sketching.recursive.linear_map import check_width
from dlcli.sketching.recursive.matrices import Matrices
from dlcli.sketching.recursive.object_graph import Objects, Structure
from dlcli.sketching.recursive.scale import Scale, scaled


def sketch(objects: Objects, matrices: Matrices, scale: Scale) -> Float[Tensor, "scene dimension"]:
    """Σ w R_{M,1} x over all objects of a scene, w the product of the weights from an object to the output.

    Paper: Ghazi, Panigrahy & Wang 2019, arXiv:1905.12730, Prototype A. Differs: deeper objects are taken in by their
    effective weight. Objects of one module are not told apart.

    Raises:
        UsageError: an attribute is wider than a sketch.
    """
    structure, attributes = objects.structure, objects.attributes
    check_width(attributes.shape[1], matrices)
    weighted = attributes * coefficients(structure, scale).to(attributes.dtype).unsqueeze(1)
    whole = attributes.new_zeros(structure.scenes, matrices.dimension)
    for number in structure.module.unique().tolist():
        which = (structure.module == number).nonzero().squeeze(1)
        turned = matrices.attribute(structure.modules[number]).apply(weighted[which])
        whole.index_add_(0, structure.scene[which], turned)
    return whole


def coefficients(structure: Structure, scale: Scale) -> Float[Tensor, " object"]:
    """The effective weight of each object, or with isometric scaling that of the roots, summed over its paths."""
    weight = scaled(structure.weight, scale)
    reached = torch.cat([weight.new_zeros(len(structure.module)), weight.new_ones(structure.scenes)])
    for places in (structure.levels.outputs, *reversed(structure.levels.edges)):
        for _, edges in places:
            reached.index_add_(0, structure.child[edges], reached[structure.reader[edges]] * weight[edges])
    return reached[: len(structure.module)]


def identity_path(
    sketches: Float[Tensor, "scene kept"], structure: Structure, matrices: Matrices, width: int, scale: Scale
) -> Float[Tensor, "object attribute"]:
    """R_{M,1}ᵀ s over the effective weight."""
    return over(read(sketches, structure, matrices, width), coefficients(structure, scale))
