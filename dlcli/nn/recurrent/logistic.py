"""Logistic function whose result does not depend on the position of an element in its tensor."""

from torch import Tensor


def logistic(x: Tensor) -> Tensor:
    """Logistic sigmoid 1 / (1 + exp(-x)), bit-identical for equal elements at any position of a tensor.

    The vectorized kernel of `torch.sigmoid` and its scalar remainder loop use different exponentials, so the output of
    an individual would depend on the size of its population; `tanh` has no such difference. Absolute error 1e-7.
    """
    return (0.5 * x).tanh() * 0.5 + 0.5
