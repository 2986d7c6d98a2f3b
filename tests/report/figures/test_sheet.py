"""Sheets: pixels land where they should, with words on them or without."""

import io

import pytest
import torch

from dlcli.report.figures import attribution_sheets, confusion_matrix, input_maps, sheet
from dlcli.report.figures.attribution_sheets import Caption
from dlcli.report.figures.colormap import DEPTH, HEAT, SIGNED, apply_colormap
from dlcli.report.figures.sheet import Sheet, TextLabel, png, truncate_text


def pixels(content):
    import matplotlib.image

    return torch.from_numpy(matplotlib.image.imread(io.BytesIO(content), format="png").copy())[..., :3]


def test_pixels_are_where_they_were_put_with_letters_and_without(monkeypatch):
    paper = Sheet.blank(40, 61)
    paper.put(torch.rand(9, 7, 3), 50, 30)
    assert (pixels(png(paper)) - paper.pixels).abs().max() < 1 / 250
    lettered = Sheet(paper.pixels, [TextLabel("x = $2 \\n", 2, 10)])
    changed = (pixels(png(lettered)) - paper.pixels).abs().sum(-1) > 0.1
    assert changed[2:18, :50].any()
    assert not changed[20:].any()
    monkeypatch.setattr(sheet, "can_draw_text", lambda: False)
    assert (pixels(png(lettered)) - paper.pixels).abs().max() < 1 / 250


@pytest.mark.parametrize("anchors", [HEAT, SIGNED, DEPTH])
def test_colours_go_through_their_anchors(anchors):
    places = torch.linspace(0, 1, len(anchors))
    torch.testing.assert_close(apply_colormap(places, anchors), torch.tensor(anchors))
    torch.testing.assert_close(
        apply_colormap(torch.tensor([-1.0, 2.0]), anchors), torch.tensor([anchors[0], anchors[-1]])
    )


def test_heat_and_depth_are_ordered_in_grey():
    for anchors, sign in ((HEAT, 1), (DEPTH, -1)):
        grey = apply_colormap(torch.linspace(0, 1, 50), anchors) @ torch.tensor([0.299, 0.587, 0.114])
        assert (sign * grey.diff() > 0).all()


def test_images_are_enlarged_by_whole_factors():
    image = torch.rand(2, 1, 8, 8)
    shown = input_maps.input_images(image)
    assert shown.shape == (2, 96, 96, 3)
    assert torch.equal(shown[:, ::12, ::12, 1], image[:, 0])
    assert input_maps.input_images(torch.rand(2, 3, 40, 64)).shape == (2, 80, 128, 3)


def test_frames_are_side_by_side_and_sequences_are_rows():
    film = torch.rand(1, 1, 5, 8, 8)
    shown = input_maps.input_images(film)
    assert shown.shape == (1, 96, 480, 3)
    assert torch.equal(shown[0, 6::12, 102:192:12, 0], film[0, 0, 1])
    assert (shown[0, :, 96:480:96] == shown[0, 0, 96]).all()  # lines between them
    assert input_maps.heat_maps(torch.rand(1, 5, 8, 8)).shape == shown.shape
    assert input_maps.input_images(torch.rand(3, 2, 60)).shape == (3, 24, 480, 3)
    assert (
        input_maps.input_images(torch.rand(3, 1, 2000)).shape
        == input_maps.heat_maps(torch.rand(3, 2000)).shape
        == (3, 24, 480, 3)
    )
    assert (
        input_maps.overlay_maps(torch.rand(3, 60), torch.rand(3, 50, 60)).shape
        == input_maps.input_images(torch.rand(3, 50, 60)).shape
    )


def test_values_outside_of_zero_and_one_are_all_seen():
    shown = input_maps.input_images(torch.tensor([-3.0, 0.0, 5.0, 1.0]).view(1, 1, 2, 2))
    assert (shown.min(), shown.max()) == (0, 1)
    torch.testing.assert_close(shown[0, 0, -1, 0], torch.tensor(3 / 8))


def test_a_sign_is_red_or_blue_and_nothing_is_white():
    red, white, blue = input_maps.signed_maps(torch.tensor([[[2.0, 0.0, -2.0]]]))[0, 48, [48, 144, 240]]
    assert red[0] > 0.6 > red[2]
    assert blue[2] > 0.5 > blue[0]
    assert torch.equal(white, torch.ones(3))
    assert torch.equal(input_maps.heat_maps(torch.zeros(1, 8, 8)).amax((0, 1, 2)), torch.tensor(HEAT[0]))


def test_wrong_ones_are_red_and_every_sample_has_its_place():
    inputs, maps = torch.zeros(5, 96, 96, 3), torch.full((5, 96, 96, 3), 0.5)
    made = attribution_sheets.side_by_side("t", "n", [Caption(str(i), i != 3) for i in range(5)], inputs, maps)
    captions = made.words[2:]
    assert [words.text for words in captions] == list("01234")
    assert [words.colour for words in captions].index("#b2182b") == 3
    assert int((made.pixels == 0).all(-1).sum()) == int((made.pixels == 0.5).all(-1).sum()) == 5 * 96 * 96


@pytest.mark.parametrize("shape", [(8, 1, 3, 3), (100, 3, 11, 11), (4, 16, 5), (2, 1, 3, 3, 3), (6, 40, 1, 1)])
def test_filters_of_every_kind_have_a_picture(shape):
    assert attribution_sheets.filters("filters", torch.randn(shape)).pixels.isfinite().all()


def test_a_matrix_has_its_counts_and_shares():
    counts = torch.tensor([[3, 1, 0], [0, 0, 0], [0, 2, 7]])
    made = confusion_matrix.draw_confusion_matrix("test", ["a", "b", "long name"], counts)
    torch.testing.assert_close(confusion_matrix.row_fractions(counts).sum(1), torch.tensor([1.0, 0.0, 1.0]))
    numbers = {(round(words.x), round(words.y)): words.text for words in made.words if words.text.isdigit()}
    assert sorted(numbers.values()) == ["1", "2", "3", "7"]
    for (x, y), text in numbers.items():
        (row, column) = (counts == int(text)).nonzero()[0].tolist()
        share = confusion_matrix.row_fractions(counts)[row, column].sqrt()
        torch.testing.assert_close(made.pixels[y, x], apply_colormap(share[None], DEPTH)[0])
    assert (
        confusion_matrix.draw_confusion_matrix(
            "many", list(map(str, range(100))), torch.eye(100, dtype=torch.int64)
        ).pixels.shape[0]
        > 1000
    )


def test_long_words_are_cut():
    assert truncate_text("short", 200, 12) == "short"
    assert truncate_text("a very long name of a class", 60, 12) == "a very …"
