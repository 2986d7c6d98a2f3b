"""Atari games."""

from typing import Literal

import torch
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.core.option_checks import at_least, one_of
from dlcli.core.population import Policies
from dlcli.core.spec import Classes, Real, Spec
from dlcli.tasks.control.atari.console import Console, cartridge
from dlcli.tasks.control.atari.frames import SIDE, STACKED
from dlcli.tasks.control.atari.games import Games, Memories, Screens
from dlcli.tasks.control.environment import RETURN, Environment

_PIXELS = Real((STACKED, SIDE, SIDE))
_MEMORY = Real((128,))
_HERTZ = 60.0  # frames of the console a second
_FILMED = 1_800  # steps of a film: two minutes of play


class Atari(Environment):
    """A game of the Atari 2600, through the Arcade Learning Environment (Bellemare et al. 2013, arXiv:1207.4708).

    Policies see the last four screens, 84x84 and grey, or the console's RAM, in [0, 1]; a screen is the lighter of the
    last two frames of its step. An episode is a whole game, all lives, and begins with 0 to `noops` frames of doing
    nothing. Without sticky actions that is all that its seed decides: there are only `noops` + 1 different episodes.
    Rewards are the game's own, not clipped. The characterisation is the RAM at the end.

    Paper: Such et al. 2017, arXiv:1712.06567, section 4.1; preprocessing of Mnih et al. 2015, Nature 518, Methods.
    Differs: of two frames the grey values are compared, not the colours; screens are shrunk by area. Conti et al. 2017,
    arXiv:1712.06560, characterise an episode by its RAM at every step, which would be half a megabyte.

    Args:
        game: as ale-py names it: frostbite, space_invaders.
        observation: pixels, or ram for smaller networks.
        full_actions: all 18 of the joystick, as in the papers; else those that the game reads.
        skip: frames that an action is held for.
        sticky: probability that a frame repeats the action of the one before, 0.25 in ale-py's own default.
        noops: most frames of doing nothing at the start.
        limit: steps after which an episode ends.
        episodes, valid_episodes, test_episodes, lanes: as of every environment.

    Raises:
        Missing: ale-py is not installed.
        UsageError: there is no such game, or a number is out of range.
    """

    def __init__(
        self,
        *,
        game: str,
        observation: Literal["pixels", "ram"],
        full_actions: bool,
        skip: int,
        sticky: float,
        noops: int,
        limit: int,
        episodes: int,
        valid_episodes: int,
        test_episodes: int,
        lanes: int,
    ) -> None:
        at_least(1, skip=skip, limit=limit)
        at_least(0, noops=noops)
        one_of(("pixels", "ram"), observation=observation)
        if not 0 <= sticky < 1:
            raise UsageError(f"task.sticky is in [0, 1), not {sticky}")
        rom = cartridge(game)
        self._console = lambda: Console(rom, full=full_actions, skip=skip, sticky=sticky)
        self._idle = [self._console()]
        self._noops, self._skip, self._limit = noops, skip, limit
        self.distinct = None if sticky else noops + 1
        self._shape = self._idle[0].shape
        self._pixels = observation == "pixels"
        super().__init__(
            Spec((_PIXELS if self._pixels else _MEMORY,), Classes(self._idle[0].actions)),
            RETURN.goal,
            episodes=episodes,
            valid_episodes=valid_episodes,
            test_episodes=test_episodes,
            lanes=lanes,
        )

    def simulate(self, seeds: Tensor) -> Games:
        consoles = [self._idle.pop() if self._idle else self._console() for _ in seeds]
        for console, seed in zip(consoles, seeds.tolist(), strict=True):
            console.start(seed, self._noops)
        view = Screens(self._shape) if self._pixels else Memories()
        return Games(consoles, view, skip=self._skip, limit=self._limit, done=self._idle.extend)

    def frames(self, model: nn.Module, seed: int) -> tuple[Tensor, float]:
        """The screen at every step, for two minutes of play at most."""
        with torch.no_grad():
            games, policy = self.simulate(torch.tensor([seed])), Policies(model, None, 1)
            seen, over, shots = games.reset(), False, [games.colours()]
            while not over and len(shots) < _FILMED:
                outcome = games.step(policy(seen[None])[0])
                seen, over = outcome.observation, bool(outcome.over)
                shots.append(games.colours())
            games.keep(torch.zeros(0, dtype=torch.int64))
        return torch.stack(shots), _HERTZ / self._skip
