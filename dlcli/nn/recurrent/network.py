"""Networks with memory: what carries a state along a sequence, and the network around it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, cast

from jaxtyping import Float, Shaped
from torch import Tensor, nn

from dlcli.core.spec import Spec
from dlcli.core.task import Carry
from dlcli.nn.sequence_io import InputStem, OutputHead
from dlcli.nn.checks import at_least, probability
from dlcli.nn.sequence_io import tied_embedding


class RecurrentLayer(nn.Module, ABC):
    """Reads a sequence, time axis first so that a step lies together, and can go on where it stopped."""

    width: int
    """Units of its state at one step."""

    @abstractmethod
    def start(self, batch: int) -> Carry:
        """The carry of sequences that have seen nothing: tensors, or tuples of them, batch axis first."""

    @abstractmethod
    def forward(
        self, x: Float[Tensor, "time batch channel"], carry: Carry
    ) -> tuple[Float[Tensor, "time batch unit"], Carry]:
        """The state after every step, and the carry after the last."""


class StackedLayers(RecurrentLayer):
    """Layers of memory, each reading the states of the one below.

    Args:
        width: channels that come in.
        layer: makes a layer from its (width of the input, hidden).
        hidden: units of every layer.
        layers: how many.
        dropout: probability that a component passed from one layer to the next is zeroed.
    """

    def __init__(
        self, width: int, layer: Callable[[int, int], RecurrentLayer], *, hidden: int, layers: int, dropout: float
    ) -> None:
        super().__init__()
        at_least(1, hidden=hidden, layers=layers)
        self.width = hidden
        made = nn.ModuleList(layer(hidden if depth else width, hidden) for depth in range(layers))
        self.layers = cast(Iterable[RecurrentLayer], made)
        self.dropout = nn.Dropout(probability("model.dropout", dropout))

    def start(self, batch: int) -> Carry:
        return tuple(layer.start(batch) for layer in self.layers)

    def forward(
        self, x: Float[Tensor, "time batch channel"], carry: Carry
    ) -> tuple[Float[Tensor, "time batch unit"], Carry]:
        after = []
        for depth, (layer, state) in enumerate(zip(self.layers, carry, strict=True)):
            x, state = layer(self.dropout(x) if depth else x, state)
            after.append(state)
        return x, tuple(after)


class RecurrentNetwork(nn.Module):
    """Front, memory, head: a model is a subclass that says which memory.

    Dropout is on what goes up, from layer to layer and to the head, never along time (Zaremba, Sutskever &
    Vinyals 2014, arXiv:1409.2329).

    Args:
        spec: one input, (channel, time) or tokens (time); target one value a sequence, or one a step.
        memory: makes the memory from the width of the front.
        model_name: name of the model, for messages.
        dropout: probability that a component of the state is zeroed before the head.
        embedding: width of a token's vector; not used for real inputs.
        embedding_dropout: probability that a component of an embedded token is zeroed.
        tied: the embedding is also the output matrix; its vectors are as wide as the state.
    """

    def __init__(
        self,
        spec: Spec,
        memory: Callable[[int], RecurrentLayer],
        *,
        model_name: str,
        dropout: float,
        embedding: int,
        embedding_dropout: float,
        tied: bool,
    ) -> None:
        super().__init__()
        self.front = InputStem(spec, embedding=embedding, dropout=embedding_dropout, model_name=model_name)
        self.memory = memory(self.front.width)
        self.dropout = nn.Dropout(dropout)
        self.head = OutputHead(self.memory.width, spec, tied=tied_embedding(self.front, tied))

    def start(self, batch: int) -> Carry:
        return self.memory.start(batch)

    def forward(
        self, x: Shaped[Tensor, "batch *channel time"], carry: Carry = None
    ) -> Float[Tensor, "batch unit *time"] | tuple[Float[Tensor, "batch unit *time"], Any]:
        begin = self.start(len(x)) if carry is None else carry
        states, after = self.memory(self.front(x).permute(2, 0, 1), begin)
        read = states if self.head.per_step else states[-1:]
        output = self.head(self.dropout(read).permute(1, 2, 0))
        return output if carry is None else (output, after)
