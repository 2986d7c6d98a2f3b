"""Margin loss and reconstruction, by hand."""

import pytest
import torch
from helpers.errors import usage_error
from torch import nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.spec import Classes, Labels, Real, Spec
from dlcli.core.task import Batch, CompositeImages
from dlcli.learners.gradient.player import Player, PlayerState
from dlcli.learners.gradient.schedule import Constant
from dlcli.objectives.margin import Margin
from dlcli.objectives.reconstruction import Reconstruction

IMAGE = Real((1, 1, 2))
CLASSES, LABELS = Spec((IMAGE,), Classes(3)), Spec((IMAGE,), Labels(3))
MARGINS = {"positive": 0.9, "negative": 0.1, "down": 0.5, "reduction": "sum"}


class Toy:
    """A task that knows its spec and nothing else."""

    main, fitted = None, {}

    def __init__(self, spec):
        self.spec = spec

    def size(self, *_):
        raise NotImplementedError

    rows = batch = metrics = summary = to = size


def task(spec=CLASSES):
    return Toy(spec)


def batch(target, images=None):
    rows = torch.arange(len(target))
    images = torch.zeros(len(target), 1, 1, 2) if images is None else images
    return Batch((images,), target, rows == 0, 0, 0, rows)


def margin(spec=CLASSES, **changed):
    return Margin(task(spec), **{**MARGINS, **changed})


class Answers(nn.Module):
    """A model that always gives these scores."""

    def __init__(self, p):
        super().__init__()
        self.scores = nn.Parameter(torch.tensor(p).logit())

    def forward(self, x):
        return self.scores


P = [[0.7, 0.05, 0.3], [0.95, 0.6, 0.2]]
# row 1, class 0: (.9 - .7)² + .5 (.3 - .1)²; row 2, class 1: .5 (.95 - .1)² + (.9 - .6)² + .5 (.2 - .1)²
ROWS = [0.04 + 0.02, 0.36125 + 0.09 + 0.005]


@pytest.mark.parametrize("target", [torch.tensor([0, 1]), torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])])
def test_margin_by_hand(target):
    loss = margin(CLASSES if target.dim() == 1 else LABELS)(Answers(P), batch(target))
    torch.testing.assert_close(loss.value.item(), sum(ROWS) / 2)
    assert loss.weight == 2


def test_several_labels_and_none_by_hand():
    loss = margin(LABELS, down=0.25)(Answers(P), batch(torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])))
    there, nothing = 0.2**2 + 0.6**2, 0.25 * (0.85**2 + 0.5**2 + 0.1**2)
    torch.testing.assert_close(loss.value.item(), (there + nothing) / 2)


def test_the_authors_reduction_is_a_twentieth_for_ten_classes():
    p, target = torch.rand(4, 10), torch.tensor([0, 3, 5, 9])
    spec = Spec((IMAGE,), Classes(10))
    whole, small = (margin(spec, reduction=kind).of(p, target) for kind in ("sum", "official"))
    torch.testing.assert_close(20 * small, whole)


def test_within_the_margins_there_is_nothing_to_learn():
    loss = margin()(model := Answers([[0.95, 0.05, 0.02]]), batch(torch.tensor([0]))).value
    (slope,) = torch.autograd.grad(loss, model.scores)
    assert loss.item() == 0
    assert not slope.any()


class Poses(nn.Module):
    """Two-dimensional class capsules that are always these; a decoder that shows the sum of what it is given."""

    def __init__(self, poses):
        super().__init__()
        self.poses = nn.Parameter(torch.tensor(poses))

    def capsules(self, x):
        return self.poses

    def reconstruct(self, poses, mask):
        return (poses * mask[..., None]).sum(1)[:, None, None]


POSES = [[[0.6, 0.0], [0.0, 0.2], [0.3, 0.4]]]  # of lengths .6, .2 and .5


def reconstruction(task, **changed):
    def make(task):
        return Margin(task, **MARGINS)

    return Reconstruction(task, **{"margin": make, "weight": 0.1, "error": "sum", **changed})


def test_the_capsule_of_the_true_class_is_decoded_though_another_is_longer():
    seen = batch(torch.tensor([2]), torch.tensor([[[[1.0, 0.0]]]]))
    loss = reconstruction(task())(Poses(POSES), seen)
    by_margin = 0.4**2 + 0.5 * (0.5**2 + 0.1**2)
    error = 0.7**2 + 0.4**2
    torch.testing.assert_close(loss.value.item(), by_margin + 0.1 * error)
    torch.testing.assert_close(loss.terms["reconstruction"].item(), error)
    mean = reconstruction(task(), error="mean")(Poses(POSES), seen)
    torch.testing.assert_close(mean.terms["reconstruction"].item(), error / 2)


def test_all_labels_together_make_the_input_where_nothing_is_known_of_its_parts():
    seen = batch(torch.tensor([[1.0, 1.0, 0.0]]), torch.tensor([[[[1.0, 1.0]]]]))
    loss = reconstruction(task(LABELS))(Poses(POSES), seen)
    torch.testing.assert_close(loss.terms["reconstruction"].item(), 0.4**2 + 0.8**2)


class Overlaid(Toy):
    """One image with two digits, of classes 0 and 2, and one with a single digit of class 1."""

    def sources(self, batch):
        images = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.0, 0.0]]]).view(2, 2, 1, 1, 2)
        return images, torch.tensor([[0, 2], [1, -100]])


def test_digits_that_overlap_are_decoded_one_by_one_and_what_is_missing_costs_nothing():
    assert isinstance(Overlaid(LABELS), CompositeImages)
    seen = batch(torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]))
    loss = reconstruction(Overlaid(LABELS))(Poses(POSES * 2), seen)
    first = 0.4**2 + (0.3**2 + 0.6**2)
    second = 0.5**2 + 0.3**2
    torch.testing.assert_close(loss.terms["reconstruction"].item(), (first + second) / 2)


def test_a_model_without_capsules_is_refused_by_what_it_lacks():
    player = Player(
        objective=lambda task: reconstruction(task),
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.1),
        schedule=Constant(),
        parts=None,
        split="train",
        repeats=1,
        accumulate=1,
        clip=None,
    )
    with pytest.raises(Mismatch) as error:
        PlayerState(player, Answers(P), task(), seed=(0,), precision="float32")
    assert error.value.fields["requirement"] == "a model with capsules, reconstruct"
    PlayerState(player, Poses(POSES), task(), seed=(0,), precision="float32")


@pytest.mark.parametrize(
    ("error", "words", "make"),
    [
        (
            UsageError,
            {"code": "invalid_value", "key": "objective.positive", "got": "negative=0.1, positive=0.1"},
            lambda: margin(positive=0.1),
        ),
        (UsageError, {"code": "invalid_value", "key": "objective.down", "got": -1.0}, lambda: margin(down=-1.0)),
        (Mismatch, {"code": "mismatch", "subject": "objective=margin", "got": "Real(1, 1, 2) -> Real(3)"}, None),
        (
            UsageError,
            {"code": "invalid_value", "key": "objective.weight", "got": -1.0},
            lambda: reconstruction(task(), weight=-1.0),
        ),
        (
            Mismatch,
            {"code": "mismatch", "subject": "objective=reconstruction", "got": "Real(4) -> Classes(3)"},
            lambda: reconstruction(task(Spec((Real((4,)),), Classes(3)))),
        ),
    ],
)
def test_what_they_refuse(error, words, make):
    with usage_error(**words):
        (make or (lambda: margin(Spec((IMAGE,), Real((3,))))))()
