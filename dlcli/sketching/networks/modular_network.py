"""Protocols of networks that can be sketched: objects in scenes, and optional capabilities."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor

from dlcli.core.task import Batch
from dlcli.sketching.recursive.object_graph import Objects, Structure


@dataclass(frozen=True, eq=False)
class SceneObjects:
    """Objects and output of a network for a batch of scenes.

    Args:
        objects: objects of all scenes of the batch, in batch order.
        total: number of objects among which the weights of a scene are shared, per module (all digits of a scene, all
            of its rows): weight times total counts objects.
        output: output of the network, the input of the task's metrics.
    """

    objects: Objects
    total: Float[Tensor, "scene module"]
    output: Float[Tensor, "scene *unit"]


@runtime_checkable
class ModularNetwork(Protocol):
    """A network as a directed acyclic graph of modules, constructed as `Network(model, scenes, **keywords)`.

    `modules` are the names of all modules, `width` is the number of attributes of an object.
    """

    modules: tuple[str, ...]
    width: int

    def objects(self, x: Tensor) -> SceneObjects:
        """Objects in a batch of images; called without gradients, with the model in evaluation mode."""


@runtime_checkable
class AttributeDecoder(Protocol):
    """A network that can decode attributes to images."""

    def decode(self, module: str, attributes: Float[Tensor, "n attribute"]) -> Tensor | None:
        """Images [n, channel, height, width] of attributes of a module; None if it cannot decode them."""


@runtime_checkable
class ObjectLocator(Protocol):
    """A network that can locate the pixels of an object."""

    def pixels(self, x: Tensor, structure: Structure, number: int) -> Tensor | None:
        """Image [1, channel, height, width] of object `number`, cropped from the scenes x; None if not located."""


@runtime_checkable
class GroundTruth(Protocol):
    """A network whose scenes have known contents."""

    def truth(self, batch: Batch) -> Int[Tensor, "scene module"] | None:
        """True number of objects per module, -1 if unknown; None if unknown for all modules."""
