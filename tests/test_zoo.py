"""The gate: every recipe, in its smoke size, goes through the same checks."""

import functools
import inspect
from dataclasses import dataclass, fields

import numpy as np
import pytest
import torch
from hydra.utils import get_class
from omegaconf import OmegaConf
from PIL import Image

from dlcli import build, catalogue, compose
from dlcli.budget import settle_budget
from dlcli.core.errors import Missing
from dlcli.core.spec import Labels, Real
from dlcli.engine import evaluate

CPU = torch.device("cpu")
RECIPES = sorted(catalogue.members("experiment/train"))
REAL = {"jsb", "nottingham", "ptb_char", "ptb_word", "sequential_mnist", "permuted_mnist", "mnist"}
REAL |= {"translated_mnist", "cluttered_mnist", "multi_mnist", "paired_mnist"}  # made of mnist
REAL |= {"mnist", "fashion_mnist", "cifar10", "cifar100", "svhn"}
IGNORED = -100
STEPS = 3


@functools.cache
def composed(recipe, *words, verb="train"):
    (point,) = compose.expand(verb, [recipe, "device=cpu", "threads=1", *words], smoke=True)
    return point


def trained():
    """The models that recipes of train name; the others play environments, which have no loss."""
    paths = catalogue.members("experiment/train").values()
    named = (default for path in paths for default in OmegaConf.load(path).defaults if default != "_self_")
    return sorted({default["override /model"] for default in named if "override /model" in default})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Overrides with small made files, by the recipes that read a user's own."""
    folder = tmp_path_factory.mktemp("made")
    rng = np.random.default_rng(0)
    rows = "\n".join(f"{step},{value:.4f}" for step, value in enumerate(np.sin(np.arange(300) / 5)))
    (folder / "series.csv").write_text(f"step,level\n{rows}\n")
    x = rng.normal(size=(90, 2, 16)).astype("float32")
    np.savez(folder / "arrays.npz", x=x, y=(x.mean((1, 2)) > 0).astype("int64"))
    (folder / "book.txt").write_text("a small sea, a small see, and what they say. " * 400)
    for place, name in enumerate(("dark", "light")):
        (folder / "pictures" / name).mkdir(parents=True)
        for number, pixels in enumerate(rng.integers(100 * place, 156 + 100 * place, (20, 12, 16, 3))):
            Image.fromarray(pixels.astype("uint8")).save(folder / "pictures" / name / f"{number}.png")
    return {
        "csv_tcn": (f"task.path={folder}/series.csv", "task.target=level"),
        "csv_ridge": (f"task.path={folder}/series.csv", "task.target=level"),
        "image_folder_macro_cnn": (f"task.path={folder}/pictures",),
        "resnet50_nonlocal_folder": (f"task.path={folder}/pictures",),
        "npz_tcn": (f"task.path={folder}/arrays.npz",),
        "text_lstm": (f"task.path={folder}/book.txt", "task.batch=4", "task.length=16"),
    }


