"""Supernet of all recurrent cells of the ENAS space."""

from collections.abc import Callable
from typing import Any

from jaxtyping import Float, Shaped
from torch import Tensor, nn

from dlcli.core.space import Architecture, Space, architecture_override, check_architecture
from dlcli.core.spec import Spec
from dlcli.nn.supernet.cell_network import CellNetwork
from dlcli.nn.supernet.cell_space import CellSpace
from dlcli.nn.supernet.supernet import model_overrides


class SharedCell(nn.Module):
    """Supernet of recurrent cells: one matrix per (node, function, previous node).

    Paper: Pham et al. 2018, arXiv:1802.03268, section 2.1, as corrected in google-research, enas_lm, where matrices
        differ
    by function as well as by nodes. Differs: see `CellNetwork`. The gradient of a matrix that an architecture does not
    use is None, not zero.

    Args:
        spec: one input, (channel, time) or tokens (time); target with one value per sequence or per step.
        controller: factory of the controller, called with the space.
        nodes: number of nodes including node 1; the 9 of enas_lm are 10 here.
        hidden: units of every node.
        init_range: weights are initialized from U(-init_range, init_range).
        embedding, tied, word_dropout, embedding_dropout, input_dropout, layer_dropout, output_dropout: see
            `CellNetwork`.

    Raises:
        UsageError: a hyper-parameter is out of range.
        Mismatch: the input is neither (channel, time) nor tokens.
    """

    controller: Any

    def __init__(
        self,
        spec: Spec,
        *,
        controller: Callable[[Space], nn.Module],
        nodes: int,
        hidden: int,
        init_range: float,
        embedding: int,
        tied: bool,
        word_dropout: float,
        embedding_dropout: float,
        input_dropout: float,
        layer_dropout: float,
        output_dropout: float,
    ) -> None:
        super().__init__()
        self.space = CellSpace(nodes)
        network = CellNetwork(
            spec,
            model_name="SharedCell",
            hidden=hidden,
            init_range=init_range,
            embedding=embedding,
            tied=tied,
            word_dropout=word_dropout,
            embedding_dropout=embedding_dropout,
            input_dropout=input_dropout,
            layer_dropout=layer_dropout,
            output_dropout=output_dropout,
        )
        self.shared = _Shared(network, self.space)
        self.controller = controller(self.space)
        self._alone = model_overrides(
            "enas_cell",
            hidden=hidden,
            init_range=init_range,
            embedding=embedding,
            tied=tied,
            word_dropout=word_dropout,
            embedding_dropout=embedding_dropout,
            input_dropout=input_dropout,
            layer_dropout=layer_dropout,
            output_dropout=output_dropout,
        )

    def child(self, architecture: Architecture) -> "_ChildNetwork":
        """Network of an architecture on the shared weights."""
        return _ChildNetwork(self.shared, check_architecture(self.space, architecture))

    def copy_weights(self, architecture: Architecture, network: nn.Module) -> None:
        """Copy the weights that an architecture uses into its `EnasCell`."""
        used = self.shared.matrices_of(check_architecture(self.space, architecture))
        state = {f"network.{name}": value for name, value in self.shared.network.state_dict().items()}
        network.load_state_dict(state | {f"matrices.{index}": matrix.detach() for index, matrix in enumerate(used)})

    def standalone_overrides(self, architecture: Architecture) -> tuple[str, ...]:
        """Overrides that build the standalone network of an architecture, with the same width and dropout."""
        return (*self._alone, architecture_override(check_architecture(self.space, architecture)))

    def start(self, batch: int) -> Float[Tensor, "batch hidden"]:
        """Initial carry of `batch` sequences: zeros."""
        return self.shared.network.start(batch)

    def forward(
        self, x: Shaped[Tensor, "batch *channel time"], carry: Float[Tensor, "batch hidden"] | None = None
    ) -> Float[Tensor, "batch unit *time"] | tuple[Float[Tensor, "batch unit *time"], Any]:
        """Output of the most likely architecture of the controller."""
        return self.child(self.controller.best())(x, carry)


class _Shared(nn.Module):
    """Weights of all architectures; matrices are named by node, function and previous node."""

    def __init__(self, network: CellNetwork, space: CellSpace) -> None:
        super().__init__()
        self.network = network
        reads, functions = (space.decisions[kind::2] for kind in (0, 1))
        self.matrices = nn.ParameterDict(
            {
                _key(node, function, previous): network.matrix()
                for node, (earlier, function_choices) in enumerate(zip(reads, functions, strict=True), 1)
                for function in range(len(function_choices.choices))
                for previous in range(len(earlier.choices))
            }
        )

    def matrices_of(self, architecture: Architecture) -> list[Tensor]:
        pairs = zip(architecture[::2], architecture[1::2], strict=True)
        return [self.matrices[_key(node, function, previous)] for node, (previous, function) in enumerate(pairs, 1)]


class _ChildNetwork(nn.Module):
    """Network of one architecture on the shared weights."""

    def __init__(self, shared: _Shared, architecture: Architecture) -> None:
        super().__init__()
        self.shared, self.architecture = shared, architecture
        self.train(shared.training)

    def start(self, batch: int) -> Float[Tensor, "batch hidden"]:
        return self.shared.network.start(batch)

    def forward(
        self, x: Shaped[Tensor, "batch *channel time"], carry: Float[Tensor, "batch hidden"] | None = None
    ) -> Float[Tensor, "batch unit *time"] | tuple[Float[Tensor, "batch unit *time"], Any]:
        return self.shared.network(x, carry, self.architecture, self.shared.matrices_of(self.architecture))


def _key(node: int, function: int, previous: int) -> str:
    return f"{node}_{function}_{previous}"
