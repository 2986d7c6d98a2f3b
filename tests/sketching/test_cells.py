"""Cell grids: detection of digits and location of their pixels."""

import torch
from torch import nn
from torch.nn.functional import normalize

from dlcli.config import compose
from dlcli.config.build import build_task
from dlcli.sketching.networks.cell_grid import Cells


class AlwaysThree(nn.Module):
    """Detects digit 3 in every cell, including empty ones."""

    def capsules(self, x):
        poses = torch.zeros(len(x), 10, 4)
        poses[:, 3] = 0.9 * normalize(1 + x.flatten(1)[:, 28:32])
        return poses


def network_and_batch():
    (point,) = compose.expand("sketch", ["recursive", "scenes.repeats=1"], smoke=True)
    config = point.resolved()
    scenes = build_task({**config, "task": config["scenes"]}, torch.device("cpu"))
    return Cells(AlwaysThree(), scenes, cell=None, threshold=0.5, name="digit", weight="equal"), scenes.batch("test", 0)


def test_empty_cell_has_no_object():
    cells, batch = network_and_batch()
    structure = cells.objects(batch.inputs[0]).objects.structure
    expected = batch.inputs[0].unfold(2, 8, 8).unfold(3, 8, 8).amax((1, 4, 5)).gt(0).sum()
    assert int((structure.module == 3).sum()) == int(expected)
    assert expected < batch.inputs[0].shape[0] * 9


def test_pixels_of_a_digit_are_those_of_its_cell():
    cells, batch = network_and_batch()
    seen = cells.objects(batch.inputs[0])
    structure = seen.objects.structure
    digits = (structure.module == 3).nonzero().squeeze(1)
    for number in digits[:20].tolist():
        pixels = cells.pixels(batch.inputs[0], structure, number)
        pose = normalize(1 + pixels.flatten(1)[:, 28:32])
        torch.testing.assert_close(seen.objects.attributes[number, :4], pose[0], rtol=1e-5, atol=1e-6)
    rest = (structure.module != 3).nonzero().squeeze(1)
    assert cells.pixels(batch.inputs[0], structure, int(rest[0])) is None
