"""A recurrence whose step is a tree of highway nodes, and its gradient written by hand."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from dlcli.nn.supernet.highway_tree import SiblingNodes

_aten = torch.ops.aten
_CHUNK = 8  # steps whose share of a matrix's gradient is one matmul


def highway_tree(
    families: tuple[SiblingNodes, ...],
    drive: Float[Tensor, "time batch both"],
    begin: Float[Tensor, "batch unit"],
    mask: Float[Tensor, "batch unit"] | None,
    recurrent: Float[Tensor, "unit both"],
    matrices: Sequence[Float[Tensor, "unit _"]],
) -> Float[Tensor, "time batch unit"]:
    """The state after every step.

    A node that reads s is s + t (f - s), with f = function(half of s W) and t = sigmoid(the other half). Node 1
    reads the state before, drive added to the product, with tanh. The state after is the mean of the other nodes.

    All products with one matrix are one matmul: siblings lie side by side, and a matrix's gradient waits for the last
    step. There is no second derivative.

    Args:
        drive: what the input adds to node 1, candidate before gate.
        mask: what a node is multiplied with where it meets a matrix; None is ones.
        matrices: `joined`, by family.
    """
    states: Tensor = _HighwayTree.apply(families, drive.contiguous(), begin, mask, recurrent, *matrices)
    return states


_ACTIVATE: tuple[Callable[[Tensor], Any] | None, ...] = (torch.tanh_, torch.relu_, torch.sigmoid_, None)


class _Family:
    """What siblings compute, as views by step.

    Args:
        runs: (function, first, end) of their places.
        made: [time, batch, candidate or gate, sibling, unit] what the matmul makes, and activations in its place.
    """

    def __init__(self, runs: Sequence[tuple[int, int, int]], made: Tensor) -> None:
        self.flat = made.flatten(2).unbind()
        self.candidate, self.gate = made[:, :, 0].unbind(), made[:, :, 1].unbind()
        self.runs = [(function, made[:, :, 0, first:end].unbind()) for function, first, end in runs]

    def activate(self, step: int) -> None:
        self.gate[step].sigmoid_()
        for function, parts in self.runs:
            act = _ACTIVATE[function]
            if act is not None:
                act(parts[step])


def _derive(function: int, slope: Tensor, value: Tensor) -> None:
    """Multiply a slope, in place, with the derivative of a function whose value is given."""
    if function == 0:
        _aten.tanh_backward.grad_input(slope, value, grad_input=slope)
    elif function == 1:
        _aten.threshold_backward.grad_input(slope, value, 0, grad_input=slope)
    elif function == 2:
        _aten.sigmoid_backward.grad_input(slope, value, grad_input=slope)


class _Ascent:
    """The way there, and all that it computes; entry 0 of every list is node 1's, the others are by family.

    Args:
        families: parents before children.
        drive: [time, batch, candidate and gate of a unit].
        begin: [batch, unit].
        masked: whether parents are masked where they meet a matrix.
    """

    def __init__(self, families: Sequence[SiblingNodes], drive: Tensor, begin: Tensor, *, masked: bool) -> None:
        time, batch, unit = len(drive), *begin.shape
        counts = [1, *(len(one.nodes) for one in families)]
        self.states = drive.new_empty(time + 1, batch, unit)
        self.states[0] = begin
        self.first = drive.new_empty(time, batch, 1, unit)
        self.nodes = drive.new_empty(time, batch, sum(counts) - 1, unit)
        self.made = [drive.new_empty(time, batch, 2, count, unit) for count in counts]
        self.runs = [((0, 0, 1),), *(one.runs for one in families)]
        self.families = [_Family(*parts) for parts in zip(self.runs, self.made, strict=True)]
        self._place(families)
        self.read = [torch.empty_like(part) for part in self.parents] if masked else self.parents

    def _place(self, families: Sequence[SiblingNodes]) -> None:
        """Where each family's nodes and parent lie: `slots` are the parents' places, None for node 1."""
        places = {node: one.place + place for one in families for place, node in enumerate(one.nodes)}
        self.slots = [places.get(one.parent) for one in families]
        self.spans = [slice(one.place, one.place + len(one.nodes)) for one in families]
        inner = (self.first[:, :, 0] if slot is None else self.nodes[:, :, slot] for slot in self.slots)
        self.parents = [self.states[:-1], *inner]
        self.above = [part.unsqueeze(2).unbind() for part in self.parents]
        self.outcomes = [part.unbind() for part in (self.first, *(self.nodes[:, :, span] for span in self.spans))]

    def run(self, drive: Tensor, mask: Tensor | None, matrices: Sequence[Tensor]) -> None:
        drives, nodes = drive.unbind(), self.nodes.unbind()
        parents, read = ([part.unbind() for part in parts] for parts in (self.parents, self.read))
        for step, after in enumerate(self.states[1:].unbind()):
            for place, family in enumerate(self.families):
                x, made = read[place][step], family.flat[step]
                if mask is not None:
                    torch.mul(parents[place][step], mask, out=x)
                if place:
                    torch.mm(x, matrices[place], out=made)
                else:
                    torch.addmm(drives[step], x, matrices[place], out=made)
                family.activate(step)
                out = self.outcomes[place][step]
                torch.lerp(self.above[place][step], family.candidate[step], family.gate[step], out=out)
            torch.mean(nodes[step], 1, out=after)


class _Descent:
    """The way back: slopes of one step's nodes, and of what the matmuls made in a few steps.

    Args:
        ascent: the way there.
        mask: of the parents.
        matrices: of node 1 and by family.
    """

    def __init__(self, ascent: _Ascent, mask: Tensor | None, matrices: Sequence[Tensor]) -> None:
        self.ascent, self.mask = ascent, mask
        self.turned = [matrix.t().contiguous() for matrix in matrices]
        self.matrices = [torch.zeros_like(matrix) for matrix in matrices]
        self.made = [part.new_empty(min(len(part), _CHUNK), *part.shape[1:]) for part in ascent.made]
        self.slopes = [_Family(*parts) for parts in zip(ascent.runs, self.made, strict=True)]
        self.drive = torch.empty_like(ascent.made[0])
        self.back = torch.zeros_like(ascent.states[0])
        self.node = torch.empty_like(ascent.nodes[0])
        self.first = torch.empty_like(ascent.first[0])
        self.parts = [self.first, *(self._part(span) for span in ascent.spans)]
        self.targets = [self.first[:, 0] if slot is None else self.node[:, slot] for slot in ascent.slots]

    def _part(self, span: slice) -> Tensor:
        """The slopes of siblings; all the same when nobody reads one of them."""
        if any(slot is not None and span.start <= slot < span.stop for slot in self.ascent.slots):
            return self.node[:, span]
        return self.back.unsqueeze(1).expand_as(self.node[:, span])

    def run(self, slope: Tensor) -> Tensor:
        """The slope of what the recurrence began from, given those of the states after every step."""
        for first in range((len(slope) - 1) // _CHUNK * _CHUNK, -1, -_CHUNK):
            steps = range(first, min(first + _CHUNK, len(slope)))
            for step in reversed(steps):
                self._step(slope[step], step, step - first)
            self._gather(steps)
        return self.back

    def _step(self, slope: Tensor, step: int, place: int) -> None:
        self.back.add_(slope).mul_(1 / self.node.shape[1])
        self.node.copy_(self.back.unsqueeze(1).expand_as(self.node))
        self.first.zero_()
        for family in range(len(self.parts) - 1, 0, -1):
            self.targets[family - 1].add_(self._through(family, step, place))
        self.back.copy_(self._through(0, step, place))

    def _through(self, family: int, step: int, place: int) -> Tensor:
        """From siblings to what they read.

        With s = p + t (f - p), the gate's slope, s' (f - p) t (1 - t), is (s' - s' t) (s - p).
        """
        ascent, slopes, node = self.ascent, self.slopes[family], self.parts[family]
        values = ascent.families[family]
        rest = node - torch.mul(node, values.gate[step], out=slopes.candidate[place])
        torch.sub(ascent.outcomes[family][step], ascent.above[family][step], out=slopes.gate[place]).mul_(rest)
        for (function, slope), (_, value) in zip(slopes.runs, values.runs, strict=True):
            _derive(function, slope[place], value[step])
        passed = rest.sum(1) if rest.shape[1] > 1 else rest[:, 0]
        if self.mask is None:
            return passed.addmm_(slopes.flat[place], self.turned[family])
        return passed.addcmul_(torch.mm(slopes.flat[place], self.turned[family]), self.mask)

    def _gather(self, steps: range) -> None:
        """Add the matrices' slopes in these steps; many steps in one matmul, few enough to stay in the cache."""
        count, span = len(steps), slice(steps.start, steps.stop)
        self.drive[span] = self.made[0][:count]
        for matrix, read, made in zip(self.matrices, self.ascent.read, self.made, strict=True):
            matrix.addmm_(read[span].flatten(0, 1).t(), made[:count].flatten(2).flatten(0, 1))


class _HighwayTree(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        families: tuple[SiblingNodes, ...],
        drive: Tensor,
        begin: Tensor,
        mask: Tensor | None,
        *matrices: Tensor,
    ) -> Tensor:
        ctx.ascent = _Ascent(families, drive, begin, masked=mask is not None)
        ctx.ascent.run(drive, mask, matrices)
        ctx.save_for_backward(mask, *matrices)
        return ctx.ascent.states[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        mask, *matrices = ctx.saved_tensors
        descent = _Descent(ctx.ascent, mask, matrices)
        begin = descent.run(slope)
        return None, descent.drive.flatten(2), begin, None, *descent.matrices
