"""A policy that remembers: one step of a cell an observation."""

from collections.abc import Callable
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.spec import Spec
from dlcli.core.task import Carry
from dlcli.nn.shapes import flat_width
from dlcli.nn.checks import at_least
from dlcli.nn.recurrent.cells import RecurrentCell


class RecurrentPolicy(nn.Module):
    """A written-out cell and a linear answer: a model is a subclass that says which cell.

    Every call is one step. `torch.func.vmap` takes it, and does not take ATen's recurrent layers.

    Args:
        spec: one Real input of any shape, laid out flat; target of one position.
        cell: makes the cell from (width of the input, hidden).
        hidden: units of the state.
        model_name: name of the model, for messages.

    Raises:
        UsageError: `hidden` is below 1.
        Mismatch: the input is not real values of a known size, or the target has several positions.
    """

    def __init__(self, spec: Spec, cell: Callable[[int, int], RecurrentCell], *, hidden: int, model_name: str) -> None:
        super().__init__()
        at_least(1, hidden=hidden)
        self.cell = cell(flat_width(spec, model_name), hidden)
        self.head = nn.Linear(hidden, spec.target.width)

    def start(self, batch: int) -> Carry:
        return (self.head.weight.new_zeros(batch, self.cell.hidden),) * self.cell.parts

    def forward(
        self, x: Float[Tensor, "batch *shape"], carry: Carry = None
    ) -> Float[Tensor, "batch unit"] | tuple[Float[Tensor, "batch unit"], Any]:
        begin = self.start(len(x)) if carry is None else carry
        now = tuple(part[0] for part in self.cell.project(x.flatten(1)[None]))
        after = self.cell.step(now, begin)
        output = self.head(after[0])
        return output if carry is None else (output, after)
