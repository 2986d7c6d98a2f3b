"""One Atari 2600 with a game in it: the only file that knows ale-py."""

import warnings
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from dlcli.core.errors import Missing, UsageError, nearest


def cartridge(game: str) -> str:
    """Path of a game's ROM, which ale-py brings with it.

    Raises:
        Missing: ale-py is not installed, or the ROM is not there.
        UsageError: there is no such game.
    """
    ale = _ale()
    known = ale.roms.get_all_rom_ids()
    if game not in known:
        raise UsageError(f"task.game: ale-py has no game {game!r}{nearest(game, known)}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return str(ale.roms.get_rom_path(game))
        except OSError as error:
            raise Missing(f"the ROM of {game} cannot be read: {error}\nGet it: pip install 'dlcli[atari]'") from None


def _ale() -> Any:
    try:
        import ale_py
        import ale_py.roms
    except ImportError:
        raise Missing("task=atari needs ale-py\nGet it: pip install 'dlcli[atari]'") from None
    return ale_py


class Console:
    """Plays one episode after the other, each a function of its start, its actions and its own random numbers alone.

    What the emulator does is deterministic; sticky actions are drawn here, frame by frame (Machado et al. 2018,
    arXiv:1709.06009, section 5.2).

    Args:
        rom: path of the game.
        full: all 18 actions, not only those that do something in this game.
        skip: frames that an action is held for.
        sticky: probability that a frame repeats the action of the one before.
    """

    def __init__(self, rom: str, *, full: bool, skip: int, sticky: float) -> None:
        ale = _ale()
        ale.ALEInterface.setLoggerMode(ale.LoggerMode.Error)
        self._machine = ale.ALEInterface()
        self._machine.setInt("random_seed", 0)
        self._machine.setInt("frame_skip", 1)
        self._machine.setFloat("repeat_action_probability", 0.0)
        self._machine.loadROM(rom)
        self._actions = self._machine.getLegalActionSet() if full else self._machine.getMinimalActionSet()
        self._begin = self._machine.cloneSystemState()
        self._skip, self._sticky = skip, sticky
        self.shape: tuple[int, int] = self._machine.getScreenDims()
        self._last_two = np.zeros((2, *self.shape), dtype=np.uint8)

    @property
    def actions(self) -> int:
        """How many there are to choose from; 0 does nothing."""
        return len(self._actions)

    def start(self, seed: int, noops: int) -> None:
        """Begin an episode and do nothing for 0 to `noops` frames, as the seed says."""
        self._machine.restoreSystemState(self._begin)
        self._random = np.random.Generator(np.random.Philox(key=seed))
        self._held = self._actions[0]
        for _ in range(int(self._random.integers(noops + 1))):
            self._machine.act(self._actions[0])
        self._look(0)
        self._look(1)

    def step(self, action: int) -> float:
        """Hold an action; the sum of the rewards, as the game gives them."""
        wanted, reward = self._actions[action], 0.0
        for left in reversed(range(self._skip)):
            if not self._sticky or self._random.random() >= self._sticky:
                self._held = wanted
            reward += self._machine.act(self._held)
            if left < 2:
                self._look(left)
        return reward

    def _look(self, place: int) -> None:
        self._machine.getScreenGrayscale(self._last_two[place])

    @property
    def over(self) -> bool:
        return self._machine.game_over()

    def screen(self) -> UInt8[np.ndarray, "height width"]:
        """Grey, of the last two frames the lighter: some games show a sprite in every other one only."""
        return self._last_two.max(0)

    def colours(self) -> UInt8[Tensor, "height width 3"]:
        """What a player sees."""
        return torch.from_numpy(self._machine.getScreenRGB())

    def memory(self) -> UInt8[Tensor, "128"]:
        """The console's RAM."""
        return torch.from_numpy(self._machine.getRAM().copy())
