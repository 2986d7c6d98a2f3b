"""`dlcli sketch`: sketches of the objects that a trained network computes for scenes."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from dlcli.commands.sketch import append, bench, configuration
from dlcli.commands.sketch.metrics import GOAL, fidelity, fidelity_info
from dlcli.commands.sketch.store import data_of, network_of, open_store, scenes_of, write_store
from dlcli.commands.sketch.writer import KINDS, RecordingModel, SceneRange, SketchWriter
from dlcli.config import build, catalogue, compose, run_config
from dlcli.config.budget import solve_budget
from dlcli.core.errors import Unresumable, UsageError
from dlcli.core.evaluation import score
from dlcli.core.evaluation_mode import evaluation_mode
from dlcli.core.task import declared_metrics
from dlcli.core.trials import TrialsInterrupted
from dlcli.engine.device import choose_device
from dlcli.engine.evaluate import restored, thread_count
from dlcli.engine.fit import RunOutcome
from dlcli.engine.lifecycle import lifecycle, save_artifacts
from dlcli.engine.options import Options, captured_messages
from dlcli.engine.train import create_run, train
from dlcli.report.progress import progress
from dlcli.runs import selectors
from dlcli.runs.run import Run
from dlcli.sketching.networks.modular_network import ModularNetwork
from dlcli.sketching.recursive.matrices import Matrices
from dlcli.sketching.recursive.store import fingerprint, merge

_SCALES = ("paper", "isometric")


def points(words: Sequence[str], options: Options, zips: Sequence[str] = ()) -> list[compose.Point]:
    """Compose the runs of a command line.

    Without a recipe, the recipe of the network is used; `from=RUN` uses the task and model of that run.

    Raises:
        UsageError: an override is invalid or changes the training run.
    """
    if not words or "=" in words[0]:
        words = [_default_recipe(words, options), *words]
    expanded = compose.expand("sketch", words, extra=options.extra, smoke=options.smoke, zips=zips)
    return [_with_source(point, options) for point in expanded]


def resume(selector: str, words: Sequence[str], options: Options) -> Run:
    """Refuse to resume a sketch run, which can only be extended by a new run.

    Raises:
        UsageError: the run is not a sketch run.
        Unresumable: always for a sketch run; the hint is the command that extends it.
    """
    run = selectors.one(selector, options.out)
    if run.info["verb"] != "sketch":
        verb = run.info["verb"]
        hint = f"dlcli {verb} --resume {run.id}"
        raise UsageError(
            "mismatch", subject="sketch --resume", requirement="a sketch run", got=f"{verb} run {run.id}", hint=hint
        )
    done = run.info.get("sketch", {}).get("scenes", 0)
    hint = f"dlcli sketch append={run.id} skip={done} adds scenes" if done else "start a new run"
    reason = "a sketch run has no checkpoints"
    raise Unresumable("not_resumable", path=f"run {run.id}", reason=reason, hint=hint)


def _default_recipe(words: Sequence[str], options: Options) -> str:
    network = dict(word.split("=", 1) for word in words if "=" in word).get("network", "")
    return network if network in catalogue.members("experiment/sketch", options.extra) else "recursive"


def _with_source(point: compose.Point, options: Options) -> compose.Point:
    """The point with the settings of the runs named by `append=` and `from=`."""
    source = point.config["from"]
    if point.config.append is not None:
        base = open_store(selectors.one(append.sources_of(point.config)[0], options.out))
        point = configuration.settled(point, run_config.read(base.run.path / "config.yaml"))
        source = source or base.source
    if source is None:
        return point
    run = selectors.one(str(source), options.out)
    if run.info["verb"] == "sketch":
        hint = f"append={source} adds scenes to its sketches"
        raise UsageError("invalid_value", key="from", must="a training run", got=f"sketch run {source}", hint=hint)
    return configuration.of_run(point, run.info, run_config.read(run.path / "config.yaml"), run.path)


@dataclass(frozen=True)
class _Setup:
    """The checked inputs of a run."""

    config: dict[str, Any]
    device: torch.device
    matrices: Matrices
    base: append.Base | None


def start(point: compose.Point, options: Options) -> Run:
    """Execute a new sketch run.

    Raises:
        UsageError: the configuration or the data are invalid; no run directory is created.
    """
    config = solve_budget(point.resolved())
    check(config)
    if config["bench"] is not None:
        return bench.run(point, config, options)
    with captured_messages(options.quiet) as heard:
        device = choose_device(config["device"])
        setup = _Setup(config, device, matrices_of(config, device), append.base_of(config, options))
        source = Run.open(Path(config["from"])) if config["from"] else None
        built, network, scenes = build_network(config, device, source)
        if setup.base is not None:
            setup.base.check(about(config, setup.matrices, built.model, network), scenes)
        run = create_run(point, options, config, built, heard)
    return _execute(run, setup, source, point, options)


def check(config: Mapping[str, Any]) -> None:
    """Check the names in a configuration.

    Raises:
        UsageError: `kind` or `scale` is unknown.
    """
    for name, known in (("kind", KINDS), ("scale", _SCALES)):
        if config[name] not in known:
            raise UsageError("unknown_name", kind=name, name=str(config[name]), known=known)


def matrices_of(config: Mapping[str, Any], device: torch.device) -> Matrices:
    """The random matrices of a configuration."""
    more = {"block": config["block"], "density": config["density"]}
    return Matrices(config["matrix"], config["dimension"], config["sketch_seed"], **more, device=device)


def build_network(
    config: dict[str, Any], device: torch.device, source: Run | None
) -> tuple[build.Built, ModularNetwork, SceneRange]:
    """Build the network, trained or not, and evaluate it on one scene, so that errors precede the run directory.

    Raises:
        UsageError: the network, the scenes or the dimension do not fit each other.
    """
    built = build.build(config, device)
    if source is not None:
        model, task = restored(source, config, device)
        built = replace(built, task=task, model=model)
    scenes = scenes_of(config, built.task, device)
    network = network_of(config, built.model, scenes)
    if network.width > config["dimension"]:
        must = f"at least {network.width}, the width of the attributes"
        raise UsageError("invalid_value", key="dimension", must=must, got=config["dimension"])
    scene_range = SceneRange(scenes, config["split"], config["skip"], config["most"])
    with evaluation_mode(built.model):
        network.objects(scene_range.to(device).batch(config["split"], 0).inputs[0][:1])
    return built, network, scene_range


def _execute(run: Run, setup: _Setup, source: Run | None, point: compose.Point, options: Options) -> Run:
    """Train the network if needed, sketch the scenes and record the run's end."""
    start = time.monotonic()
    with lifecycle(run, GOAL.metric, options) as active:
        if source is None:
            source = _train(run, point, options, active.display)
        run.info["source"] = str(source.path.absolute())
        run.info["goal"] = {"metric": GOAL.metric, "direction": GOAL.direction}
        with active.foreground(thread_count(setup.config["threads"])), active.signals.at_once():
            _sketch_scenes(run, setup, source, active.display)
        run.info["seconds"] = round(time.monotonic() - start, 3)
        active.ending = RunOutcome("completed", 0, _summary(run.info["sketch"]))
    return run


