"""Seeding of the global random generators used by stable-baselines3."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from gymnasium import spaces

from dlcli.core.rng import hash_integers


@contextmanager
def seeded(space: spaces.Space[Any], *key: int) -> Iterator[None]:
    """Seed the global generators used by stable-baselines3 with a key, and restore their state afterwards."""
    state = np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(hash_integers(*key))
        np.random.seed(hash_integers(*key, 1) % (1 << 32))
        space.seed(hash_integers(*key, 2) % (1 << 31))
        try:
            yield
        finally:
            np.random.set_state(state)
