"""Capsule layers: groups of units whose direction is a pose and whose length is a probability."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.errors import Mismatch
from dlcli.core.spec import Real, Spec
from dlcli.nn.capsule.prediction_vectors import PairwisePredictionVectors, SharedPredictionVectors
from dlcli.nn.capsule.routing import Routing

_EPSILON = 1e-6  # clamps lengths to [eps, 1 - eps], where the logit is finite in single precision


def channels_to_capsules(
    x: Float[Tensor, "batch channel height width"], dim: int
) -> Float[Tensor, "batch capsule dim"]:
    """Split channels into groups of `dim`: each group is one capsule at every position."""
    return x.unflatten(1, (-1, dim)).flatten(3).transpose(2, 3).flatten(1, 2)


def capsule_lengths(poses: Float[Tensor, "batch class dim"]) -> Float[Tensor, "batch class"]:
    """Euclidean norm of each pose."""
    return torch.linalg.vector_norm(poses, dim=2)


def length_logits(poses: Float[Tensor, "batch class dim"]) -> Float[Tensor, "batch class"]:
    """Class logits log(length / (1 - length)), whose sigmoid is the capsule length."""
    return torch.logit(capsule_lengths(poses), _EPSILON)


def check_class_target(spec: Spec, model_name: str) -> None:
    """Check that the target consists of classes, one capsule each.

    Raises:
        Mismatch: the target is real-valued.
    """
    if isinstance(spec.target, Real):
        raise Mismatch("mismatch", subject=model_name, requirement="a target of classes", got=spec)


class CapsuleLayer(nn.Module):
    """Capsule layer with one weight matrix per pair of input and output capsule.

    Paper: Sabour, Frosst & Hinton 2017, arXiv:1710.09829, section 4.

    Args:
        inputs: number of input capsules.
        dim: dimensions of an input capsule.
        outputs: number of output capsules.
        pose: dimensions of an output capsule.
        routing: routing algorithm.
        spread: standard deviation of the initial weights.
        bias: initial bias, added before squashing.
    """

    def __init__(
        self, inputs: int, dim: int, outputs: int, pose: int, routing: Routing, *, spread: float, bias: float
    ) -> None:
        super().__init__()
        self.routing = routing
        self.weight = nn.Parameter(torch.empty(dim, inputs, outputs, pose).normal_(0, spread))
        self.bias = nn.Parameter(torch.full((outputs, pose), bias))

    def forward(self, u: Float[Tensor, "batch input dim"]) -> Float[Tensor, "batch output pose"]:
        with torch.autocast(u.device.type, enabled=False):  # agreement is a small difference of long sums
            return self.routing(self._predict(u), self.bias)

    def couplings(self, u: Float[Tensor, "batch input dim"]) -> Float[Tensor, "output batch input"] | None:
        """Final coupling coefficients; None if all are equal."""
        return self.routing.couplings(self._predict(u), self.bias)

    def _predict(self, u: Tensor) -> PairwisePredictionVectors:
        return PairwisePredictionVectors(u.to(self.weight.dtype).transpose(1, 2).contiguous(), self.weight)


class SharedCapsuleLayer(nn.Module):
    """Capsule layer with one weight matrix per output capsule, shared by any number of input capsules; no bias.

    Source: Su Jianlin's Keras code (`share_weights=True`).

    Args:
        dim: dimensions of an input capsule.
        outputs: number of output capsules.
        pose: dimensions of an output capsule.
        routing: routing algorithm.
    """

    def __init__(self, dim: int, outputs: int, pose: int, routing: Routing) -> None:
        super().__init__()
        self.routing = routing
        bound = (6 / (dim + outputs * pose)) ** 0.5  # Glorot uniform over all outputs, as in Su's code
        self.weight = nn.Parameter(torch.empty(dim, outputs, pose).uniform_(-bound, bound))

    def forward(self, u: Float[Tensor, "batch input dim"]) -> Float[Tensor, "batch output pose"]:
        with torch.autocast(u.device.type, enabled=False):
            return self.routing(self._predict(u))

    def couplings(self, u: Float[Tensor, "batch input dim"]) -> Float[Tensor, "output batch input"] | None:
        """Final coupling coefficients; None if all are equal."""
        return self.routing.couplings(self._predict(u))

    def _predict(self, u: Tensor) -> SharedPredictionVectors:
        return SharedPredictionVectors(u.to(self.weight.dtype).transpose(1, 2).contiguous(), self.weight)


class CapsuleDecoder(nn.Module):
    """Decoder that reconstructs an image from the poses of selected classes: dense ReLU layers, sigmoid output.

    Paper: Sabour, Frosst & Hinton 2017, arXiv:1710.09829, section 4.1.

    Args:
        width: number of pose values of all classes.
        hidden: units of each hidden layer.
        shape: (channel, height, width) of the image.
    """

    def __init__(self, width: int, hidden: Sequence[int], shape: tuple[int, int, int]) -> None:
        super().__init__()
        *inner, last = pairwise((width, *hidden, torch.Size(shape).numel()))
        units = [part for ends in inner for part in (nn.Linear(*ends), nn.ReLU())]
        self.layers = nn.Sequential(*units, nn.Linear(*last), nn.Sigmoid(), nn.Unflatten(1, shape))

    def forward(
        self, poses: Float[Tensor, "batch class dim"], mask: Float[Tensor, "batch class"]
    ) -> Float[Tensor, "batch channel height width"]:
        return self.layers((poses * mask[..., None]).flatten(1))
