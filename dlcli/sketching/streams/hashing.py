"""Hash functions with a proof: polynomials over the field of a Mersenne prime."""

import hashlib

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
        values = keys.new_empty(len(self.coefficients), len(keys))
        half = (self.bits + 1) // 2
        low, high = keys & ((1 << half) - 1), keys >> half
        for value, row in zip(values, self.coefficients, strict=True):
            _horner(row, low, high, self.bits, value)
        return values


def _drawn(words: int, independence: int, seed: int, role: str, prime: int) -> list[list[int]]:
    """Coefficients uniform in the field, highest power first, about 0: so that no sum leaves 64 bits."""
    stream = hashlib.shake_256(f"dlcli {seed} {role}".encode()).digest(16 * words * independence)
    numbers = [int.from_bytes(stream[at : at + 16], "little") % prime for at in range(0, len(stream), 16)]
    numbers = [number - prime if number > prime // 2 else number for number in numbers]
    return [numbers[at : at + independence] for at in range(0, len(numbers), independence)]


def _horner(row: list[int], low: Tensor, high: Tensor, bits: int, value: Tensor) -> None:
    """((a x + b) x + c) ... modulo 2**bits - 1, in place.

    With half = (bits + 1) / 2 numbers are split in two halves, whose products have no more than `bits` + 1 bits;
    2**bits is 1 in this field, so what is above comes down by a shift. `value` stays in [0, 2**bits + 2] on the way.
    """
    prime, half = (1 << bits) - 1, (bits + 1) // 2
    rest, twice = bits - half, high * 2
    value.fill_(row[0] % prime)
    upper, middle, lower = torch.empty_like(low), torch.empty_like(low), torch.empty_like(low)
    for added in row[1:]:
        torch.bitwise_right_shift(value, half, out=upper)
        value &= (1 << half) - 1
        torch.mul(value, low, out=lower)
        torch.mul(value, high, out=middle).addcmul_(upper, low)
        torch.mul(upper, twice, out=value)  # 2**(2 half) is 2
        value.add_(lower & prime).add_(lower.bitwise_right_shift_(bits)).add_(middle >> rest)
        value.add_(middle.bitwise_and_((1 << rest) - 1), alpha=1 << half).add_(added)
        torch.bitwise_right_shift(value, bits, out=upper)
        value.bitwise_and_(prime).add_(upper)
    value.add_(1)
    torch.bitwise_right_shift(value, bits, out=upper)
    value.bitwise_and_(prime).add_(upper).sub_(1)
