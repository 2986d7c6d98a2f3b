"""Shared functions of capsule networks: images of poses, and true class counts."""

import torch
import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor, nn

from dlcli.sketching.recursive.object_graph import join_signs

_LENGTH = 0.9  # capsule length of a present class in the margin loss


def decode_poses(reconstruct: nn.Module, attributes: Tensor, number: int, classes: int) -> Tensor:
    """Images of poses of class `number`, scaled to the capsule length that training demands of a present class."""
    device = next((parameter.device for parameter in reconstruct.parameters()), attributes.device)
    pose = F.normalize(join_signs(attributes.to(device))) * _LENGTH
    mask = F.one_hot(torch.full((len(pose),), number, device=pose.device), classes).to(pose)
    return reconstruct(pose[:, None] * mask[..., None], mask)


def count_classes(classes: Int[Tensor, "scene source"], modules: int, known: int) -> Int[Tensor, "scene module"]:
    """Number of objects of the first `known` modules (classes), -1 for the others; negative classes are ignored."""
    count = torch.zeros(len(classes), known + 1, dtype=torch.long, device=classes.device)
    count.scatter_add_(1, classes.where(classes >= 0, known), torch.ones_like(classes))
    return F.pad(count[:, :known], (0, modules - known), value=-1)
