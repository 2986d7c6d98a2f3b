"""Estimated cost of a training run."""

from collections.abc import Mapping
from typing import Any

from dlcli.config import build, compose, identity
from dlcli.config.budget import solve_budget
from dlcli.engine.device import choose_device, numeric_settings
from dlcli.engine.fit import limits
from dlcli.engine.threads import estimate
from dlcli.engine.train import choose_threads, plan, receptive_field


def estimate_training(point: compose.Point) -> Mapping[str, Any]:
    """Estimate sizes and duration of a training run from a few steps: one row of `--dry-run`."""
    config = solve_budget(point.resolved())
    core = identity.core(solve_budget(point.resolved(seed=0)))
    device = choose_device(config["device"])
    built = build.build(config, device)
    stops = limits(config["until"], built.learner, built.task)
    planned = plan(config)
    threads = choose_threads(config, core, device)
    with numeric_settings(threads):
        expected = estimate(built.learner, built.task, stops, planned.eval_every)
    return {
        "what": point.label,
        "words": list(point.words),
        "task": point.choices["task"],
        "model": point.choices["model"],
        "spec": built.task.spec.describe(),
        "parameters": built.parameters,
        **receptive_field(built.model, built.task),
        "until": config["until"],
        "threads": threads,
        "device": str(device),
        **expected,
    }
