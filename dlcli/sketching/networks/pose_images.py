"""What networks that read capsules share: images of poses, and the truth about classes."""

import torch
import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor, nn

from dlcli.sketching.recursive.object_graph import joined


def decoded(reconstruct: nn.Module, attributes: Tensor, number: int, classes: int) -> Tensor:
    """Images of poses of one class, at the length that training asks of a capsule that is there."""
    device = next((one.device for one in reconstruct.parameters()), attributes.device)
    pose = F.normalize(joined(attributes.to(device))) * 0.9
    mask = F.one_hot(torch.full((len(pose),), number, device=pose.device), classes).to(pose)
    return reconstruct(pose[:, None] * mask[..., None], mask)


def counted(classes: Int[Tensor, "scene source"], modules: int, known: int) -> Int[Tensor, "scene module"]:
    """How many there are of the first `known` modules; -1 of the others."""
    count = torch.zeros(len(classes), known + 1, dtype=torch.long, device=classes.device)
    count.scatter_add_(1, classes.where(classes >= 0, known), torch.ones_like(classes))
    return F.pad(count[:, :known], (0, modules - known), value=-1)
