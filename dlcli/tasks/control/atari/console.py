"""Emulated Atari 2600; the only module that imports ale-py."""

import warnings
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from dlcli.core.errors import Missing, UsageError, install_command


def cartridge(game: str) -> str:
    """Path of the ROM of a game, which is part of ale-py.

    Raises:
        Missing: ale-py is not installed, or the ROM is missing.
        UsageError: the game is unknown.
    """
    ale = _ale()
    known = ale.roms.get_all_rom_ids()
    if game not in known:
        raise UsageError("unknown_name", kind="game (task.game)", name=game, known=known)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return str(ale.roms.get_rom_path(game))
        except OSError as error:
            hint = f"Install it: {install_command('atari')}"
            raise Missing("not_found", kind=f"ROM ({error})", name=game, hint=hint) from None


def _ale() -> Any:
    try:
        import ale_py
        import ale_py.roms
    except ImportError:
        hint = f"Install it: {install_command('atari')}"
        raise Missing("missing_package", feature="task=atari", package="ale-py", hint=hint) from None
    return ale_py


class Console:
    """Emulator of one game whose episodes depend only on their seed and their actions.

    The emulator is deterministic; sticky actions are implemented in this class, frame by frame (Machado et al. 2018,
    arXiv:1709.06009, section 5.2).

    Args:
        rom: path of the ROM.
        full: use all 18 actions instead of those with an effect in this game.
        skip: number of frames for which an action is repeated.
        sticky: probability that a frame repeats the action of the previous frame.
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
        """Number of actions; action 0 is the no-op."""
        return len(self._actions)

    def start(self, seed: int, noops: int) -> None:
        """Start an episode with 0 to `noops` no-op frames, a number that depends on the seed."""
        self._machine.restoreSystemState(self._begin)
        self._random = np.random.Generator(np.random.Philox(key=seed))
        self._held = self._actions[0]
        for _ in range(int(self._random.integers(noops + 1))):
            self._machine.act(self._actions[0])
        self._capture(0)
        self._capture(1)

    def step(self, action: int) -> float:
        """Repeat an action for `skip` frames; returns the sum of the unclipped rewards."""
        selected, reward = self._actions[action], 0.0
        for remaining in reversed(range(self._skip)):
            if not self._sticky or self._random.random() >= self._sticky:
                self._held = selected
            reward += self._machine.act(self._held)
            if remaining < 2:
                self._capture(remaining)
        return reward

    def _capture(self, slot: int) -> None:
        self._machine.getScreenGrayscale(self._last_two[slot])

    @property
    def over(self) -> bool:
        return self._machine.game_over()

    def screen(self) -> UInt8[np.ndarray, "height width"]:
        """Maximum of the last two grayscale frames, because some games draw a sprite only in every other frame."""
        return self._last_two.max(0)

    def rgb(self) -> UInt8[Tensor, "height width 3"]:
        """Current frame in color."""
        return torch.from_numpy(self._machine.getScreenRGB())

    def memory(self) -> UInt8[Tensor, "128"]:
        """RAM of the console."""
        return torch.from_numpy(self._machine.getRAM().copy())
