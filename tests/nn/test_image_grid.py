"""Image grids, pixel by pixel."""

import torch

from dlcli.nn.image_grid import make_grid


def test_make_grid_arranges_images_with_gray_borders():
    images = torch.tensor([0.0, 0.25, 1.0]).view(3, 1, 1, 1).expand(3, 1, 1, 2)
    g = 0.5
    wanted = [
        [g, g, g, g, g, g, g],
        [g, 0, 0, g, 0.25, 0.25, g],
        [g, g, g, g, g, g, g],
        [g, 1, 1, g, g, g, g],
        [g, g, g, g, g, g, g],
    ]
    torch.testing.assert_close(make_grid(images, columns=2, scale=1), torch.tensor(wanted)[..., None].expand(-1, -1, 3))


def test_make_grid_enlarges_and_clamps_colors():
    pixel = torch.tensor([-1.0, 0.3, 2.0]).view(1, 3, 1, 1)
    picture = make_grid(pixel, columns=1, scale=3)
    assert picture.shape == (5, 5, 3)
    assert torch.equal(picture[1:4, 1:4].flatten(0, 1), torch.tensor([0.0, 0.3, 1.0]).expand(9, 3))
