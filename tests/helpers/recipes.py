"""The recipes of every command: what each chooses, its smoke configuration, and tasks built once for all tests."""

import functools
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from dlcli.config import budget, build, catalogue, compose
from dlcli.core.errors import Missing

CPU = torch.device("cpu")
ENGINE_COMMANDS = ("train", "evolve", "search")
"""Commands whose recipes build a task, a model and a learner."""


@dataclass(frozen=True)
class Recipe:
    """One file of `conf/experiment/<command>/`."""

    command: str
    name: str
    path: Path

    @functools.cached_property
    def choices(self) -> dict[str, str]:
        """The group member of each group, of the command's defaults and the recipe's overrides."""
        chosen: dict[str, str] = {}
        for entry in _defaults(self.path.parents[2] / f"{self.command}.yaml") + _defaults(self.path):
            chosen |= {key.removeprefix("override ").removeprefix("/"): name for key, name in entry.items()}
        return chosen

    @property
    def pair(self) -> tuple[str, ...]:
        """The model and the learner with its objectives."""
        objectives = sorted(f"{key}={name}" for key, name in self.choices.items() if key.startswith("objective@"))
        return self.choices["model"], self.choices["learner"], *objectives

    def __str__(self) -> str:
        return f"{self.command}-{self.name}"


@functools.cache
def read_yaml(path: Path) -> dict[str, Any]:
    """The content of a YAML file without Hydra: interpolations stay text."""
    return yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)


def _defaults(path: Path) -> list[dict[str, str]]:
    """The entries of a defaults list that choose group members, those of included files in their place."""
    entries = []
    for entry in read_yaml(path)["defaults"]:
        if isinstance(entry, dict):
            entries.append(entry)
        elif (included := path.parent / f"{entry}.yaml").is_file():
            entries += _defaults(included)
    return entries


def _every_recipe() -> list[Recipe]:
    """All recipes, those of one task next to one another so that a test session builds the task once."""
    recipes = [Recipe(*entry) for entry in catalogue.recipes()]
    return sorted(recipes, key=lambda recipe: (recipe.choices["task"], recipe.command, recipe.name))


RECIPES = _every_recipe()


def by_key(recipes: Iterable[Recipe], key: Any) -> dict[Any, list[Recipe]]:
    """Recipes grouped by `key(recipe)`; in a group the home recipe of a model comes first, then `train`."""
    order = {name: number for number, name in enumerate(catalogue.VERBS)}

    def rank(recipe: Recipe) -> tuple[Any, ...]:
        return key(recipe), recipe.name != recipe.choices["model"], order[recipe.command], recipe.name

    return {name: list(group) for name, group in itertools.groupby(sorted(recipes, key=rank), key)}


PAIRS = by_key((recipe for recipe in RECIPES if recipe.command in ENGINE_COMMANDS), lambda recipe: recipe.pair)
"""The recipes of every pair of a model and a learner that some recipe names."""
TASKS = by_key(RECIPES, lambda recipe: recipe.choices["task"])
MODELS = by_key(RECIPES, lambda recipe: recipe.choices["model"])


def expand(recipe: Recipe, overrides: Iterable[str] = (), *, smoke: bool = True) -> compose.Point:
    """The composed configuration of a recipe, on the CPU and one thread."""
    words = [recipe.name, "device=cpu", "threads=1", *user_data(recipe.choices["task"]), *overrides]
    (point,) = compose.expand(recipe.command, words, smoke=smoke)
    return point


@functools.cache
def smoke_config(recipe: Recipe) -> dict[str, Any]:
    """The resolved smoke configuration of a recipe with its budget settled."""
    with cached_tasks():
        return budget.solve_budget(expand(recipe).resolved())


def build_recipe(recipe: Recipe, seed: int = 0) -> build.Built:
    """Task, model and learner of the recipe's smoke size.

    Raises:
        Missing: a data file or an optional package is not installed.
    """
    config = smoke_config(recipe)
    with cached_tasks():
        return build.build(config if seed == config["seed"] else _reseeded(recipe, seed), CPU)


