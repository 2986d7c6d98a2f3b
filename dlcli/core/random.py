"""Randomness as a function of where one is: (seed, player, update), (seed, epoch) ..."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

_MASK = (1 << 64) - 1


def mix(*words: int) -> int:
    """A 64-bit number that depends on every word and their order (splitmix64, Steele, Lea & Flood 2014)."""
    state = 0
    for word in words:
        state = (state + (word & _MASK) + 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state


def generator(*words: int) -> torch.Generator:
    """A CPU generator seeded by the words."""
    return torch.Generator().manual_seed(mix(*words))


def reseed(device: torch.device, *words: int) -> None:
    """Set the global generator that layers such as dropout draw from."""
    seed = mix(*words)
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)


@contextmanager
def seeded(device: torch.device, *words: int) -> Iterator[None]:
    """Seed the global generators of PyTorch, NumPy and Python by the words; restore their states on exit.

    Args:
        device: if it is a CUDA device, its generator is seeded as well.
        words: integers, see `mix`.
    """
    python_state, numpy_state = random.getstate(), np.random.get_state()
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        reseed(device, *words)
        random.seed(mix(*words))
        np.random.seed(mix(*words) & 0xFFFFFFFF)
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)
