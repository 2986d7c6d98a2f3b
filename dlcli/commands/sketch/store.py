"""The sketch store of a run, and the network with which it was created."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dlcli.config import build, run_config
from dlcli.config.targets import factory
from dlcli.core.errors import Mismatch, Missing, UsageError
from dlcli.core.learner import Artifact
from dlcli.core.task import Task
from dlcli.engine.evaluate import restored
from dlcli.runs import selectors
from dlcli.runs.files import replace_file
from dlcli.runs.run import Run
from dlcli.sketching.networks.modular_network import ModularNetwork, SceneObjects
from dlcli.sketching.recursive.queries import erase
from dlcli.sketching.recursive.store import Store, data_key, decode, fingerprint

_FILE = "store.npz"


@dataclass(frozen=True)
class QueryResult:
    """Result of a query.

    Args:
        facts: values for JSON.
        lines: text for the terminal.
        files: images that were written.
        remark: a note for the terminal.
    """

    facts: Mapping[str, Any]
    lines: Sequence[str]
    files: Sequence[Path] = ()
    remark: str = ""


@dataclass(frozen=True)
class SketchRun:
    """A run of `dlcli sketch` with its store."""

    run: Run
    store: Store
    _cache: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.run.id

    @property
    def source(self) -> str:
        """Directory of the run that trained the network; a child run is found after the directories were moved."""
        path = Path(str(self.run.info.get("source")))
        children = selectors.scan(self.run.path / "runs", children=True)
        matches = [child for child in children if child.id == path.name[-6:]]
        return str(matches[0].path) if matches and not path.is_dir() else str(path)

    def network(self) -> tuple[ModularNetwork, Task]:
        """The network that was sketched, and its scenes.

        Raises:
            Mismatch: the weights have changed.
            Missing: the run that trained the network does not exist.
        """
        if not self._cache:
            self._cache["network"] = self._restore()
        return self._cache["network"]

    def _restore(self) -> tuple[ModularNetwork, Task]:
        config, cpu = run_config.read(self.run.path / "config.yaml"), torch.device("cpu")
        try:
            source = Run.open(Path(self.source))
        except ValueError:
            raise Missing("not_found", kind=f"network of run {self.name}", name=self.source) from None
        model, task = restored(source, run_config.read(source.path / "config.yaml"), cpu)
        if fingerprint(model, config["network"]) != self.store.about["network"]:
            requirement = f"the network of {source.path} with unchanged weights"
            raise Mismatch("mismatch", subject=f"run {self.name}", requirement=requirement, got="other weights")
        scenes = scenes_of(config, task, cpu)
        return network_of(config, model, scenes), scenes

    def seen(self, scenes: Sequence[int]) -> tuple[Tensor, SceneObjects]:
        """Images of scenes, given by their indices in the store, and the network's objects in them."""
        network, task = self.network()
        images = self._images(scenes, task)
        with torch.no_grad():
            return images, network.objects(images)

    def _images(self, scenes: Sequence[int], task: Task) -> Tensor:
        """Images of scenes in the given order, read from the batches that contain them."""
        self._check_own(scenes)
        split = self.store.about["parts"][0]["data"]["split"]
        rows, length = self.store.row[torch.tensor(scenes)], len(task.batch(split, 0))
        images: dict[int, Tensor] = {}
        for index in (rows // length).unique().tolist():
            batch = task.batch(split, index)
            images.update(zip(batch.index.tolist(), batch.inputs[0], strict=True))
        return torch.stack([images[row] for row in rows.tolist()])

    def _check_own(self, scenes: Sequence[int]) -> None:
        """Check that scenes come from the data of this run, from which alone their images can be loaded.

        Raises:
            UsageError: a scene was merged from a run with other data.
        """
        own = data_key(data_of(run_config.read(self.run.path / "config.yaml")))
        begin = 0
        for part in self.store.about["parts"]:
            end = begin + part["scenes"]
            foreign = [scene for scene in scenes if begin <= scene < end] if data_key(part["data"]) != own else []
            begin = end
            if foreign:
                feature = f"images of scene {foreign[0]}, which was appended from other data"
                hint = "query the run that sketched this scene"
                raise UsageError("unsupported", subject=f"run {self.name}", feature=feature, hint=hint)

    def erased(self, keep: float) -> "SketchRun":
        """A copy that keeps the first fraction `keep` of each sketch."""
        if keep == 1:
            return self
        return replace(self, store=replace(self.store, sketches=erase(self.store.sketches, keep)))

    def keep(self, artifacts: Mapping[str, Artifact]) -> list[Path]:
        """Save artifacts in the run's artifacts/; returns their paths."""
        from dlcli.core.artifacts import encode

        files = []
        for name, artifact in artifacts.items():
            suffix, content = encode(artifact)
            files.append(self.run.keep(name + suffix, content))
        return files


def data_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The data of the scenes, as recorded in a store."""
    return json.loads(json.dumps({"scenes": config["scenes"] or config["task"], "split": config["split"]}))


def scenes_of(config: Mapping[str, Any], own: Task, device: torch.device) -> Task:
    """The task of the scenes: the network's own, or the one that `scenes` configures.

    Raises:
        Mismatch: the network was trained on scaled pixels and the scenes are not scaled.
    """
    if config["scenes"] is None:
        return own
    if _is_scaled(own.fitted) and "fitted" not in config["scenes"]:
        hint = "train the network with task.scaling=none"
        raise Mismatch("mismatch", subject="the network", requirement="scaled pixels", got="unscaled scenes", hint=hint)
    return build.build_task({**config, "task": config["scenes"]}, device, own.fitted)


def network_of(config: Mapping[str, Any], model: nn.Module, scenes: Task) -> ModularNetwork:
    """The model as a network of modules.

    Raises:
        UsageError: the configured class does not implement `ModularNetwork`.
    """
    network = factory(config["network"], config, "network")(model.eval(), scenes)
    if not isinstance(network, ModularNetwork):
        must = "a class with modules, width and objects(x)"
        raise UsageError("invalid_value", key="network._target_", must=must, got=type(network).__name__)
    return network


def open_store(run: Run) -> SketchRun:
    """Open the store of a run.

    Raises:
        UsageError: the run is not a run of `dlcli sketch`, or its store is damaged.
        Missing: the run has no store.
        Mismatch: the store belongs to another run.
    """
    if run.info["verb"] != "sketch":
        requirement, hint = "a run of dlcli sketch", f"dlcli sketch from={run.id} sketches its network"
        raise UsageError(
            "mismatch", subject="sketch query", requirement=requirement, got=f"{run.info['verb']} run {run.id}",
            hint=hint,
        )  # fmt: skip
    path = run.path / _FILE
    try:
        store = decode(path.read_bytes(), str(path))
    except FileNotFoundError:
        hint = "a bench saves no sketches" if "slopes" in run.info else f"the run is {run.status}"
        raise Missing("missing_file", path=str(path), hint=hint) from None
    config = run_config.read(run.path / "config.yaml")
    for key, value in (("sketch_seed", store.about["matrices"]["seed"]), ("scale", store.about["scale"])):
        if config[key] != value:
            hint = "store.npz was copied from another run"
            requirement = f"a store with {key}={config[key]}"
            raise Mismatch(
                "mismatch", subject=f"run {run.id}", requirement=requirement, got=f"{key}={value}", hint=hint
            )
    return SketchRun(run, store)


def write_store(run: Run, store: Store) -> int:
    """Write the store to the run directory atomically; returns its size in bytes."""
    content = store.encode()
    replace_file(run.path / _FILE, content)
    return len(content)


def _is_scaled(fitted: Mapping[str, Any]) -> bool:
    """True if pixels are shifted or scaled before the network."""
    return any(fitted.get("mean", ())) or any(std != 1 for std in fitted.get("std", ()))
