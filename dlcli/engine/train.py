"""Training runs: create the run directory, fit the model, evaluate the best checkpoint once."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from dlcli import loggers
from dlcli.config import build, compose, identity, run_config, schema
from dlcli.config.budget import solve_budget
from dlcli.core.errors import UsageError
from dlcli.core.population import PopulationBased, Renderable
from dlcli.core.task import Task, declared_metrics
from dlcli.engine import threads
from dlcli.engine.device import choose_device
from dlcli.engine.evaluate import thread_count
from dlcli.engine.fit import Plan, limits
from dlcli.engine.init_from import initialize_from
from dlcli.engine.lifecycle import execute_run
from dlcli.engine.options import Options, captured_messages
from dlcli.launch.rollout import check_distributed
from dlcli.runs import environment, selectors
from dlcli.runs.run import Run


def train(point: compose.Point, options: Options) -> Run:
    """Execute a new training run.

    Raises:
        UsageError: the configuration or the data are invalid; no run directory is created.
    """
    with captured_messages(options.quiet) as messages:
        return _train(point, options, messages)


def _train(point: compose.Point, options: Options, messages: Sequence[str]) -> Run:
    config = solve_budget(point.resolved())
    device = choose_device(config["device"])
    built = build.build(config, device)
    limits(config["until"], built.learner, built.task)
    check_distributed(built.learner, options)
    planned = plan(config)
    origin = _initialize(built, options)
    run = create_run(point, options, config, built, messages, origin)
    return execute_run(run, built, planned, options, config["threads"])


def create_run(
    point: compose.Point,
    options: Options,
    config: dict[str, Any],
    built: build.Built,
    messages: Sequence[str],
    origin: Mapping[str, Any] | None = None,
) -> Run:
    """Create the directory of a run and resolve `threads` of its configuration.

    Args:
        config: resolved configuration; `threads` is replaced by a number.
        messages: log messages of building model and task, for log.txt.
        origin: record of `--init-from`: run, SHA-256 and modules that keep their initial values.

    Raises:
        UsageError: a logger or the number of threads is invalid; no directory is created.
    """
    loggers.tracker_names(config)
    core = identity.core(solve_budget(point.resolved(seed=0)))
    device = choose_device(config["device"])
    config["threads"] = choose_threads(config, core, device, options.threads)
    facts = {
        **options.facts,
        "name": options.name,
        "tags": list(options.tags),
        "parent": options.parent,
        "argv": list(options.argv),
        "words": list(point.words),
        "recipe": point.recipe,
        "task": point.choices["task"],
        "model": point.choices["model"],
        "seed": config["seed"],
        "core": core,
        "signature": identity.signature(core, config["until"]),
        "code": identity.code_record(config),
        "parameters": built.parameters,
        "init_from": origin,
        "goal": {"metric": built.task.main.metric, "direction": built.task.main.direction},
        "metric_info": {name: metric.info() for name, metric in declared_metrics(built.task).items()},
        "spec": built.task.spec.fields(),
        "remark": config.get("remark"),
        "renders": isinstance(built.task, Renderable),
        "steps": 0,
        "seconds": 0.0,
    }
    run = Run.create(
        options.out,
        point.verb,
        point.label,
        run_config.dump(config),
        config,
        **facts,
        **receptive_field(built.model, built.task),
    )
    try:
        save_environment(run, str(device), config["threads"], config)
        for message in messages:
            run.note(message)
        loggers.attach(run, config)
    except BaseException:
        run.discard()
        raise
    return run


def choose_threads(config: Mapping[str, Any], core: str, device: torch.device, share: int | None = None) -> int:
    """Return the number of threads of a configuration; `auto` is `share` if given, else the fastest number.

    Args:
        core: hash of the configuration, the key of the measurement cache.
        share: threads per process of a parallel sweep.

    Raises:
        UsageError: `threads` is neither auto nor an integer of at least 1.
    """
    if config["threads"] != "auto":
        return thread_count(config["threads"])
    devices = config["learner"].get("devices", 1)
    fastest = share or threads.best_threads(core, lambda: build.build(config, device).learner)
    return max(1, min(fastest, (share or threads.available_cores()) // devices))


def plan(config: Mapping[str, Any]) -> Plan:
    """Read the limits and intervals of a configuration.

    Raises:
        UsageError: an interval is below 1.
    """
    names = ("eval_every", "log_every", "checkpoint_every", "patience")
    schema.check(config, names)
    return Plan(config["until"], **{name: config[name] for name in names}, wall_time_limit=config["wall_time_limit"])


def _initialize(built: build.Built, options: Options) -> dict[str, Any] | None:
    """Load the weights of `--init-from` and return their origin, which the signature does not contain."""
    if not options.init_from:
        return None
    if isinstance(built.learner, PopulationBased):
        raise UsageError("unsupported", subject=type(built.learner).__name__, feature="--init-from (it has no weights)")
    return initialize_from(built.model, selectors.one(options.init_from, options.out))


def receptive_field(model: nn.Module, task: Task) -> dict[str, int]:
    """Return receptive field and sequence length in time steps; empty for models without a receptive field."""
    field = getattr(model, "receptive_field", None)
    if not isinstance(field, int):
        return {}
    return {"receptive_field": field, "length": int(task.batch("valid", 0).inputs[0].shape[-1])}


def save_environment(run: Run, device: str, threads: int, config: Mapping[str, Any]) -> None:
    """Save versions, commits, machine, uncommitted changes and plug-in sources of a run."""
    sources = identity.sources(config)
    folders = {target.partition(".")[0]: source.folder for target, source in sources.items()}
    facts, patches = environment.describe(device, threads, folders)
    run.describe("environment.json", json.dumps(facts, indent=1) + "\n")
    for name, patch in patches.items():
        run.describe(name, patch)
    for name, content in identity.stored_files(sources).items():
        path = run.path / "code" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
