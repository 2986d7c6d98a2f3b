"""What a network that is sketched must answer, and what it may."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor

from dlcli.core.task import Batch
from dlcli.sketching.recursive.object_graph import Objects, Structure


@dataclass(frozen=True, eq=False)
class Seen:
    """What a network saw in a batch of scenes.

    Args:
        objects: of all scenes of the batch, in its order.
        total: among how many objects of a module's kind the weights of a scene are shared (all digits of a scene, all
            of its rows): a weight times it counts them.
        output: what the metrics of the scenes' task grade, as the network's answer to the batch.
    """

    objects: Objects
    total: Float[Tensor, "scene module"]
    output: Float[Tensor, "scene *unit"]


@runtime_checkable
class Modular(Protocol):
    """A network as a directed acyclic graph of modules: made of (model, scenes' task) and keywords.

    `modules` are all names that its objects may have, `width` the number of their attributes.
    """

    modules: tuple[str, ...]
    width: int

    def objects(self, x: Tensor) -> Seen:
        """What it sees in a batch; called without gradients, the model in evaluation mode."""


@runtime_checkable
class Decodes(Protocol):
    """A network whose attributes can be looked at."""

    def decode(self, module: str, attributes: Float[Tensor, "n attribute"]) -> Tensor | None:
        """Images [n, channel, height, width] of a module's attributes; None where there are none."""


@runtime_checkable
class Points(Protocol):
    """A network that can point to the pixels that an object was seen in."""

    def pixels(self, x: Tensor, structure: Structure, number: int) -> Tensor | None:
        """An image [1, channel, height, width], cut out of those of the scenes; None where there is none."""


@runtime_checkable
class Knows(Protocol):
    """A network whose scenes' task knows what is in them."""

    def truth(self, batch: Batch) -> Int[Tensor, "scene module"] | None:
        """How many of each module's things there are, -1 where nobody knows; None where nothing is known."""