def _summary(facts: Mapping[str, Any]) -> str:
    cost = f"{1000 * facts['seconds_per_scene']:.1f} ms and {facts['bytes_per_scene']:,} bytes each"
    return f"{facts['scenes']:,} scenes sketched, {cost} (attributes: {facts['bytes_of_attributes_per_scene']:,.0f})"


def _train(run: Run, point: compose.Point, options: Options, display: progress.ProgressDisplay) -> Run:
    """Train the network in a child run."""
    display.say("no from=RUN: training the network first, in a child run")
    own = replace(options, out=run.path / "runs", name=None, tags=(), parent=run.id, verb="train", tell=None)
    trained = train(configuration.training(point), replace(own, quiet=options.quiet or options.tell is not None))
    if trained.info["exit_code"]:
        if trained.info["status"] in ("stopped", "preempted"):
            raise TrialsInterrupted(trained.info["exit_code"])
        raise RuntimeError(f"training of the network: {trained.info['status']}: {trained.info['reason']}")
    display.say(f"trained: {trained.path}")
    return trained


def _sketch_scenes(run: Run, setup: _Setup, source: Run, display: progress.ProgressDisplay) -> None:
    """Score the scenes, sketch them, and save the store, metrics and artifacts."""
    config, device = setup.config, setup.device
    model, task = restored(source, run_config.read(source.path / "config.yaml"), device)
    scenes = scenes_of(config, task, device)
    network = network_of(config, model, scenes)
    scene_range = SceneRange(scenes, config["split"], config["skip"], config["most"])
    recording, matrices = RecordingModel(network), setup.matrices

    def report(number: int, done: float) -> None:
        display.tick(number, done, {})

    batches = scene_range.size(config["split"])
    writer = SketchWriter(recording, matrices, config["kind"], config["scale"], batches, report)
    start = time.monotonic()
    metrics = score(recording, scene_range, config["split"], writer.see)
    seconds = time.monotonic() - start
    new = writer.store(about(config, matrices, model, network))
    store = merge([setup.base.store, new], [setup.base.name, run.id]) if setup.base else new
    size = write_store(run, store)
    run.info["steps"] = len(store)
    run.info["sketch"] = {
        "scenes": len(store),
        "objects": len(store.structure.module),
        "dimension": matrices.dimension,
        "seconds_per_scene": seconds / len(new),
        "bytes_per_scene": 4 * matrices.dimension,
        "bytes_of_attributes_per_scene": 4 * network.width * len(store.structure.module) / len(store),
        "bytes_of_store": size,
    }
    assert writer.first is not None
    assert writer.images is not None
    values, artifacts = fidelity(new, writer.first, writer.images, network)
    run.info["metrics"] = {config["split"]: {**values, **{f"network_{name}": value for name, value in metrics.items()}}}
    run.info["metric_info"] = fidelity_info(run.info["metrics"][config["split"]], declared_metrics(task))
    run.log(len(store), config["split"], run.info["metrics"][config["split"]])
    save_artifacts(run, artifacts)


def about(
    config: Mapping[str, Any], matrices: Matrices, model: torch.nn.Module, network: ModularNetwork
) -> dict[str, Any]:
    """Facts of a store: two stores are compatible if these agree, except for the data."""
    return {
        "matrices": matrices.about(), "kind": config["kind"], "scale": config["scale"],
        "network": fingerprint(model, config["network"]), "modules": list(network.modules), "width": network.width,
        "data": data_of(config),
    }  # fmt: skip
