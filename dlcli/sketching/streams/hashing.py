"""Hash functions with a proof: polynomials over the field of a Mersenne prime."""

import hashlib

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

BITS = 61
"""The field has 2**61 - 1 elements: room for every whole number below 2**60 and its negative."""
USED = 60  # bits of a word that are taken as uniform; each is 1 with probability 1/2 - 2**-62


class Polynomial:
    """Random polynomials of a degree: any degree + 1 different keys have independent, uniform values.

    Paper: Wegman & Carter 1981, "New hash functions and their use in authentication and set equality", section 3.
    A value is uniform over the field, so its bits are as many independent bits: one polynomial of degree 3 serves 60
    families of 4-wise independent signs.

    Args:
        words: how many independent polynomials.
        independence: how many keys are independent at once, at least 2.
        seed, role: what the coefficients are a function of (SHAKE-256), on every machine and for ever.
        bits: the field has 2**bits - 1 elements, bits odd and that number prime.
    """

    def __init__(self, words: int, independence: int, seed: int, role: str, bits: int = BITS) -> None:
        self.bits = bits
        self.coefficients = _drawn(words, independence, seed, role, (1 << bits) - 1)

    def __call__(self, keys: Int64[Tensor, " item"]) -> Int64[Tensor, "word item"]:
        """Values in [0, 2**bits - 2]; keys are elements of the field themselves."""
        x = keys.contiguous().numpy().view(np.uint64)
        values = np.empty((len(self.coefficients), len(x)), np.uint64)
        halves = _halved(x, (self.bits + 1) // 2)
        for value, row in zip(values, self.coefficients, strict=True):
            _horner(row, halves, self.bits, value)
        return torch.from_numpy(values.view(np.int64))


def _drawn(words: int, independence: int, seed: int, role: str, prime: int) -> list[list[int]]:
    """Coefficients uniform in the field, highest power first."""
    stream = hashlib.shake_256(f"dlcli {seed} {role}".encode()).digest(16 * words * independence)
    numbers = [int.from_bytes(stream[at : at + 16], "little") % prime for at in range(0, len(stream), 16)]
    return [numbers[at : at + independence] for at in range(0, len(numbers), independence)]


def _halved(x: np.ndarray, half: int) -> tuple[np.ndarray, np.ndarray]:
    return x & np.uint64((1 << half) - 1), x >> np.uint64(half)


def _horner(row: list[int], x: tuple[np.ndarray, np.ndarray], bits: int, value: np.ndarray) -> None:
    """((a x + b) x + c) ... modulo 2**bits - 1, in place.

    With half = (bits + 1) / 2 numbers are split in two halves, so that no sum of products leaves 64 bits; 2**bits is 1
    in this field, and what is above comes down by a shift. On the way `value` is at most 2**bits + 6. In NumPy: its
    64-bit products and sums take half the time of PyTorch's.
    """
    half, rest = np.uint64((bits + 1) // 2), np.uint64(bits // 2)
    prime, below_half, below_rest = (np.uint64((1 << int(places)) - 1) for places in (bits, half, rest))
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
        _folded(value, upper, prime, bits)
    value += np.uint64(1)
    _folded(value, upper, prime, bits)
    value -= np.uint64(1)


def _split(value: np.ndarray, upper: np.ndarray, half: np.uint64) -> tuple[np.ndarray, np.ndarray]:
    np.right_shift(value, half, out=upper)
    value &= np.uint64((1 << int(half)) - 1)
    return value, upper


def _folded(value: np.ndarray, upper: np.ndarray, prime: np.uint64, bits: int) -> None:
    np.right_shift(value, np.uint64(bits), out=upper)
    value &= prime
    value += upper
