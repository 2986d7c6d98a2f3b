"""Run directories made by hand: small, fast, and as odd as a test wants them."""

import itertools
import json
import math

from dlcli.runs.record import SCHEMA, frozen_direction

_NUMBERS = itertools.count(1)
ENVIRONMENT = {"python": "3.11.7", "packages": {"torch": "2.13.0"}, "device": "cpu", "threads": 1, "commit": "c" * 40}


def make_run(out, model="tcn", seed=0, value=0.9, **more):
    """Write a finished run.

    The signature is a function of model, task and keys.

    Args:
        keys: configuration keys.
        info: changes of run.json; `schema: 1` is a run of dlcli 0.1.0, without metric_info.
        curve: the metric on valid by step.
        direction: of the metric.
        baseline: of the metric.
    """
    keys, task = dict(more.pop("keys", {})), more.pop("task", "digits")
    number = next(_NUMBERS)
    identity = more.pop("identity", f"r{number:05d}")
    metric, split = more.pop("metric", "accuracy"), more.pop("split", "test")
    direction = more.pop("direction", "max" if metric == "accuracy" else "min")
    baseline = more.pop("baseline", None)
    path = out / "train" / model / f"stamp_{identity}"
    path.mkdir(parents=True)
    curve = more.pop("curve", {10 * step: _growth(value, step) for step in range(1, 11)})
    steps = max(curve, default=0)
    info = {
        "schema": SCHEMA, "id": identity, "verb": "train", "label": model, "status": "completed", "exit_code": 0,
        "started": f"2026-01-01T10:{number // 60 % 60:02d}:{number % 60:02d}+00:00", "ended": None,
        "host": "here", "pid": 1, "metrics": {split: {metric: value}, "valid": {metric: value}}, "name": None,
        "tags": [], "parent": None, "task": task, "model": model, "seed": seed,
        "signature": f"{task} {model} {sorted(keys.items())}",
        "parameters": 1000, "goal": {"metric": metric, "direction": direction},
        "steps": steps, "seconds": steps / 10, "counters": {"updates": steps, "samples": 32 * steps},
        "best": {"step": steps, "value": value}, **more.pop("info", {}),
    }  # fmt: skip
    assert not more, more
    if info["schema"] > 1 and "metric_info" not in info:
        known = {metric: {"direction": direction, "unit": "", "baseline": baseline}}
        info["metric_info"] = _frozen(info["metrics"]) | known
    (path / "run.json").write_text(json.dumps(info))
    (path / "config.yaml").write_text(_config(task, model, seed, keys))
    (path / "environment.json").write_text(json.dumps(ENVIRONMENT))
    lines = [f"{step},train,loss,{1 / step!r}\n{step},valid,{metric},{score!r}\n" for step, score in curve.items()]
    (path / "metrics.csv").write_text("step,split,metric,value\n" + "".join(lines))
    timing = [f"{step},{step / 10:.3f},samples,{32 * step}\n" for step in curve]
    (path / "timing.csv").write_text("step,seconds,counter,value\n" + "".join(timing))
    return path


def _frozen(metrics):
    """metric_info of the scored metrics whose direction is in the frozen table."""
    names = [name for scores in metrics.values() if isinstance(scores, dict) for name in scores]
    ways = {name: frozen_direction(name) for name in names}
    return {name: {"direction": way, "unit": "", "baseline": None} for name, way in ways.items() if way}


def _growth(value, step):
    return value * (1 - 0.5 / step) if math.isfinite(value) else value


def _config(task, model, seed, keys):
    flat = {
        "task._target_": f"dlcli.tasks.{task}.{task.title()}", "task.batch": 32, "task.order": seed,
        "model._target_": f"dlcli.models.{model}.{model.upper()}", "learner.seed": seed,
        "learner.players.model.optimizer._target_": "torch.optim.Adam", "learner.players.model.optimizer.lr": 0.001,
        "until.steps": 100, "precision": "float32", "seed": seed, "threads": 1, "device": "cpu", "eval_every": None,
    } | keys  # fmt: skip
    nested = {}
    for key, value in flat.items():
        node = nested
        *above, last = key.split(".")
        for part in above:
            node = node.setdefault(part, {})
        node[last] = value
    return json.dumps(nested, indent=1)  # JSON is YAML


def make_groups(out, values, **more):
    """A run for each model and seed of {model: [value, ...]}."""
    return [
        make_run(out, model, seed, value, **more) for model, row in values.items() for seed, value in enumerate(row)
    ]
