"""A recurrence whose step is a tree of highway nodes, and its gradient written by hand."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from dlcli.nn.siblings import Siblings

_aten = torch.ops.aten


def highway_tree(
    families: tuple[Siblings, ...],
    drive: Float[Tensor, "time batch both"],
    begin: Float[Tensor, "batch unit"],
    mask: Float[Tensor, "batch unit"] | None,
    recurrent: Float[Tensor, "unit both"],
    matrices: Sequence[Float[Tensor, "unit all"]],
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
        made: [time, batch, candidate or gate, sibling, unit] what the matmul makes, and activations in its place.
        nodes: [time, batch, sibling, unit] what comes of it.
    """

    def __init__(self, runs: Sequence[tuple[int, int, int]], made: Tensor, nodes: Tensor) -> None:
        self.flat = made.flatten(2).unbind()
        self.candidate, self.gate = made[:, :, 0].unbind(), made[:, :, 1].unbind()
        self.runs = [(function, made[:, :, 0, first:end].unbind()) for function, first, end in runs]
        self.nodes = nodes.unbind()

    def activate(self, step: int, parent: Tensor) -> None:
        self.gate[step].sigmoid_()
        for function, parts in self.runs:
            act = _ACTIVATE[function]
            if act is not None:
                act(parts[step])
        torch.lerp(parent.unsqueeze(1), self.candidate[step], self.gate[step], out=self.nodes[step])


def _derive(function: int, slope: Tensor, value: Tensor) -> None:
    """Multiply a slope, in place, with the derivative of a function whose value is given."""
    if function == 0:
        _aten.tanh_backward.grad_input(slope, value, grad_input=slope)
    elif function == 1:
        _aten.threshold_backward.grad_input(slope, value, 0, grad_input=slope)
    elif function == 2:
        _aten.sigmoid_backward.grad_input(slope, value, grad_input=slope)


class _Buffers:
    """All that a pass over the steps computes.

    Args:
        states: [time + 1, batch, unit], the first what it begins from.
        first: [time, batch, 1, unit] node 1.
        nodes: [time, batch, node, unit] the others, by family.
        made: [time, batch, candidate or gate, sibling, unit], of node 1 and by family.
        read: [time, batch, unit] masked parents, of node 1 and by family; empty without a mask.
    """

    def __init__(
        self,
        families: Sequence[Siblings],
        states: Tensor,
        first: Tensor,
        nodes: Tensor,
        made: Sequence[Tensor],
        read: Sequence[Tensor],
    ) -> None:
        self.states, self.first, self.nodes, self.made, self.read = states, first, nodes, made, read
        places = {node: one.place + place for one in families for place, node in enumerate(one.nodes)}
        self.parents = [states[:-1]]
        self.parents += [nodes[:, :, places[one.parent]] if one.parent else first[:, :, 0] for one in families]
        self.slots = [None, *(places.get(one.parent) for one in families)]
        self.spans = [slice(one.place, one.place + len(one.nodes)) for one in families]
        self.runs = [((0, 0, 1),), *(one.runs for one in families)]
        outcomes = [first, *(nodes[:, :, span] for span in self.spans)]
        self.families = [_Family(*parts) for parts in zip(self.runs, made, outcomes, strict=True)]

    @classmethod
    def empty(cls, families: Sequence[Siblings], drive: Tensor, begin: Tensor, masked: bool) -> "_Buffers":
        time, batch, unit = len(drive), *begin.shape
        counts = [1, *(len(one.nodes) for one in families)]
        return cls(
            families,
            drive.new_empty(time + 1, batch, unit),
            drive.new_empty(time, batch, 1, unit),
            drive.new_empty(time, batch, sum(counts) - 1, unit),
            [drive.new_empty(time, batch, 2, count, unit) for count in counts],
            [drive.new_empty(time, batch, unit) for _ in counts] if masked else [],
        )

    def tensors(self) -> tuple[Tensor, ...]:
        return self.states, self.first, self.nodes, *self.made, *self.read

    @classmethod
    def of(cls, families: Sequence[Siblings], tensors: Sequence[Tensor]) -> "_Buffers":
        states, first, nodes, *rest = tensors
        return cls(families, states, first, nodes, rest[: len(families) + 1], rest[len(families) + 1 :])

    def inputs(self) -> list[Tensor]:
        """[time, batch, unit] what met each matrix."""
        return list(self.read) or self.parents


