"""Highway tree: recurrence of a searched cell, with a hand-written gradient."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

_aten = torch.ops.aten
_CHUNK = 8  # steps whose contributions to the gradient of a matrix are one matrix product


@dataclass(frozen=True)
class SiblingNodes:
    """Nodes that read the same node, which are computed by one matrix product.

    Args:
        parent: the node that they read, 0 for node 1.
        nodes: node numbers, ordered by function.
        runs: (function, first, end) index ranges in `nodes`.
        offset: index of the first node in the order of all searched nodes by groups.
    """

    parent: int
    nodes: tuple[int, ...]
    runs: tuple[tuple[int, int, int], ...]
    offset: int


def group_siblings(previous: Sequence[int], functions: Sequence[int]) -> tuple[SiblingNodes, ...]:
    """Sibling groups of a tree, parents before children; entry i of the arguments belongs to node i + 1."""
    groups: list[SiblingNodes] = []
    offset = 0
    for parent in sorted(set(previous)):
        children = [node for node, read in enumerate(previous, 1) if read == parent]
        children.sort(key=lambda node: functions[node - 1])
        ordered = [functions[node - 1] for node in children]
        runs = (
            (function, ordered.index(function), ordered.index(function) + ordered.count(function))
            for function in sorted(set(ordered))
        )
        groups.append(SiblingNodes(parent, tuple(children), tuple(runs), offset))
        offset += len(children)
    return tuple(groups)


def concatenate_matrices(matrices: Sequence[Float[Tensor, "unit both"]]) -> Float[Tensor, "unit all"]:
    """Concatenated matrices of siblings: the columns of all candidates, then those of all gates."""
    halves = [matrix.chunk(2, 1) for matrix in matrices]
    return torch.cat([half[part] for part in (0, 1) for half in halves], 1)


def highway_tree(
    groups: tuple[SiblingNodes, ...],
    drive: Float[Tensor, "time batch both"],
    begin: Float[Tensor, "batch unit"],
    mask: Float[Tensor, "batch unit"] | None,
    recurrent: Float[Tensor, "unit both"],
    matrices: Sequence[Float[Tensor, "unit _"]],
) -> Float[Tensor, "time batch unit"]:
    """States after every step.

    A node that reads s computes s + t (f - s), with f = function(first half of s W) and t = sigmoid(second half). Node
    1 reads the previous state, with `drive` added to the product, and uses tanh. The next state is the mean of the
    other nodes. All products with siblings are one matrix product, and the gradients of the matrices are accumulated
    over several steps. Once differentiable.

    Args:
        groups: from `group_siblings`.
        drive: contribution of the input to node 1, candidate before gate.
        begin: initial state.
        mask: multiplied with a node where it is multiplied by a matrix; None for ones.
        recurrent: matrix of node 1.
        matrices: from `concatenate_matrices`, one per group.
    """
    states: Tensor = _HighwayTree.apply(groups, drive.contiguous(), begin, mask, recurrent, *matrices)
    return states


_ACTIVATE: tuple[Callable[[Tensor], Any] | None, ...] = (torch.tanh_, torch.relu_, torch.sigmoid_, None)


class _GroupActivations:
    """Activations of a sibling group, as views per step.

    Args:
        runs: (function, first, end) index ranges of the nodes.
        products: [time, batch, candidate or gate, sibling, unit], matrix products that activations overwrite.
    """

    def __init__(self, runs: Sequence[tuple[int, int, int]], products: Tensor) -> None:
        self.flat = products.flatten(2).unbind()
        self.candidate, self.gate = products[:, :, 0].unbind(), products[:, :, 1].unbind()
        self.runs = [(function, products[:, :, 0, first:end].unbind()) for function, first, end in runs]

    def activate(self, step: int) -> None:
        self.gate[step].sigmoid_()
        for function, parts in self.runs:
            act = _ACTIVATE[function]
            if act is not None:
                act(parts[step])


def _multiply_derivative(function: int, grad: Tensor, value: Tensor) -> None:
    """Multiply a gradient in place by the derivative of a function, given the value of the function."""
    if function == 0:
        _aten.tanh_backward.grad_input(grad, value, grad_input=grad)
    elif function == 1:
        _aten.threshold_backward.grad_input(grad, value, 0, grad_input=grad)
    elif function == 2:
        _aten.sigmoid_backward.grad_input(grad, value, grad_input=grad)


class _Forward:
    """Forward pass with all intermediate values; entry 0 of every list belongs to node 1, the others to the groups.

    Args:
        groups: parents before children.
        drive: [time, batch, candidate and gate of a unit].
        begin: [batch, unit].
        masked: whether parents are masked where they are multiplied by a matrix.
    """

    def __init__(self, groups: Sequence[SiblingNodes], drive: Tensor, begin: Tensor, *, masked: bool) -> None:
        time, batch, unit = len(drive), *begin.shape
        counts = [1, *(len(group.nodes) for group in groups)]
        self.states = drive.new_empty(time + 1, batch, unit)
        self.states[0] = begin
        self.first = drive.new_empty(time, batch, 1, unit)
        self.nodes = drive.new_empty(time, batch, sum(counts) - 1, unit)
        self.products = [drive.new_empty(time, batch, 2, count, unit) for count in counts]
        self.runs = [((0, 0, 1),), *(group.runs for group in groups)]
        self.groups = [_GroupActivations(*parts) for parts in zip(self.runs, self.products, strict=True)]
        self._allocate(groups)
        self.read = [torch.empty_like(part) for part in self.parents] if masked else self.parents

    def _allocate(self, groups: Sequence[SiblingNodes]) -> None:
        """Views of the nodes and parents of each group; `slots` are the indices of the parents, None for node 1."""
        indices = {node: group.offset + index for group in groups for index, node in enumerate(group.nodes)}
        self.slots = [indices.get(group.parent) for group in groups]
        self.spans = [slice(group.offset, group.offset + len(group.nodes)) for group in groups]
        inner = (self.first[:, :, 0] if slot is None else self.nodes[:, :, slot] for slot in self.slots)
        self.parents = [self.states[:-1], *inner]
        self.above = [part.unsqueeze(2).unbind() for part in self.parents]
        self.outcomes = [part.unbind() for part in (self.first, *(self.nodes[:, :, span] for span in self.spans))]

    def run(self, drive: Tensor, mask: Tensor | None, matrices: Sequence[Tensor]) -> None:
        drives, nodes = drive.unbind(), self.nodes.unbind()
        parents, read = ([part.unbind() for part in parts] for parts in (self.parents, self.read))
        for step, after in enumerate(self.states[1:].unbind()):
            for index, group in enumerate(self.groups):
                x, products = read[index][step], group.flat[step]
                if mask is not None:
                    torch.mul(parents[index][step], mask, out=x)
                if index:
                    torch.mm(x, matrices[index], out=products)
                else:
                    torch.addmm(drives[step], x, matrices[index], out=products)
                group.activate(step)
                out = self.outcomes[index][step]
                torch.lerp(self.above[index][step], group.candidate[step], group.gate[step], out=out)
            torch.mean(nodes[step], 1, out=after)


class _Backward:
    """Backward pass: gradients of the nodes of one step, and of the matrix products of a chunk of steps.

    Args:
        saved: the forward pass.
        mask: of the parents.
        matrices: of node 1 and of the groups.
    """

    def __init__(self, saved: _Forward, mask: Tensor | None, matrices: Sequence[Tensor]) -> None:
        self.saved, self.mask = saved, mask
        self.transposed = [matrix.t().contiguous() for matrix in matrices]
        self.matrices = [torch.zeros_like(matrix) for matrix in matrices]
        self.products = [part.new_empty(min(len(part), _CHUNK), *part.shape[1:]) for part in saved.products]
        self.grads = [_GroupActivations(*parts) for parts in zip(saved.runs, self.products, strict=True)]
        self.drive = torch.empty_like(saved.products[0])
        self.back = torch.zeros_like(saved.states[0])
        self.node = torch.empty_like(saved.nodes[0])
        self.first = torch.empty_like(saved.first[0])
        self.parts = [self.first, *(self._part(span) for span in saved.spans)]
        self.targets = [self.first[:, 0] if slot is None else self.node[:, slot] for slot in saved.slots]

    def _part(self, span: slice) -> Tensor:
        """Gradients of siblings; a broadcast view if no node reads any of them."""
        if any(slot is not None and span.start <= slot < span.stop for slot in self.saved.slots):
            return self.node[:, span]
        return self.back.unsqueeze(1).expand_as(self.node[:, span])

    def run(self, grad: Tensor) -> Tensor:
        """Gradient of the initial state, given those of the states after every step."""
        for first in range((len(grad) - 1) // _CHUNK * _CHUNK, -1, -_CHUNK):
            steps = range(first, min(first + _CHUNK, len(grad)))
            for step in reversed(steps):
                self._step(grad[step], step, step - first)
            self._gather(steps)
        return self.back

    def _step(self, grad: Tensor, step: int, index: int) -> None:
        self.back.add_(grad).mul_(1 / self.node.shape[1])
        self.node.copy_(self.back.unsqueeze(1).expand_as(self.node))
        self.first.zero_()
        for group in range(len(self.parts) - 1, 0, -1):
            self.targets[group - 1].add_(self._to_parent(group, step, index))
        self.back.copy_(self._to_parent(0, step, index))

    def _to_parent(self, group: int, step: int, index: int) -> Tensor:
        """Gradient of the parent from the gradients of its children.

        With s = p + t (f - p), the gradient of the gate before its sigmoid, s' (f - p) t (1 - t), is (s' - s' t) (s -
        p).
        """
        saved, grads, node = self.saved, self.grads[group], self.parts[group]
        values = saved.groups[group]
        rest = node - torch.mul(node, values.gate[step], out=grads.candidate[index])
        torch.sub(saved.outcomes[group][step], saved.above[group][step], out=grads.gate[index]).mul_(rest)
        for (function, grad), (_, value) in zip(grads.runs, values.runs, strict=True):
            _multiply_derivative(function, grad[index], value[step])
        passed = rest.sum(1) if rest.shape[1] > 1 else rest[:, 0]
        if self.mask is None:
            return passed.addmm_(grads.flat[index], self.transposed[group])
        return passed.addcmul_(torch.mm(grads.flat[index], self.transposed[group]), self.mask)

    def _gather(self, steps: range) -> None:
        """Accumulate the gradients of the matrices over a chunk of steps, in products that fit the cache."""
        count, span = len(steps), slice(steps.start, steps.stop)
        self.drive[span] = self.products[0][:count]
        for matrix, read, products in zip(self.matrices, self.saved.read, self.products, strict=True):
            matrix.addmm_(read[span].flatten(0, 1).t(), products[:count].flatten(2).flatten(0, 1))


class _HighwayTree(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        groups: tuple[SiblingNodes, ...],
        drive: Tensor,
        begin: Tensor,
        mask: Tensor | None,
        *matrices: Tensor,
    ) -> Tensor:
        ctx.saved = _Forward(groups, drive, begin, masked=mask is not None)
        ctx.saved.run(drive, mask, matrices)
        ctx.save_for_backward(mask, *matrices)
        return ctx.saved.states[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        mask, *matrices = ctx.saved_tensors
        backward = _Backward(ctx.saved, mask, matrices)
        begin = backward.run(grad)
        return None, backward.drive.flatten(2), begin, None, *backward.matrices
