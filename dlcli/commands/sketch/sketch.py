"""`dlcli sketch`: what a trained network sees in scenes, as small vectors that can be asked afterwards."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from dlcli.commands.sketch import append, bench, configuration
from dlcli.commands.sketch.metrics import GOAL, fidelity, fidelity_info
from dlcli.commands.sketch.store import data_of, network_of, open_store, scenes_of, write_store
from dlcli.commands.sketch.writer import KINDS, Reading, Sketcher, Window
from dlcli.config import build, catalogue, compose, run_config
from dlcli.config.budget import settle_budget
from dlcli.core.errors import UsageError, nearest
from dlcli.core.evaluation import score
from dlcli.core.evaluation_mode import evaluating
from dlcli.core.task import declared
from dlcli.core.trials import Interrupted
from dlcli.engine.device import choose_device
from dlcli.engine.evaluate import restored, thread_count
from dlcli.engine.fit import Ending
from dlcli.engine.lifecycle import keep, lifecycle
from dlcli.engine.options import Options, listening
from dlcli.engine.train import create, train
from dlcli.report.progress import progress
from dlcli.runs import selectors
from dlcli.runs.run import Run
from dlcli.sketching.networks.modular_network import Modular
from dlcli.sketching.recursive.matrices import Matrices
from dlcli.sketching.recursive.store import fingerprint, merged

_SCALES = ("paper", "isometric")


def points(words: Sequence[str], options: Options, zips: Sequence[str] = ()) -> list[compose.Point]:
    """The runs that the words ask for; a network alone brings its home recipe, and `from=` task and model of its run.

    Raises:
        UsageError: a word is wrong, or changes what the run has settled.
    """
    if not words or "=" in words[0]:
        words = [_home(words, options), *words]
    found = compose.expand("sketch", words, extra=options.extra, smoke=options.smoke, zips=zips)
    return [_of_run(point, options) for point in found]


def resume(selector: str, words: Sequence[str], options: Options) -> Run:
    """Sketches are not gone on with: what is there is added to.

    Raises:
        UsageError: always, with the command that does it.
    """
    run = selectors.one(selector, options.out)
    if run.info["verb"] != "sketch":
        raise UsageError(f"run {run.id} is of dlcli {run.info['verb']}: dlcli {run.info['verb']} --resume {run.id}")
    done = run.info.get("sketch", {}).get("scenes", 0)
    more = f"dlcli sketch append={run.id} skip={done} adds scenes to it" if done else "begin it anew"
    raise UsageError(f"--resume: run {run.id} of sketches is made in one piece; {more}")


def _home(words: Sequence[str], options: Options) -> str:
    named = dict(word.split("=", 1) for word in words if "=" in word).get("network", "")
    return named if named in catalogue.members("experiment/sketch", options.extra) else "recursive"


def _of_run(point: compose.Point, options: Options) -> compose.Point:
    source = point.config["from"]
    if point.config.append is not None:
        before = open_store(selectors.one(append.sources_of(point.config)[0], options.out))
        point = configuration.settled(point, run_config.read(before.run.path / "config.yaml"))
        source = source or before.source
    if source is None:
        return point
    run = selectors.one(str(source), options.out)
    if run.info["verb"] == "sketch":
        raise UsageError(f"from={source} is a run of sketches; append={source} adds to them")
    return configuration.of_run(point, run.info, run_config.read(run.path / "config.yaml"), run.path)


@dataclass(frozen=True)
class _Work:
    """All that a run needs, checked."""

    config: dict[str, Any]
    device: torch.device
    matrices: Matrices
    before: append.Before | None


def start(point: compose.Point, options: Options) -> Run:
    """A new run of sketches, to its end.

    Raises:
        UsageError: something is wrong with the configuration or the data; there is no run directory then.
    """
    config = settle_budget(point.resolved())
    check(config)
    if config["bench"] is not None:
        return bench.run(point, config, options)
    with listening(options.quiet) as heard:
        device = choose_device(config["device"])
        work = _Work(config, device, matrices_of(config, device), append.before(config, options))
        source = Run.open(Path(config["from"])) if config["from"] else None
        built, network, window = tried(config, device, source)
        if work.before is not None:
            work.before.check(about(config, work.matrices, built.model, network), window)
        run = create(point, options, config, built, heard)
    return _carried_out(run, work, source, point, options)


def check(config: Mapping[str, Any]) -> None:
    for name, known in (("kind", KINDS), ("scale", _SCALES)):
        if config[name] not in known:
            raise UsageError(f"{name}={config[name]}{nearest(str(config[name]), known)}")


def matrices_of(config: Mapping[str, Any], device: torch.device) -> Matrices:
    """Those that the configuration names."""
    more = {"block": config["block"], "density": config["density"]}
    return Matrices(config["matrix"], config["dimension"], config["sketch_seed"], **more, device=device)


def tried(config: dict[str, Any], device: torch.device, source: Run | None) -> tuple[build.Built, Modular, Window]:
    """The network, perhaps before it is trained, put to the scenes: what cannot work is told before there is a run."""
    built = build.build(config, device)
    if source is not None:
        model, task = restored(source, config, device)
        built = replace(built, task=task, model=model)
    scenes = scenes_of(config, built.task, device)
    network = network_of(config, built.model, scenes)
    if network.width > config["dimension"]:
        raise UsageError(f"dimension={config['dimension']} cannot hold attributes of {network.width} values")
    window = Window(scenes, config["split"], config["skip"], config["most"])
    with evaluating(built.model):
        network.objects(window.to(device).batch(config["split"], 0).inputs[0][:1])
    return built, network, window


def _carried_out(run: Run, work: _Work, source: Run | None, point: compose.Point, options: Options) -> Run:
    """Train the network if there is no trained one, sketch the scenes and record how the run ended."""
    begun = time.monotonic()
    with lifecycle(run, GOAL.metric, options) as active:
        if source is None:
            source = _trained(run, point, options, active.display)
        run.info["source"] = str(source.path.absolute())
        run.info["goal"] = {"metric": GOAL.metric, "direction": GOAL.direction}
        with active.foreground(thread_count(work.config["threads"])), active.signals.at_once():
            _sketched(run, work, source, active.display)
        run.info["seconds"] = round(time.monotonic() - begun, 3)
        active.ending = Ending("completed", 0, _in_words(run.info["sketch"]))
    return run


def _in_words(facts: Mapping[str, Any]) -> str:
    took = f"{1000 * facts['seconds_per_scene']:.1f} ms and {facts['bytes_per_scene']:,} bytes each"
    return f"{facts['scenes']:,} scenes sketched, {took} (attributes: {facts['bytes_of_attributes_per_scene']:,.0f})"


def _trained(run: Run, point: compose.Point, options: Options, display: progress.Shown) -> Run:
    """The network, as a run of `train` below this one."""
    display.say("no from=RUN: training the network first, as a run of its own")
    own = replace(options, out=run.path / "runs", name=None, tags=(), parent=run.id, verb="train", tell=None)
    found = train(configuration.training(point), replace(own, quiet=options.quiet or options.tell is not None))
    if found.info["exit_code"]:
        if found.info["status"] in ("stopped", "preempted"):
            raise Interrupted(found.info["exit_code"])
        raise RuntimeError(f"the training ended as {found.info['status']}: {found.info['reason']}")
    display.say(f"trained: {found.path}")
    return found


def _sketched(run: Run, work: _Work, source: Run, display: progress.Shown) -> None:
    """Score the scenes, and leave the store."""
    config, device = work.config, work.device
    model, task = restored(source, run_config.read(source.path / "config.yaml"), device)
    scenes = scenes_of(config, task, device)
    network = network_of(config, model, scenes)
    window = Window(scenes, config["split"], config["skip"], config["most"])
    reading = Reading(network)

    def tell(number: int, done: float) -> None:
        display.tick(number, done, {})

    sketcher = Sketcher(reading, work.matrices, config["kind"], config["scale"], window.size(config["split"]), tell)
    begun = time.monotonic()
    metrics = score(reading, window, config["split"], sketcher.see)
    seconds = time.monotonic() - begun
    fresh = sketcher.store(about(config, work.matrices, model, network))
    whole = merged([work.before.store, fresh], [work.before.name, run.id]) if work.before else fresh
    content = write_store(run, whole)
    run.info["steps"] = len(whole)
    run.info["sketch"] = {
        "scenes": len(whole),
        "objects": len(whole.structure.module),
        "dimension": work.matrices.dimension,
        "seconds_per_scene": seconds / len(fresh),
        "bytes_per_scene": 4 * work.matrices.dimension,
        "bytes_of_attributes_per_scene": 4 * network.width * len(whole.structure.module) / len(whole),
        "bytes_of_store": content,
    }
    assert sketcher.first is not None
    assert sketcher.images is not None
    found, leaves = fidelity(fresh, sketcher.first, sketcher.images, network)
    run.info["metrics"] = {config["split"]: {**found, **{f"network_{name}": value for name, value in metrics.items()}}}
    run.info["metric_info"] = fidelity_info(run.info["metrics"][config["split"]], declared(task))
    run.log(len(whole), config["split"], run.info["metrics"][config["split"]])
    keep(run, leaves)


def about(config: Mapping[str, Any], matrices: Matrices, model: torch.nn.Module, network: Modular) -> dict[str, Any]:
    return {
        "matrices": matrices.about(), "kind": config["kind"], "scale": config["scale"],
        "network": fingerprint(model, config["network"]), "modules": list(network.modules), "width": network.width,
        "data": data_of(config),
    }  # fmt: skip
