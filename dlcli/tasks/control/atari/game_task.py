"""Atari games."""

from typing import Literal

import torch
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.core.option_checks import check_at_least, check_choice
from dlcli.core.population import PolicyPopulation
from dlcli.core.spec import Classes, Real, Spec
from dlcli.tasks.control.atari.console import Console, cartridge
from dlcli.tasks.control.atari.frames import SIDE, STACKED
from dlcli.tasks.control.atari.games import Games, Memories, Screens
from dlcli.tasks.control.environment import RETURN, Environment

_PIXELS = Real((STACKED, SIDE, SIDE))
_MEMORY = Real((128,))
_HERTZ = 60.0  # frames per second of the console
_MAX_VIDEO_STEPS = 1_800  # two minutes of play


class Atari(Environment):
    """A game of the Atari 2600, through the Arcade Learning Environment (Bellemare et al. 2013, arXiv:1207.4708).

    Observations are the last four grayscale frames of 84x84 pixels, or the RAM of the console, in [0, 1]; a frame is
    the maximum of the last two emulator frames of its step. An episode is a complete game with all lives, and starts
    with 0 to `noops` no-op frames. Without sticky actions the seed has no other effect, so that there are only
    `noops` + 1 different episodes. Rewards are not clipped. The behavior characterization is the final RAM.

    Paper: Such et al. 2017, arXiv:1712.06567, section 4.1; preprocessing of Mnih et al. 2015, Nature 518, Methods.
    Differs: the maximum is taken over gray values instead of colors; frames are downscaled by area averaging. Conti et
    al. 2017, arXiv:1712.06560, characterize an episode by its RAM at every step, about half a megabyte.

    Args:
        game: name of the game in ale-py, such as frostbite or space_invaders.
        observation: "pixels", or "ram" for smaller networks.
        full_actions: use all 18 joystick actions, as in the papers, instead of those with an effect in the game.
        skip: number of frames for which an action is repeated.
        sticky: probability that a frame repeats the previous action; ale-py's default is 0.25.
        noops: maximum number of no-op frames at the start.
        limit: maximum number of steps of an episode.
        episodes, valid_episodes, test_episodes, lanes: see `Environment`.

    Raises:
        Missing: ale-py is not installed.
        UsageError: the game is unknown, or a number is out of range.
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
        check_at_least(1, skip=skip, limit=limit)
        check_at_least(0, noops=noops)
        check_choice(("pixels", "ram"), observation=observation)
        if not 0 <= sticky < 1:
            raise UsageError("invalid_value", key="task.sticky", must="in [0, 1)", got=sticky)
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
        """RGB frame of every step, for at most two minutes of play."""
        with torch.no_grad():
            games, policy = self.simulate(torch.tensor([seed])), PolicyPopulation(model, None, 1)
            observation, over, video = games.reset(), False, [games.rgb()]
            while not over and len(video) < _MAX_VIDEO_STEPS:
                outcome = games.step(policy(observation[None])[0])
                observation, over = outcome.observation, bool(outcome.over)
                video.append(games.rgb())
            games.keep(torch.zeros(0, dtype=torch.int64))
        return torch.stack(video), _HERTZ / self._skip
