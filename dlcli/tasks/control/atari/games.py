"""Games of Atari side by side."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from dlcli.tasks.control.atari.console import Console
from dlcli.tasks.control.atari.frames import Shrink, Stack
from dlcli.tasks.control.episode_loop import End, Outcome


def memories(consoles: Sequence[Console]) -> Tensor:
    """RAM in [0, 1], [row, 128]."""
    return torch.stack([console.memory() for console in consoles]).float() / 255


class Screens:
    """The last four screens, [row, 4, 84, 84]."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self._shrink = Shrink(*shape)
        self._stack: Stack | None = None

    def __call__(self, consoles: Sequence[Console]) -> Tensor:
        now = self._shrink(torch.from_numpy(np.stack([console.screen() for console in consoles])))
        if self._stack is None:
            self._stack = Stack(now)
            return self._stack.seen
        return self._stack.push(now)

    def keep(self, rows: Tensor) -> None:
        if self._stack is not None:
            self._stack.keep(rows)


class Memories:
    """The console's RAM now, [row, 128]."""

    def __call__(self, consoles: Sequence[Console]) -> Tensor:
        return memories(consoles)

    def keep(self, rows: Tensor) -> None:
        pass


class Games:
    """Episodes on as many consoles, stepped one after the other: ale-py holds Python's lock while it emulates.

    Args:
        consoles: started, one an episode.
        view: what policies see.
        skip: frames of a step.
        limit: steps after which an episode ends.
        done: is given the consoles whose episodes are over.
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

    def step(self, output: Tensor) -> Outcome:
        """The action of the highest score, for `skip` frames."""
        self._steps += 1
        actions = output.argmax(1).tolist()
        rewards = [console.step(action) for console, action in zip(self._consoles, actions, strict=True)]
        over = torch.tensor([console.over for console in self._consoles])
        if self._steps >= self._limit:
            over[:] = True
        return Outcome(self._view(self._consoles), torch.tensor(rewards, dtype=torch.float64), over)

    def end(self, rows: Tensor) -> End:
        ended = [self._consoles[row] for row in rows.tolist()]
        frames = torch.full((len(ended),), float(self._skip * self._steps), dtype=torch.float64)
        return End(memories(ended), {"frames": frames})

    def keep(self, rows: Tensor) -> None:
        staying = set(rows.tolist())
        self._done([console for place, console in enumerate(self._consoles) if place not in staying])
        self._consoles = [self._consoles[row] for row in rows.tolist()]
        self._view.keep(rows)

    def colours(self) -> Tensor:
        """The screen of the first console, uint8 [height, width, 3]."""
        return self._consoles[0].colours()
