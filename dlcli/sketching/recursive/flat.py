"""Flat sketches: one layer without signatures (Prototype A of the paper)."""

import torch
from jaxtyping import Float
from torch import Tensor

from dlcli.sketching.recursive.decoding import divide_rows, project
from dlcli.sketching.recursive.linear_map import check_width
from dlcli.sketching.recursive.matrices import Matrices
from dlcli.sketching.recursive.object_graph import Objects, Structure
from dlcli.sketching.recursive.scale import Scale, scaled


def sketch(scene_objects: Objects, matrices: Matrices, scale: Scale) -> Float[Tensor, "scene dimension"]:
    """Σ w R_{M,1} x over all objects of a scene, w the product of the weights from the output to the object.

    Paper: Ghazi, Panigrahy & Wang 2019, arXiv:1905.12730, Prototype A. Differs: deeper objects are included with
    their effective weight. Objects of one module cannot be distinguished.

    Raises:
        UsageError: the attributes are wider than the dimension.
    """
    structure, attributes = scene_objects.structure, scene_objects.attributes
    check_width(attributes.shape[1], matrices)
    weighted = attributes * coefficients(structure, scale).to(attributes.dtype).unsqueeze(1)
    sketches = attributes.new_zeros(structure.scenes, matrices.dimension)
    for number in structure.module.unique().tolist():
        objects = (structure.module == number).nonzero().squeeze(1)
        products = matrices.attribute(structure.modules[number]).apply(weighted[objects])
        sketches.index_add_(0, structure.scene[objects], products)
    return sketches


def coefficients(structure: Structure, scale: Scale) -> Float[Tensor, " object"]:
    """Effective weight of each object summed over its paths; with isometric scaling, of the weights' square roots."""
    weight = scaled(structure.weight, scale)
    reached = torch.cat([weight.new_zeros(len(structure.module)), weight.new_ones(structure.scenes)])
    for groups in (structure.levels.outputs, *reversed(structure.levels.edges)):
        for _, edges in groups:
            reached.index_add_(0, structure.child[edges], reached[structure.reader[edges]] * weight[edges])
    return reached[: len(structure.module)]


def identity_path(
    sketches: Float[Tensor, "scene kept"], structure: Structure, matrices: Matrices, width: int, scale: Scale
) -> Float[Tensor, "object attribute"]:
    """R_{M,1}ᵀ s divided by the effective weight."""
    return divide_rows(project(sketches, structure, matrices, width), coefficients(structure, scale))
