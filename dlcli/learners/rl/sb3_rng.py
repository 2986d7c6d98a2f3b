"""What stable-baselines3 draws, as a function of where one is."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from gymnasium import spaces

from dlcli.core.rng import mix


@contextmanager
def drawing(space: spaces.Space[Any], *words: int) -> Iterator[None]:
    """The global generators that stable-baselines3 draws from, seeded by the words and given back as they were."""
    kept = np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(mix(*words))
        np.random.seed(mix(*words, 1) % (1 << 32))
        space.seed(mix(*words, 2) % (1 << 31))
        try:
            yield
        finally:
            np.random.set_state(kept)
