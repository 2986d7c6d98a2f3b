"""The logistic function to the last bit."""

from torch import Tensor


def logistic(x: Tensor) -> Tensor:
    """1 / (1 + exp(-x)), of every element the same bits wherever it stands.

    `torch.sigmoid` computes the last few elements of a tensor with another exponential than those before: an
    individual's answer would depend on how many are beside it. `tanh` does not. Absolute error 1e-7.
    """
    return (0.5 * x).tanh() * 0.5 + 0.5
