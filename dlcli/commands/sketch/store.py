"""The store of a run of sketches, found again, and the network that it was made with."""

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
from dlcli.core.learner import Leaf
from dlcli.core.task import Task
from dlcli.engine.evaluate import restored
from dlcli.runs import selectors
from dlcli.runs.files import replace_file
from dlcli.runs.run import Run
from dlcli.sketching.networks.modular_network import Modular, Seen
from dlcli.sketching.recursive.queries import erase
from dlcli.sketching.recursive.store import Store, decode, fingerprint, place_of

_FILE = "store.npz"


@dataclass(frozen=True)
class Answer:
    """What a question came to: plain facts, lines for people, files that were written, and a remark."""

    facts: Mapping[str, Any]
    lines: Sequence[str]
    files: Sequence[Path] = ()
    remark: str = ""


@dataclass(frozen=True)
class Sketched:
    """A run of sketches and its store.

    Args:
        name: of the run, for people.
    """

    run: Run
    store: Store
    _made: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.run.id

    @property
    def source(self) -> str:
        """Where the run lies whose network was read; it is found again where it was trained below this one."""
        told = Path(str(self.run.info.get("source")))
        below = [one for one in selectors.scan(self.run.path / "runs", children=True) if one.id == told.name[-6:]]
        return str(below[0].path) if below and not told.is_dir() else str(told)

    def network(self) -> tuple[Modular, Task]:
        """What made the sketches, and the scenes that it read.

        Raises:
            Mismatch: the run's weights are others now.
            Missing: the run is gone.
        """
        if not self._made:
            self._made["network"] = self._rebuilt()
        return self._made["network"]

    def _rebuilt(self) -> tuple[Modular, Task]:
        config, cpu = run_config.read(self.run.path / "config.yaml"), torch.device("cpu")
        try:
            source = Run.open(Path(self.source))
        except ValueError:
            raise Missing(f"run {self.name}: the run whose network it read is gone: {self.source}") from None
        model, task = restored(source, run_config.read(source.path / "config.yaml"), cpu)
        found = fingerprint(model, config["network"])
        if found != self.store.about["network"]:
            raise Mismatch(f"the network in {source.path} is not the one that made the sketches of run {self.name}")
        scenes = scenes_of(config, task, cpu)
        return network_of(config, model, scenes), scenes

    def seen(self, places: Sequence[int]) -> tuple[Tensor, Seen]:
        """Images of scenes, and what the network sees in them."""
        network, scenes = self.network()
        images = self._images(places, scenes)
        with torch.no_grad():
            return images, network.objects(images)

    def _images(self, places: Sequence[int], scenes: Task) -> Tensor:
        """Of scenes, batch by batch of those that they are in, and in the order of the places."""
        self._check(places)
        split = self.store.about["parts"][0]["data"]["split"]
        rows, length = self.store.row[torch.tensor(places)], len(scenes.batch(split, 0))
        found: dict[int, Tensor] = {}
        for number in (rows // length).unique().tolist():
            batch = scenes.batch(split, number)
            found.update(zip(batch.index.tolist(), batch.inputs[0], strict=True))
        return torch.stack([found[row] for row in rows.tolist()])

    def _check(self, places: Sequence[int]) -> None:
        """Whether scenes are of the run's own data, from which alone they can be made again."""
        own = place_of(data_of(run_config.read(self.run.path / "config.yaml")))
        begin = 0
        for part in self.store.about["parts"]:
            end = begin + part["scenes"]
            strange = [place for place in places if begin <= place < end] if place_of(part["data"]) != own else []
            begin = end
            if strange:
                told = f"scene {strange[0]} is of other data than those of run {self.name}"
                raise UsageError(f"{told}: ask the run that it came from")

    def kept(self, share: float) -> "Sketched":
        """The same with a part of each sketch, the beginning, as if the rest were lost."""
        return (
            self if share == 1 else replace(self, store=replace(self.store, sketches=erase(self.store.sketches, share)))
        )

    def keep(self, leaves: Mapping[str, Leaf]) -> list[Path]:
        """Put things into the run's artifacts/; where they are."""
        from dlcli.core.artifacts import encode

        files = []
        for name, leaf in leaves.items():
            ending, content = encode(leaf)
            files.append(self.run.keep(name + ending, content))
        return files


def data_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Where scenes come from, as a store says it."""
    return json.loads(json.dumps({"scenes": config["scenes"] or config["task"], "split": config["split"]}))


def scenes_of(config: Mapping[str, Any], own: Task, device: torch.device) -> Task:
    """What the network reads: its own task, or another with the same kind of images.

    Raises:
        Mismatch: the network knows scaled pixels only.
    """
    if config["scenes"] is None:
        return own
    if _scaled(own.fitted) and "fitted" not in config["scenes"]:
        raise Mismatch(
            "the network was trained on pixels that were scaled, and these scenes are not: train with task.scaling=none"
        )
    return build.build_task({**config, "task": config["scenes"]}, device, own.fitted)


def network_of(config: Mapping[str, Any], model: nn.Module, scenes: Task) -> Modular:
    """The model as a network of modules."""
    made = factory(config["network"], config, "network")(model.eval(), scenes)
    if not isinstance(made, Modular):
        raise UsageError(f"network._target_: {type(made).__name__} has no modules, width and objects(x)")
    return made


def open_store(run: Run) -> Sketched:
    """The store of a run.

    Raises:
        UsageError: the run is of another verb, or its store is damaged.
        Missing: it has none.
    """
    if run.info["verb"] != "sketch":
        raise UsageError(
            f"run {run.id} is of dlcli {run.info['verb']}, and has no sketches: dlcli sketch from={run.id} makes them"
        )
    path = run.path / _FILE
    try:
        found = decode(path.read_bytes(), str(path))
    except FileNotFoundError:
        why = "is a bench, which keeps no sketches" if "slopes" in run.info else f"is {run.status}"
        raise Missing(f"run {run.id} has no {_FILE}: it {why}") from None
    wanted = run_config.read(run.path / "config.yaml")
    for key, fact in (("sketch_seed", found.about["matrices"]["seed"]), ("scale", found.about["scale"])):
        if wanted[key] != fact:
            raise Mismatch(f"{path} is another run's: it was made with {key}={fact}, run {run.id} with {wanted[key]}")
    return Sketched(run, found)


def write_store(run: Run, store: Store) -> int:
    """Put the store into the run's directory, whole or not at all; its bytes."""
    content = store.encode()
    replace_file(run.path / _FILE, content)
    return len(content)


def _scaled(fitted: Mapping[str, Any]) -> bool:
    """Whether pixels were moved or stretched before the network saw them."""
    return any(fitted.get("mean", ())) or any(spread != 1 for spread in fitted.get("std", ()))