@dataclass
class Subject:
    """A recipe under test: its configuration, and what an untouched run of it reports."""

    point: compose.Point
    built: build.Built
    rows: list
    early: bytes
    late: dict

    def again(self):
        """The same from the start, on the same data, which are read once."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(build, "build_task", lambda *_: self.built.task)
            return make(self.point)


def make(point, seed=0):
    return build.build(settle_budget(point.resolved(seed)), CPU)


def row(learner):
    return {name: value.item() for name, value in learner.step().values.items()}


@pytest.fixture(scope="module", params=RECIPES)
def subject(request, made, tmp_path_factory):
    point = composed(request.param, *made.get(request.param, ()))
    try:
        built = make(point)
    except Missing as missing:
        assert point.choices["task"] in REAL
        pytest.skip(f"real data: {str(missing).splitlines()[0]}")
    path = tmp_path_factory.mktemp("state") / "early.pt"
    rows = [row(built.learner)]
    torch.save(built.learner.state_dict(), path)
    rows += [row(built.learner) for _ in range(STEPS - 1)]
    return Subject(point, built, rows, path, built.learner.state_dict())


def same(one, other):
    """Whether two nests of tensors and plain values are equal to the last bit."""
    if isinstance(one, torch.Tensor):
        return (
            one.dtype == other.dtype
            and one.shape == other.shape
            and torch.equal(one.nan_to_num(7e30), other.nan_to_num(7e30))
        )
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def test_a_step_stays_finite_and_moves_every_kind_of_parameter(subject):
    assert all(np.isfinite(list(values.values())).all() for values in subject.rows)
    fresh = subject.again().model.state_dict()
    now = subject.built.model.state_dict()
    assert all(value.isfinite().all() for value in now.values() if value.is_floating_point())
    assert any(not same(fresh[name], now[name]) for name in now)


def test_the_same_seed_gives_the_same_rows(subject):
    learner = subject.again().learner
    assert [row(learner) for _ in range(STEPS)] == subject.rows
    assert same(learner.state_dict(), subject.late)


def test_another_seed_gives_other_rows(subject):
    other = make(subject.point, seed=1).learner
    rows = [row(other) for _ in range(STEPS)]
    assert rows != subject.rows or not same(other.state_dict(), subject.late)


def test_stopping_and_going_on_from_the_file_equals_never_stopping(subject):
    learner = subject.again().learner
    learner.load_state_dict(torch.load(subject.early, weights_only=True))
    assert [row(learner) for _ in range(STEPS - 1)] == subject.rows[1:]
    assert same(learner.state_dict(), subject.late)


def test_scoring_between_steps_changes_nothing(subject, monkeypatch):
    built = subject.again()
    size = built.task.size
    monkeypatch.setattr(built.task, "size", lambda split: size(split) if split == "train" else min(3, size(split)))
    rows = []
    for _ in range(STEPS):
        scores = [evaluate(built.model, built.task, "valid") for _ in range(2)]
        assert scores[0] == scores[1]
        assert built.task.main.metric in scores[0]
        rows.append(row(built.learner))
    assert rows == subject.rows
    assert same(built.learner.state_dict(), subject.late)


def test_batches_fit_the_spec(subject):
    task = subject.built.task
    for split in ("train", "valid", "test"):
        for index in {0, task.size(split) - 1}:
            batch = task.batch(split, index)
            assert batch.first.dtype == torch.bool
            assert batch.index.dtype == torch.int64
            for part, values in zip(task.spec.inputs, batch.inputs, strict=True):
                fits(part, values, len(batch))
                assert values.isfinite().all()
            fits(task.spec.target, batch.target, len(batch))


def fits(part, values, rows):
    """Shape, type and range; NaN and -100 in a target mark places that do not count."""
    assert values.shape[0] == rows
    if isinstance(part, Labels):
        assert values.dtype == torch.float32
        assert values.shape[1:] == (part.count,)
        assert ((values >= 0) & (values <= 1)).all()
        return
    assert len(values.shape) == 1 + len(part.shape)
    assert all(wanted in (None, length) for wanted, length in zip(part.shape, values.shape[1:], strict=True))
    if isinstance(part, Real):
        assert values.dtype == torch.float32
        assert values.isfinite().any()
        assert not values.isinf().any()
    else:
        assert values.dtype == torch.int64
        counted = values[values != IGNORED]
        assert counted.numel()
        assert 0 <= int(counted.min()) <= int(counted.max()) < part.count


def test_batches_are_a_function_of_their_index(subject):
    one, other = subject.built.task, build.build_task(subject.point.resolved(), CPU)
    for split in ("train", "valid", "test"):
        last = one.size(split) - 1
        first, end = one.batch(split, 0), one.batch(split, last)
        assert equal(other.batch(split, last), end)
        assert equal(other.batch(split, 0), first)
        assert equal(one.batch(split, 0), first)


def equal(one, other):
    return all(same(getattr(one, part.name), getattr(other, part.name)) for part in fields(one))


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_says_what_it_is_and_has_a_smoke_size(recipe):
    path = catalogue.members("experiment/train")[recipe]
    assert len(catalogue.describe(path)) > 10
    smoke = OmegaConf.load(path).smoke
    assert any(word.startswith("steps=") for word in smoke)
    assert composed(recipe).resolved()["until"]["steps"] <= 5


def chosen(path):
    """The member of each group that a recipe names, or leaves as its verb has it."""
    verb = path.parents[2] / f"{path.parent.name}.yaml"
    found = {}
    for entry in (
        default for one in (verb, path) for default in OmegaConf.to_container(OmegaConf.load(one))["defaults"]
    ):
        if isinstance(entry, dict):
            found |= {key.removeprefix("override ").removeprefix("/"): name for key, name in entry.items()}
    return found


@pytest.mark.parametrize("group", ["model", "task"])
def test_every_member_is_in_some_recipe(group):
    assert {chosen(path)[group] for _, _, path in catalogue.recipes()} == set(catalogue.members(group))


def test_every_trained_model_has_a_home_recipe_on_data_that_need_no_download():
    for model in trained():
        home = chosen(catalogue.members("experiment/train")[model])
        assert home["model"] == model
        assert home["task"] not in REAL


MEMBERS = [
    (group, name)
    for group in ("model", "task", "objective", "schedule", "augment")
    for name in catalogue.members(group)
]


def keywords(cls, *handed):
    """The keywords of a constructor; what comes by position is what the contract hands over."""
    parameters = list(inspect.signature(cls).parameters.values())
    assert all(
        one.name in (handed or ("spec", "task", "model")) for one in parameters if one.kind is not one.KEYWORD_ONLY
    )
    return {one.name for one in parameters if one.kind is one.KEYWORD_ONLY}


def listed(node):
    parts = {str(name).rpartition("@")[2] for entry in node.get("defaults", ()) if entry != "_self_" for name in entry}
    return parts | {key for key in node if key not in ("_target_", "_partial_", "scales", "defaults")}


@pytest.mark.parametrize(("group", "name"), MEMBERS)
def test_the_yaml_lists_exactly_the_constructors_keywords(group, name):
    path = catalogue.members(group)[name]
    node = OmegaConf.load(path)
    assert listed(node) == keywords(get_class(node._target_))
    assert len(catalogue.describe(path)) > 10
    if group == "model" and "scales" in node:
        assert {*([node.scales] if isinstance(node.scales, str) else node.scales)} <= {*node}


@pytest.mark.parametrize(
    "model", [name for name in trained() if "scales" in OmegaConf.load(catalogue.members("model")[name])]
)
def test_a_budget_is_met_to_two_percent(model):
    (point,) = compose.expand("train", [model, "budget=1"])
    given = point.resolved()
    task = build.build_task(given, CPU)
    for budget in (20_000, 70_000, 300_000):
        config = settle_budget({**given, "budget": budget})
        assert abs(build.count(build.build_model(config, task, CPU)) - budget) <= 0.02 * budget
        assert "scales" not in config["model"]
