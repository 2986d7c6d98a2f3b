"""Recurrent policies: one step of a cell per observation."""

from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.spec import Spec
from dlcli.core.task import Carry
from dlcli.nn.checks import at_least
from dlcli.nn.recurrent.cells import RecurrentCell
from dlcli.nn.shapes import flat_width


class RecurrentPolicy(nn.Module):
    """Recurrent cell with a linear output; a model is a subclass that sets `cell_class`.

    A call computes one step. Cells are written out because `torch.func.vmap` does not support PyTorch's fused
    recurrent layers.

    Args:
        spec: one Real input of any shape, flattened; target of one position.
        hidden: units of the state.

    Raises:
        UsageError: `hidden` is smaller than 1.
        Mismatch: the input is not real-valued and of known size, or the target has several positions.
    """

    cell_class: ClassVar[type[Any]]

    def __init__(self, spec: Spec, *, hidden: int) -> None:
        super().__init__()
        at_least(1, hidden=hidden)
        self.cell: RecurrentCell = self.cell_class(flat_width(spec, type(self).__name__), hidden)
        self.head = nn.Linear(hidden, spec.target.width)

    def start(self, batch: int) -> Carry:
        """Initial carry of `batch` episodes: zeros."""
        return (self.head.weight.new_zeros(batch, self.cell.hidden),) * self.cell.parts

    def forward(
        self, x: Float[Tensor, "batch *shape"], carry: Carry = None
    ) -> Float[Tensor, "batch unit"] | tuple[Float[Tensor, "batch unit"], Any]:
        state = self.start(len(x)) if carry is None else carry
        now = tuple(part[0] for part in self.cell.project(x.flatten(1)[None]))
        after = self.cell.step(now, state)
        output = self.head(after[0])
        return output if carry is None else (output, after)
