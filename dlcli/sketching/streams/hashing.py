"""k-wise independent hash functions: random polynomials over the field of a Mersenne prime."""

import hashlib

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

BITS = 61
"""The field has 2**61 - 1 elements, which cover all integers of magnitude below 2**60."""
USED = 60  # bits of a value that are treated as uniform; each is 1 with probability 1/2 - 2**-62


class Polynomial:
    """Random polynomials of degree k - 1: the values of any k distinct keys are independent and uniform.

    Paper: Wegman & Carter 1981, "New hash functions and their use in authentication and set equality", section 3.
    A value is uniform over the field, so its bits are independent: one polynomial of degree 3 provides 60 families of
    4-wise independent signs.

    Args:
        words: number of independent polynomials.
        independence: k, at least 2.
        seed, role: inputs of SHAKE-256, which generates the coefficients identically on every machine.
        bits: the field has 2**bits - 1 elements; bits is odd and 2**bits - 1 prime.
    """

    def __init__(self, words: int, independence: int, seed: int, role: str, bits: int = BITS) -> None:
        self.bits = bits
        self.coefficients = _coefficients(words, independence, seed, role, (1 << bits) - 1)

    def __call__(self, keys: Int64[Tensor, " item"]) -> Int64[Tensor, "word item"]:
        """Values in [0, 2**bits - 2] of keys, which are elements of the field."""
        x = keys.contiguous().numpy().view(np.uint64)
        values = np.empty((len(self.coefficients), len(x)), np.uint64)
        half = np.uint64((self.bits + 1) // 2)
        halves = x & np.uint64((1 << int(half)) - 1), x >> half
        for value, row in zip(values, self.coefficients, strict=True):
            _horner(row, halves, self.bits, value)
        return torch.from_numpy(values.view(np.int64))


def _coefficients(words: int, independence: int, seed: int, role: str, prime: int) -> list[list[int]]:
    """Coefficients uniform in the field, [word][power], highest power first."""
    stream = hashlib.shake_256(f"dlcli {seed} {role}".encode()).digest(16 * words * independence)
    numbers = [int.from_bytes(stream[at : at + 16], "little") % prime for at in range(0, len(stream), 16)]
    return [numbers[at : at + independence] for at in range(0, len(numbers), independence)]


def _horner(row: list[int], x: tuple[np.ndarray, np.ndarray], bits: int, value: np.ndarray) -> None:
    """Evaluate ((a x + b) x + c) ... modulo 2**bits - 1 into `value` by Horner's rule.

    Factors are split into halves of (bits + 1) / 2 bits, so that no sum of products exceeds 64 bits. Since 2**bits = 1
    in the field, the upper bits are reduced by a shift and an addition; intermediate values are at most 2**bits + 6.
    NumPy takes half the time of PyTorch for these 64-bit operations.
    """
    half, rest = np.uint64((bits + 1) // 2), np.uint64(bits // 2)
    prime, below_half, below_rest = (np.uint64((1 << int(length)) - 1) for length in (bits, half, rest))
    upper, middle, spare = (np.empty_like(value) for _ in range(3))
    low, high, twice = *x, x[1] << np.uint64(1)  # 2**(2 half) is 2
    for step, added in enumerate(row[1:]):
        own = (np.uint64(row[0]) & below_half, np.uint64(row[0]) >> half) if not step else _split(value, upper, half)
        np.multiply(own[0], high, out=middle)
        middle += np.multiply(own[1], low, out=spare)
        np.multiply(own[0], low, out=value)
        value += np.multiply(own[1], twice, out=upper)
        value += np.right_shift(middle, rest, out=upper)
        middle &= below_rest
        value += np.left_shift(middle, half, out=middle)
        value += np.uint64(added)
        _fold(value, upper, prime, bits)
    value += np.uint64(1)
    _fold(value, upper, prime, bits)
    value -= np.uint64(1)


def _split(value: np.ndarray, upper: np.ndarray, half: np.uint64) -> tuple[np.ndarray, np.ndarray]:
    """Low and high halves of `value`, written to `value` and `upper`."""
    np.right_shift(value, half, out=upper)
    value &= np.uint64((1 << int(half)) - 1)
    return value, upper


def _fold(value: np.ndarray, upper: np.ndarray, prime: np.uint64, bits: int) -> None:
    """Reduce modulo 2**bits - 1 in place, up to one multiple of the modulus."""
    np.right_shift(value, np.uint64(bits), out=upper)
    value &= prime
    value += upper