def _ascend(buffers: _Buffers, drive: Tensor, mask: Tensor | None, matrices: Sequence[Tensor]) -> None:
    """Fill the buffers, step after step."""
    drives, nodes = drive.unbind(), buffers.nodes.unbind()
    parents = [part.unbind() for part in buffers.parents]
    read = [part.unbind() for part in buffers.read]
    for step, after in enumerate(buffers.states[1:].unbind()):
        for place, family in enumerate(buffers.families):
            parent, out = parents[place][step], family.flat[step]
            x = parent if mask is None else torch.mul(parent, mask, out=read[place][step])
            if place:
                torch.mm(x, matrices[place], out=out)
            else:
                torch.addmm(drives[step], x, matrices[place], out=out)
            family.activate(step, parent)
        torch.mean(nodes[step], 1, out=after)


class _Descent:
    """The way back: slopes of the nodes of one step, and for all steps of what each matmul made.

    Args:
        buffers: of the way there.
        mask: of the parents.
        matrices: of node 1 and by family.
    """

    def __init__(self, buffers: _Buffers, mask: Tensor | None, matrices: Sequence[Tensor]) -> None:
        self.buffers, self.mask = buffers, mask
        self.turned = [matrix.t() for matrix in matrices]
        self.made = [torch.empty_like(part) for part in buffers.made]
        self.slopes = [
            _Family(runs, part, part[:, :, 0]) for runs, part in zip(buffers.runs, self.made, strict=True)
        ]
        self.parents = [part.unbind() for part in buffers.parents]
        self.node = torch.empty_like(buffers.nodes[0])
        self.first = torch.empty_like(buffers.first[0])
        places = [self.node[:, span] for span in buffers.spans]
        self.parts = [self.first, *places]

    def run(self, slope: Tensor) -> Tensor:
        """The slope of what the recurrence began from, given those of the states after every step."""
        share = 1 / self.node.shape[1]
        back = torch.zeros_like(slope[0])
        for step in range(len(slope) - 1, -1, -1):
            back.add_(slope[step]).mul_(share)
            self.node.copy_(back.unsqueeze(1).expand_as(self.node))
            for place in range(len(self.parts) - 1, 0, -1):
                self._give(place, self._through(place, step))
            back = self._through(0, step)
        return back

    def _give(self, place: int, slope: Tensor) -> None:
        slot = self.buffers.slots[place]
        if slot is None:
            self.first[:, 0] = slope
        else:
            self.node[:, slot] += slope

    def _through(self, place: int, step: int) -> Tensor:
        """From siblings to what they read."""
        values, slopes, node = self.buffers.families[place], self.slopes[place], self.parts[place]
        candidate, gate, inner = values.candidate[step], values.gate[step], slopes.candidate[step]
        torch.mul(node, gate, out=inner)
        passed = (node - inner).sum(1)
        above = (candidate - self.parents[place][step].unsqueeze(1)).mul_(node)
        _aten.sigmoid_backward.grad_input(above, gate, grad_input=slopes.gate[step])
        for (function, slope), (_, value) in zip(slopes.runs, values.runs, strict=True):
            _derive(function, slope[step], value[step])
        if self.mask is None:
            return torch.addmm(passed, slopes.flat[step], self.turned[place])
        return passed.addcmul_(torch.mm(slopes.flat[step], self.turned[place]), self.mask)


class _HighwayTree(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        families: tuple[Siblings, ...],
        drive: Tensor,
        begin: Tensor,
        mask: Tensor | None,
        *matrices: Tensor,
    ) -> Tensor:
        buffers = _Buffers.empty(families, drive, begin, masked=mask is not None)
        buffers.states[0] = begin
        _ascend(buffers, drive, mask, matrices)
        ctx.families, ctx.count = families, len(matrices)
        ctx.save_for_backward(mask, *matrices, *buffers.tensors())
        return buffers.states[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        mask, *saved = ctx.saved_tensors
        buffers = _Buffers.of(ctx.families, saved[ctx.count :])
        descent = _Descent(buffers, mask, saved[: ctx.count])
        begin = descent.run(slope)
        made = [part.flatten(2).flatten(0, 1) for part in descent.made]
        read = [part.flatten(0, 1) for part in buffers.inputs()]
        matrices = (torch.mm(x.t(), part) for x, part in zip(read, made, strict=True))
        return None, descent.made[0].flatten(2), begin, None, *matrices
