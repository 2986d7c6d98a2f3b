"""Screens on made frames: areas, stacks, the lighter of two, sticky actions."""

import numpy as np
import pytest
import torch

from dlcli.tasks.control.atari.console import Console
from dlcli.tasks.control.atari.frames import Shrink, Stack


def by_hand(screen):
    """Every pixel repeated until both sizes divide, then plain means."""
    fine = screen.double().repeat_interleave(84, 0).repeat_interleave(84, 1)
    height, width = screen.shape
    return fine.view(84, height, 84, width).mean((1, 3)) / 255


@pytest.mark.parametrize(("height", "width"), [(210, 160), (250, 160), (84, 84)])
def test_a_small_pixel_is_the_mean_of_its_area(height, width):
    screens = torch.randint(256, (2, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    small = Shrink(height, width)(screens)
    torch.testing.assert_close(small[1].double(), by_hand(screens[1]), rtol=0, atol=1e-6)
    assert torch.equal(Shrink(height, width)(screens[1:])[0], small[1])


def test_white_is_one_and_black_is_nought():
    shrink = Shrink(210, 160)
    torch.testing.assert_close(shrink(torch.full((1, 210, 160), 255, dtype=torch.uint8)), torch.ones(1, 84, 84))
    assert not shrink(torch.zeros(1, 210, 160, dtype=torch.uint8)).any()


def plain(*numbers):
    return torch.stack([torch.full((2, 2), float(number)) for number in numbers])


def test_a_stack_holds_the_last_four_the_newest_last():
    stack = Stack(plain(1, 10))
    assert stack.seen[:, :, 0, 0].tolist() == [[1, 1, 1, 1], [10, 10, 10, 10]]
    stack.push(plain(2, 20))
    assert stack.push(plain(3, 30))[:, :, 0, 0].tolist() == [[1, 1, 2, 3], [10, 10, 20, 30]]
    stack.keep(torch.tensor([1]))
    assert stack.push(plain(40))[:, :, 0, 0].tolist() == [[10, 20, 30, 40]]


class Machine:
    """An emulator whose frames are numbers: frame n is as light as `lights[n]`, and every frame rewards 1000."""

    def __init__(self, lights):
        self.lights, self.held = lights, []

    def restoreSystemState(self, state):  # noqa: N802 - ale-py's name
        self.held = []

    def act(self, action):
        self.held.append(action)
        return 1000

    def getScreenGrayscale(self, into):  # noqa: N802
        into[:] = 0
        into[0, len(self.held) % 3] = self.lights[len(self.held)]


class Made(Console):
    """A console with that emulator."""

    def __init__(self, lights, *, skip=4, sticky=0.0):
        self._machine, self._begin = Machine(lights), None
        self._actions = ["noop", "fire", "up"]
        self._skip, self._sticky, self.shape = skip, sticky, (1, 3)
        self._last_two = np.zeros((2, 1, 3), dtype=np.uint8)


def test_a_screen_is_the_lighter_of_the_last_two_frames():
    console = Made(range(10, 30))
    console.start(0, 0)
    assert console.screen().tolist() == [[10, 0, 0]]
    assert console.step(1) == 4000  # not clipped
    assert console.screen().tolist() == [[13, 14, 0]]
    console.step(2)
    assert console.screen().tolist() == [[0, 17, 18]]
    assert console._machine.held == ["fire"] * 4 + ["up"] * 4


def test_one_frame_a_step_has_nothing_to_compare():
    console = Made(range(10, 30), skip=1)
    console.start(0, 0)
    console.step(1)
    console.step(1)
    assert console.screen()[0, 2] == 12


def test_nothing_is_done_for_as_many_frames_as_the_seed_says():
    counts = []
    for seed in range(200):
        console = Made(range(100))
        console.start(seed, 5)
        assert set(console._machine.held) <= {"noop"}
        counts.append(len(console._machine.held))
    assert set(counts) == {0, 1, 2, 3, 4, 5}


def test_a_sticky_frame_repeats_the_action_of_the_one_before():
    console = Made([0] * 9000, sticky=0.25)
    console.start(0, 0)
    for step in range(2000):
        console.step(1 + step % 2)
    held = console._machine.held
    stuck = [held[4 * step] == held[4 * step - 1] for step in range(1, 2000)]
    assert np.mean(stuck) == pytest.approx(0.25, abs=0.04)
