"""Parallel episodes of an Atari game."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from dlcli.tasks.control.atari.console import Console
from dlcli.tasks.control.atari.frames import Shrink, Stack
from dlcli.tasks.control.episode_loop import EpisodeSummary, Transition


def memories(consoles: Sequence[Console]) -> Tensor:
    """RAM in [0, 1], [row, 128]."""
    return torch.stack([console.memory() for console in consoles]).float() / 255


class Screens:
    """Observation of the last four frames, [row, 4, 84, 84]."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self._shrink = Shrink(*shape)
        self._stack: Stack | None = None

    def __call__(self, consoles: Sequence[Console]) -> Tensor:
        frame = self._shrink(torch.from_numpy(np.stack([console.screen() for console in consoles])))
        if self._stack is None:
            self._stack = Stack(frame)
            return self._stack.seen
        return self._stack.push(frame)

    def keep(self, rows: Tensor) -> None:
        if self._stack is not None:
            self._stack.keep(rows)


class Memories:
    """Observation of the current RAM, [row, 128]."""

    def __call__(self, consoles: Sequence[Console]) -> Tensor:
        return memories(consoles)

    def keep(self, rows: Tensor) -> None:
        pass


class Games:
    """Episodes on one console each, stepped sequentially because ale-py holds the GIL during emulation.

    Args:
        consoles: started consoles, one per episode.
        view: function from consoles to observations.
        skip: frames per step.
        limit: maximum number of steps of an episode.
        done: callback that receives the consoles of finished episodes.
    """

    def __init__(
        self,
        consoles: Sequence[Console],
        view: Screens | Memories,
        *,
        skip: int,
        limit: int,
        done: Callable[[Sequence[Console]], None],
    ) -> None:
        self._consoles, self._view, self._done = list(consoles), view, done
        self._skip, self._limit = skip, limit
        self._steps = 0

    def reset(self) -> Tensor:
        return self._view(self._consoles)

    def step(self, output: Tensor) -> Transition:
        """Perform the action with the highest score for `skip` frames."""
        self._steps += 1
        actions = output.argmax(1).tolist()
        rewards = [console.step(action) for console, action in zip(self._consoles, actions, strict=True)]
        over = torch.tensor([console.over for console in self._consoles])
        if self._steps >= self._limit:
            over[:] = True
        return Transition(self._view(self._consoles), torch.tensor(rewards, dtype=torch.float64), over)

    def end(self, rows: Tensor) -> EpisodeSummary:
        ended = [self._consoles[row] for row in rows.tolist()]
        frames = torch.full((len(ended),), float(self._skip * self._steps), dtype=torch.float64)
        return EpisodeSummary(memories(ended), {"frames": frames})

    def keep(self, rows: Tensor) -> None:
        remaining = set(rows.tolist())
        self._done([console for row, console in enumerate(self._consoles) if row not in remaining])
        self._consoles = [self._consoles[row] for row in rows.tolist()]
        self._view.keep(rows)

    def rgb(self) -> Tensor:
        """RGB frame of the first console, uint8 [height, width, 3]."""
        return self._consoles[0].rgb()
