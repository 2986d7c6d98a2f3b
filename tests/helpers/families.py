"""Build, train and evaluate the recipes of `helpers/conf`."""

import copy
import json
from pathlib import Path

import torch
from typer.testing import CliRunner

from dlcli.cli.app import app
from dlcli.config import build, compose

CONF = Path(__file__).parent / "conf"


def build_untrained(recipe, *words, seed=0):
    """Task, model and learner of a recipe, untrained."""
    (point,) = compose.expand("train", [recipe, "device=cpu", "threads=1", *words], extra=(CONF,))
    return build.build(point.resolved(seed), torch.device("cpu"))


def steps(learner, count):
    """The values logged by each of `count` steps."""
    return [{name: value.item() for name, value in learner.step().values.items()} for _ in range(count)]


def transfer_state(learner, fresh):
    """The fresh learner with the state of the other, as a checkpoint would hold it."""
    fresh.load_state_dict(copy.deepcopy(learner.state_dict()))
    return fresh


def evaluate(run, *words):
    """`dlcli eval RUN WORDS`, into the folder of the run: the command's result."""
    return CliRunner().invoke(app, ["eval", str(run.path), *map(str, words), "--out", str(run.path.parents[2])])


def evaluation(run):
    """The folder and the run.json of the newest evaluation of the run."""
    newest = max(run.path.parents[2].glob("eval/**/run.json"), key=lambda path: path.stat().st_mtime_ns)
    return newest.parent, json.loads(newest.read_text())


def copy_parameters(model):
    """A copy of the parameters by name."""
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def changed_modules(before, model):
    """The names of the sub-modules whose parameters have changed."""
    after = copy_parameters(model)
    return {name.partition(".")[0] for name, value in before.items() if not torch.equal(value, after[name])}