def _reseeded(recipe: Recipe, seed: int) -> dict[str, Any]:
    with cached_tasks():
        return budget.solve_budget(expand(recipe).resolved(seed))


_BUILD_TASK = build.build_task
_KEPT_TASKS = 2  # some data sets take hundreds of MiB
_tasks: dict[str, Any] = {}


def build_task(config: Mapping[str, Any], device: torch.device = CPU, fitted: Any = None) -> Any:
    """The task of a configuration; equal configurations share one object, since tasks are pure."""
    if fitted is not None:
        return _BUILD_TASK(config, device, fitted)
    key = json.dumps([config["task"], config.get("precision"), str(device)], sort_keys=True, default=str)
    if key not in _tasks:
        while len(_tasks) >= _KEPT_TASKS:
            del _tasks[next(iter(_tasks))]
        _tasks[key] = _BUILD_TASK(config, device)
    return _tasks[key]


def build_new_task(config: Mapping[str, Any]) -> Any:
    """The task of a configuration, built again."""
    return _BUILD_TASK(config, CPU)


@contextmanager
def cached_tasks() -> Iterator[None]:
    """Let `build` and `settle_budget` take their tasks from the cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "build_task", build_task)
        patch.setattr(budget, "build_task", build_task)
        yield


def skip_if_not_fetched(error: Missing) -> NoReturn:
    """Skip where a data set or an optional package has to be installed first; raise any other error."""
    lines = str(error).splitlines()
    if not any("dlcli data fetch" in line or "pip install" in line or line.startswith("Get it:") for line in lines):
        raise error
    pytest.skip(f"not installed: {lines[0]}")


_user_folder: Path | None = None


def keep_user_data_in(folder: Path) -> None:
    """Set the folder of the small files that stand for a user's own data."""
    global _user_folder
    _user_folder = folder


@functools.cache
def user_data(task: str) -> tuple[str, ...]:
    """Overrides with small generated files, for the tasks that read a user's own."""
    make = {"csv": _csv, "image_folder": _image_folder, "npz": _npz, "table": _table, "text": _text}.get(task)
    if make is None:
        return ()
    assert _user_folder is not None
    return make(_user_folder)


def _csv(folder: Path) -> tuple[str, ...]:
    rows = "\n".join(f"{step},{value:.4f}" for step, value in enumerate(np.sin(np.arange(300) / 5)))
    (folder / "series.csv").write_text(f"step,level\n{rows}\n")
    return f"task.path={folder}/series.csv", "task.target=level"


def _table(folder: Path) -> tuple[str, ...]:
    rows = "\n".join(f"{row % 7},{'ab'[row % 2]},{'xyz'[row % 3]}" for row in range(120))
    (folder / "table.csv").write_text(f"size,color,kind\n{rows}\n")
    return f"task.path={folder}/table.csv", "task.target=kind"


def _npz(folder: Path) -> tuple[str, ...]:
    x = np.random.default_rng(0).normal(size=(90, 2, 16)).astype("float32")
    np.savez(folder / "arrays.npz", x=x, y=(x.mean((1, 2)) > 0).astype("int64"))
    return (f"task.path={folder}/arrays.npz",)


def _text(folder: Path) -> tuple[str, ...]:
    (folder / "book.txt").write_text("a small sea, a small see, and what they say. " * 400)
    return f"task.path={folder}/book.txt", "task.batch=4", "task.length=16"


def _image_folder(folder: Path) -> tuple[str, ...]:
    rng = np.random.default_rng(0)
    for label, name in enumerate(("dark", "light")):
        (folder / "images" / name).mkdir(parents=True)
        for number, pixels in enumerate(rng.integers(100 * label, 156 + 100 * label, (20, 12, 16, 3))):
            Image.fromarray(pixels.astype("uint8")).save(folder / "images" / name / f"{number}.png")
    return (f"task.path={folder}/images",)
