"""Normal noise as a function of a seed: what a genome is decoded with."""

import math

import numpy as np
import torch
from torch import Tensor


def normal(seed: int, size: int) -> Tensor:
    """float32 [size], independent standard normal values, on the CPU.

    Counter-based uniform numbers (Philox 4x64, Salmon et al. 2011, SC11) in pairs through Box and Muller (1958). A
    uniform number has 24 bits, so no value lies beyond 5.77. No table is shared and nothing is kept: the same seed and
    size give the same bits in every process of a machine.

    Args:
        seed: from 0, below 2**64.
    """
    half = (size + 1) // 2
    uniform = torch.from_numpy(np.random.Generator(np.random.Philox(key=seed)).random(2 * half, dtype=np.float32))
    radius = uniform[:half].neg().log1p_().mul_(-2.0).sqrt_()
    angle = uniform[half:].mul_(2.0 * math.pi)
    made = torch.empty(2 * half)
    torch.cos(angle, out=made[:half]).mul_(radius)
    torch.sin(angle, out=made[half:]).mul_(radius)
    return made[:size]
