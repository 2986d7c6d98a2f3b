"""Training runs: create the run directory, fit the model, evaluate the best checkpoint once."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from dlcli import loggers
from dlcli.config import build, compose, identity, run_config, schema
from dlcli.config.budget import settle_budget
from dlcli.core.errors import UsageError
from dlcli.core.learner import Learner
from dlcli.core.population import Populous, Renders
from dlcli.core.task import Task, declared
from dlcli.engine import threads
from dlcli.engine.device import choose_device
from dlcli.engine.fit import Plan, limits
from dlcli.engine.init_from import inherit
from dlcli.engine.lifecycle import execute_run
from dlcli.engine.options import Options, listening
from dlcli.launch.rollout import check_shared
from dlcli.runs import environment, selectors
from dlcli.runs.run import Run


def train(point: compose.Point, options: Options) -> Run:
    """A new run of a configuration, to its end.

    Raises:
        UsageError: something is wrong with the configuration or the data; there is no run directory then.
    """
    with listening(options.quiet) as heard:
        return _train(point, options, heard)


def _train(point: compose.Point, options: Options, heard: Sequence[str]) -> Run:
    config = settle_budget(point.resolved())
    device = choose_device(config["device"])
    built = build.build(config, device)
    limits(config["until"], built.learner, built.task)
    _check_population(built.learner, config, options)
    planned = plan(config)
    began = _begin_from(built, options)
    run = create(point, options, config, built, heard, began)
    return execute_run(run, built, planned, options, config["threads"])


def create(
    point: compose.Point,
    options: Options,
    config: dict[str, Any],
    built: build.Built,
    heard: Sequence[str],
    began: Mapping[str, Any] | None = None,
) -> Run:
    """The directory of a run that is about to begin; `threads` of the configuration is settled.

    Args:
        began: whose weights are the initial ones.

    Raises:
        UsageError: a logger or the number of threads is wrong; there is no directory then.
    """
    loggers.chosen(config)
    core = identity.core(settle_budget(point.resolved(seed=0)))
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
        "init_from": began,
        "goal": {"metric": built.task.main.metric, "direction": built.task.main.direction},
        "metric_info": {name: metric.info() for name, metric in declared(built.task).items()},
        "spec": built.task.spec.fields(),
        "remark": config.get("remark"),
        "renders": isinstance(built.task, Renders),
        "steps": 0,
        "seconds": 0.0,
    }
    run = Run.create(
        options.out, point.verb, point.label, run_config.dump(config), config, **facts, **reach(built.model, built.task)
    )
    try:
        keep_environment(run, str(device), config["threads"], config)
        for line in heard:
            run.note(line)
        loggers.attach(run, config)
    except BaseException:
        run.discard()
        raise
    return run


def _check_population(learner: Learner, config: Mapping[str, Any], options: Options) -> None:
    """What workers, and populations, cannot be asked for.

    Raises:
        UsageError: they are asked for that.
    """
    check_shared(learner, options)
    if isinstance(learner, Populous) and config["precision"] != "float32":
        raise UsageError(
            "unsupported",
            subject=type(learner).__name__,
            feature=f"precision={config['precision']}",
            hint="Populations are decoded and rated in float32: use precision=float32.",
        )


def choose_threads(config: Mapping[str, Any], core: str, device: torch.device, share: int | None = None) -> int:
    """The number of threads that the configuration asks for; `auto` is the share, else the probe's answer.

    Raises:
        UsageError: it is neither auto nor at least 1.
    """
    wanted = config["threads"]
    if wanted == "auto":
        devices = config["learner"].get("devices", 1)
        wanted = share or threads.best_threads(core, lambda: build.build(config, device).learner)
        wanted = max(1, min(wanted, (share or threads.available_cores()) // devices))
    if not isinstance(wanted, int) or wanted < 1:
        raise UsageError(f"threads is a whole number from 1, or auto, not {wanted!r}")
    return wanted


def plan(config: Mapping[str, Any]) -> Plan:
    """When to stop, score, log and save, of a configuration.

    Raises:
        UsageError: an interval is below 1.
    """
    names = ("eval_every", "log_every", "checkpoint_every", "patience")
    schema.check(config, names)
    return Plan(config["until"], **{name: config[name] for name in names}, wall_time_limit=config["wall_time_limit"])


def _begin_from(built: build.Built, options: Options) -> dict[str, Any] | None:
    """Take the weights that `--init-from` names; whose they are, which no signature tells."""
    if not options.init_from:
        return None
    if isinstance(built.learner, Populous):
        raise UsageError("--init-from: a population begins from genomes, not from a run's weights")
    return inherit(built.model, selectors.one(options.init_from, options.out))


def reach(model: nn.Module, task: Task) -> dict[str, int]:
    """Receptive field and sequence length in steps, of models that have one."""
    field = getattr(model, "receptive_field", None)
    if not isinstance(field, int):
        return {}
    return {"receptive_field": field, "length": int(task.batch("valid", 0).inputs[0].shape[-1])}


def keep_environment(run: Run, device: str, threads: int, config: Mapping[str, Any]) -> None:
    """Write versions, commits and machine of a run, uncommitted changes, and the source of its plug-ins."""
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
