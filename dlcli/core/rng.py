"""Counter-based random numbers: functions of integers such as seed, player and update, or the index of a sample."""

import math
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

_MASK = (1 << 64) - 1
_STEP, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB  # constants of splitmix64
_ROW = 0xD1B54A32D192ED03  # odd, so that different rows have different states


def hash_integers(*words: int) -> int:
    """Hash integers and their order to 64 bits (splitmix64; Steele, Lea & Flood 2014)."""
    state = 0
    for word in words:
        state = (state + (word & _MASK) + 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state


def generator(*words: int) -> torch.Generator:
    """Return a CPU generator seeded by the hash of the integers."""
    return torch.Generator().manual_seed(hash_integers(*words))


def reseed(device: torch.device, *words: int) -> None:
    """Seed the global generators of PyTorch, which layers such as dropout use.

    Args:
        device: if it is a CUDA device, its generator is seeded as well.
        words: integers, see `hash_integers`.
    """
    seed = hash_integers(*words)
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)


@contextmanager
def seeded(device: torch.device, *words: int) -> Iterator[None]:
    """Seed the global generators of PyTorch, NumPy and Python; restore their states on exit.

    Args:
        device: if it is a CUDA device, its generator is seeded as well.
        words: integers, see `hash_integers`.
    """
    python_state, numpy_state = random.getstate(), np.random.get_state()
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        reseed(device, *words)
        random.seed(hash_integers(*words))
        np.random.seed(hash_integers(*words) & 0xFFFFFFFF)
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)


def uniform(index: Int[Tensor, " batch"], count: int, *words: int) -> Float[Tensor, "batch count"]:
    """Draw float32 numbers uniform in [0, 1), on the device of `index`.

    A row is a function of its index and the integers (seed, epoch, purpose), not of the other rows or of its position
    in the batch, with the same bits on every device. The first numbers do not depend on `count`.

    Splitmix64 (Steele, Lea & Flood 2014) in wrapping 64-bit arithmetic, 24 bits of each result: every row is a separate
    stream that starts at a hash of its index.

    Args:
        index: index of the sample of each row.
        count: numbers per row.
        words: integers, see `hash_integers`.
    """
    return _shifted(_bits(index, count, words), 40).float().mul_(2.0**-24)


def integers(index: Int[Tensor, " batch"], count: int, below: int | Tensor, *words: int) -> Int[Tensor, "batch count"]:
    """Draw integers uniform in [0, below), as `uniform` does.

    Args:
        index: index of the sample of each row.
        count: numbers per row.
        below: exclusive upper bound, up to 2**31; an integer, or a tensor that broadcasts to [batch, count].
        words: integers, see `hash_integers`.
    """
    return (_shifted(_bits(index, count, words), 33) * below) >> 31


def normal(index: Int[Tensor, " batch"], count: int, *words: int) -> Float[Tensor, "batch count"]:
    """Draw standard normal numbers as `uniform` does (Box & Muller 1958)."""
    half = (count + 1) // 2
    radius, angle = uniform(index, 2 * half, *words).split(half, 1)
    radius, angle = radius.neg().log1p().mul(-2.0).sqrt(), angle * (2.0 * torch.pi)
    return torch.cat((radius * angle.cos(), radius * angle.sin()), 1)[:, :count]


def _bits(index: Tensor, count: int, words: tuple[int, ...]) -> Tensor:
    """64 random bits per number, int64 [batch, count]."""
    start = _hashed(index * _signed(_ROW) + _signed(hash_integers(*words)))
    step = torch.arange(1, count + 1, device=index.device) * _signed(_STEP)
    return _hashed(start[:, None] + step)


def _hashed(state: Tensor) -> Tensor:
    state = (state ^ _shifted(state, 30)) * _signed(_FIRST)
    state = (state ^ _shifted(state, 27)) * _signed(_SECOND)
    return state ^ _shifted(state, 31)


def _shifted(bits: Tensor, places: int) -> Tensor:
    """Logical right shift: the right shift of int64 would repeat the sign bit."""
    return (bits >> places) & ((1 << (64 - places)) - 1)


def _signed(word: int) -> int:
    return word - (1 << 64) if word >> 63 else word


def normal_vector(seed: int, size: int) -> Tensor:
    """Draw independent standard normal values, float32 [size], on the CPU.

    Counter-based uniform numbers (Philox 4x64; Salmon et al. 2011, SC11), transformed in pairs (Box & Muller 1958). A
    uniform number has 24 bits, so that no absolute value exceeds 5.77. The same seed and size give the same bits in
    every process of a machine, without a shared noise table.

    Args:
        seed: in [0, 2**64).
        size: number of values.
    """
    half = (size + 1) // 2
    uniform = torch.from_numpy(np.random.Generator(np.random.Philox(key=seed)).random(2 * half, dtype=np.float32))
    radius = uniform[:half].neg().log1p_().mul_(-2.0).sqrt_()
    angle = uniform[half:].mul_(2.0 * math.pi)
    normal = torch.empty(2 * half)
    torch.cos(angle, out=normal[:half]).mul_(radius)
    torch.sin(angle, out=normal[half:]).mul_(radius)
    return normal[:size]
