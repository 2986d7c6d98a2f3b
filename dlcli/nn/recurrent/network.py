"""Recurrent layers, and the network around them: input stem, recurrent layers, output head."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, cast

from jaxtyping import Float, Shaped
from torch import Tensor, nn

from dlcli.core.spec import Spec
from dlcli.core.task import Carry
from dlcli.nn.checks import at_least, probability
from dlcli.nn.sequence_io import InputStem, OutputHead, tied_embedding


class RecurrentLayer(nn.Module, ABC):
    """Layer that maps a sequence to hidden states and can continue from a carry; the time axis comes first."""

    width: int
    """Hidden units of one step."""

    @abstractmethod
    def start(self, batch: int) -> Carry:
        """Initial carry of `batch` sequences: a tensor or a (nested) tuple of tensors, batch axis first."""

    @abstractmethod
    def forward(
        self, x: Float[Tensor, "time batch channel"], carry: Carry
    ) -> tuple[Float[Tensor, "time batch unit"], Carry]:
        """Hidden states of all steps, and the carry after the last step."""


class StackedLayers(RecurrentLayer):
    """Stack of recurrent layers, each of which reads the hidden states of the layer below.

    Args:
        width: input channels.
        layer: factory of a layer, called with (input width, hidden).
        hidden: units of each layer.
        layers: number of layers.
        dropout: probability in [0, 1) of dropping a component between two layers.

    Raises:
        UsageError: a hyper-parameter is out of range.
    """

    def __init__(
        self, width: int, layer: Callable[[int, int], RecurrentLayer], *, hidden: int, layers: int, dropout: float
    ) -> None:
        super().__init__()
        at_least(1, hidden=hidden, layers=layers)
        self.width = hidden
        modules = nn.ModuleList(layer(hidden if depth else width, hidden) for depth in range(layers))
        self.layers = cast(Iterable[RecurrentLayer], modules)
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


class RecurrentNetwork(nn.Module, ABC):
    """Input stem, recurrent layers and output head; a model is a subclass that implements `build_layers`.

    Dropout applies to connections between layers and to the head, never to connections along time (Zaremba, Sutskever
    & Vinyals 2014, arXiv:1409.2329).

    Args:
        spec: one input, (channel, time) or tokens (time); target with one value per sequence or per step.
        hidden: units of each layer.
        layers: number of layers.
        dropout: probability in [0, 1), between layers and before the head.
        embedding: width of the token embedding; unused for real inputs.
        embedding_dropout: probability in [0, 1) that a component of an embedded token is zeroed.
        tied: share the embedding matrix with the output layer; requires embedding = hidden.

    Raises:
        UsageError: a hyper-parameter is out of range.
        Mismatch: the input is neither (channel, time) nor tokens.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        hidden: int,
        layers: int,
        dropout: float,
        embedding: int,
        embedding_dropout: float,
        tied: bool,
    ) -> None:
        super().__init__()
        self.front = InputStem(spec, embedding=embedding, dropout=embedding_dropout, model_name=type(self).__name__)
        self.memory = self.build_layers(self.front.width, hidden=hidden, layers=layers, dropout=dropout)
        self.dropout = nn.Dropout(dropout)
        self.head = OutputHead(self.memory.width, spec, tied=tied_embedding(self.front, tied))

    @abstractmethod
    def build_layers(self, width: int, *, hidden: int, layers: int, dropout: float) -> RecurrentLayer:
        """Recurrent layers for inputs of `width` channels."""

    def start(self, batch: int) -> Carry:
        """Initial carry of `batch` sequences."""
        return self.memory.start(batch)

    def forward(
        self, x: Shaped[Tensor, "batch *channel time"], carry: Carry = None
    ) -> Float[Tensor, "batch unit *time"] | tuple[Float[Tensor, "batch unit *time"], Any]:
        initial = self.start(len(x)) if carry is None else carry
        states, after = self.memory(self.front(x).permute(2, 0, 1), initial)
        selected = states if self.head.per_step else states[-1:]
        output = self.head(self.dropout(selected).permute(1, 2, 0))
        return output if carry is None else (output, after)
