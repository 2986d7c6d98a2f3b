"""Capsules: groups of units whose direction is a pose and whose length says how likely the thing is there."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.errors import Mismatch
from dlcli.core.spec import Real, Spec
from dlcli.nn.capsule.routing import Routing
from dlcli.nn.capsule.prediction_vectors import PairwisePredictionVectors, SharedPredictionVectors

_SMALLEST = 1e-6  # lengths nearer to 0 or 1 have no logit in single precision


def channels_to_capsules(x: Float[Tensor, "batch channel height width"], dim: int) -> Float[Tensor, "batch capsule dim"]:
    """Channels in groups of `dim`: each group is one capsule at every position, never neighbouring positions."""
    return x.unflatten(1, (-1, dim)).flatten(3).transpose(2, 3).flatten(1, 2)


def capsule_lengths(poses: Float[Tensor, "batch class dim"]) -> Float[Tensor, "batch class"]:
    return torch.linalg.vector_norm(poses, dim=2)


def length_logits(poses: Float[Tensor, "batch class dim"]) -> Float[Tensor, "batch class"]:
    """log(length / (1 - length)), whose sigmoid is the length."""
    return torch.logit(capsule_lengths(poses), _SMALLEST)


def check_class_target(spec: Spec, model_name: str) -> None:
    """Raises Mismatch where the target is no set of classes, one capsule each."""
    if isinstance(spec.target, Real):
        raise Mismatch(f"{model_name} has a capsule for each class, and there are none: {spec.describe()}")


class CapsuleLayer(nn.Module):
    """Output capsules that every input reaches through a matrix of its own.

    Args:
        inputs: how many capsules come in.
        dim: of each.
        outputs: how many capsules go out.
        pose: dimensions of each.
        routing: between the two.
        spread: standard deviation of the initial matrices.
        bias: initial value of what is added before outputs are squashed.
    """

    def __init__(
        self, inputs: int, dim: int, outputs: int, pose: int, routing: Routing, *, spread: float, bias: float
    ) -> None:
        super().__init__()
        self.routing = routing
        self.weight = nn.Parameter(torch.empty(dim, inputs, outputs, pose).normal_(0, spread))
        self.bias = nn.Parameter(torch.full((outputs, pose), bias))

    def forward(self, u: Float[Tensor, "batch input dim"]) -> Float[Tensor, "batch output pose"]:
        with torch.autocast(u.device.type, enabled=False):  # agreement is small differences of long sums
            return self.routing(self._votes(u), self.bias)

    def couplings(self, u: Float[Tensor, "batch input dim"]) -> Float[Tensor, "output batch input"] | None:
        """How much of each input goes to each output; None where all are equal."""
        return self.routing.couplings(self._votes(u), self.bias)

    def _votes(self, u: Tensor) -> PairwisePredictionVectors:
        return PairwisePredictionVectors(u.float().transpose(1, 2).contiguous(), self.weight)


class SharedCapsuleLayer(nn.Module):
    """Output capsules with one matrix each for all inputs, of which there may be any number; no bias.

    Args:
        dim: of the capsules that come in.
        outputs: how many capsules go out.
        pose: dimensions of each.
        routing: between the two.
    """

    def __init__(self, dim: int, outputs: int, pose: int, routing: Routing) -> None:
        super().__init__()
        self.routing = routing
        reach = (6 / (dim + outputs * pose)) ** 0.5  # Glorot's, over all outputs at once, as in Su's code
        self.weight = nn.Parameter(torch.empty(dim, outputs, pose).uniform_(-reach, reach))

    def forward(self, u: Float[Tensor, "batch input dim"]) -> Float[Tensor, "batch output pose"]:
        with torch.autocast(u.device.type, enabled=False):
            return self.routing(self._votes(u))

    def couplings(self, u: Float[Tensor, "batch input dim"]) -> Float[Tensor, "output batch input"] | None:
        """How much of each input goes to each output; None where all are equal."""
        return self.routing.couplings(self._votes(u))

    def _votes(self, u: Tensor) -> SharedPredictionVectors:
        return SharedPredictionVectors(u.float().transpose(1, 2).contiguous(), self.weight)


class CapsuleDecoder(nn.Module):
    """An image from the poses of the classes that are asked for, the others being 0; ReLU, at last a sigmoid.

    Paper: Sabour, Frosst & Hinton 2017, arXiv:1710.09829, section 4.1.

    Args:
        width: values of all poses.
        hidden: units of each layer before the pixels.
        shape: (channel, height, width) of the image.
    """

    def __init__(self, width: int, hidden: Sequence[int], shape: tuple[int, int, int]) -> None:
        super().__init__()
        *between, last = pairwise((width, *hidden, torch.Size(shape).numel()))
        units = [part for ends in between for part in (nn.Linear(*ends), nn.ReLU())]
        self.layers = nn.Sequential(*units, nn.Linear(*last), nn.Sigmoid(), nn.Unflatten(1, shape))

    def forward(
        self, poses: Float[Tensor, "batch class dim"], mask: Float[Tensor, "batch class"]
    ) -> Float[Tensor, "batch channel height width"]:
        return self.layers((poses * mask[..., None]).flatten(1))
