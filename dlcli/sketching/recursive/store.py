"""Sketches of many scenes as one file, which says what they can be read with."""

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.sketching.recursive.matrices import Matrices
from dlcli.sketching.recursive.object_graph import Structure
from dlcli.sketching.recursive.object_graphs import of_scenes, side_by_side

FORMAT, VERSION = "dlcli sketches", 1
_SAME = ("matrices", "kind", "scale", "network", "modules", "width")
"""What stores that are put together agree on."""
_ROWS = ("sketches", "row", "total", "truth")
_SMALL = {"module": np.int32, "scene": np.int32, "parent": np.int32, "child": np.int32, "position": np.int16}


@dataclass(frozen=True, eq=False)
class Store:
    """Sketches, and what is needed to ask them.

    Args:
        about: plain facts: matrices, kind, scale, network (its fingerprint), modules, width of the attributes, and
            `parts`: for each run of scenes where they come from and how many they are.
        sketches: of each scene.
        row: the number of each scene in its split.
        total: among how many objects of each module's kind the weights of a scene are shared.
        truth: what the scenes' task says of each module, -1 where it says nothing.
        structure: of which objects each scene was made.
    """

    about: Mapping[str, Any]
    sketches: Float[Tensor, "scene dimension"]
    row: Int[Tensor, " scene"]
    total: Float[Tensor, "scene module"]
    truth: Int[Tensor, "scene module"]
    structure: Structure

    def __len__(self) -> int:
        return len(self.sketches)

    @property
    def modules(self) -> tuple[str, ...]:
        return self.structure.modules

    @property
    def matrices(self) -> Matrices:
        """Those that the sketches were made with."""
        facts = dict(self.about["matrices"])
        kind, dimension, seed = (facts.pop(name) for name in ("kind", "dimension", "seed"))
        return Matrices(kind, dimension, seed, **facts)

    def of(self, scenes: Int[Tensor, " some"]) -> "Store":
        """Some of the scenes; what is said of the parts is no longer true, and left out."""
        structure, _ = of_scenes(self.structure, scenes)
        rows = {name: getattr(self, name)[scenes] for name in _ROWS}
        return replace(self, about={**self.about, "parts": ()}, structure=structure, **rows)

    def encode(self) -> bytes:
        """As a file: a NumPy archive without Python objects."""
        header = {"format": FORMAT, "version": VERSION, "scenes": len(self), **self.about}
        arrays = {name: getattr(self, name).numpy() for name in ("sketches", "row", "total")}
        arrays["truth"] = self.truth.numpy().astype(np.int16)
        for name in (*_SMALL, "weight"):
            value = getattr(self.structure, name).numpy()
            arrays[name] = value.astype(_SMALL.get(name, np.float32))
        file = io.BytesIO()
        np.savez(file, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)
        return file.getvalue()


def decode(content: bytes, place: str) -> Store:
    """The store in a file.

    Raises:
        UsageError: it is cut short, damaged, no store, or of a newer dlcli.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        header = json.loads(arrays.pop("header").tobytes())
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            raise UsageError(f"{place} holds no sketches of dlcli")
        if header["version"] > VERSION:
            raise UsageError(
                f"{place} was written by a newer dlcli (version {header['version']}, this reads {VERSION})"
            )
        return _store(header, {name: torch.from_numpy(_wide(value)) for name, value in arrays.items()})
    except UsageError:
        raise
    except (
        ValueError,
        OSError,
        EOFError,
        LookupError,
        TypeError,
        RuntimeError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        told = (str(error).splitlines() or [type(error).__name__])[0]
        raise UsageError(f"{place} is damaged or cut short: {told[:120]}") from None


def _wide(value: np.ndarray) -> np.ndarray:
    return value.astype(np.int64) if value.dtype.kind == "i" else value.astype(np.float32)


def _store(header: dict[str, Any], arrays: Mapping[str, Tensor]) -> Store:
    names, scenes = tuple(header["modules"]), header["scenes"]
    module, scene, parent, child, position, weight = (arrays[name] for name in (*_SMALL, "weight"))
    structure = Structure(names, module, scene, parent, child, position, weight, scenes)
    rows = {name: arrays[name] for name in _ROWS}
    shape = (scenes, header["matrices"]["dimension"])
    if tuple(rows["sketches"].shape) != shape or any(len(one) != scenes for one in rows.values()):
        raise ValueError(f"it does not hold {shape[0]} sketches of dimension {shape[1]}")
    about = {name: value for name, value in header.items() if name not in ("format", "version", "scenes")}
    return Store(about, structure=structure, **rows)


def merged(stores: Sequence[Store], names: Sequence[str]) -> Store:
    """The scenes of all stores, in this order.

    Args:
        names: of the stores, for people.

    Raises:
        Mismatch: they are of different networks, matrices or scales, or a scene is in two of them.
    """
    first = stores[0]
    for store, name in zip(stores[1:], names[1:], strict=True):
        check_alike(first.about, store.about, names[0], name)
    parts = [part for store in stores for part in store.about["parts"]]
    joined = {name: torch.cat([getattr(store, name) for store in stores]) for name in _ROWS}
    whole = Store({**first.about, "parts": parts}, structure=side_by_side([s.structure for s in stores]), **joined)
    _check_once(whole)
    return whole


def check_alike(one: Mapping[str, Any], other: Mapping[str, Any], name: str, others: str) -> None:
    """Raises Mismatch where two stores cannot be read together."""
    for fact in _SAME:
        if one[fact] != other[fact]:
            raise Mismatch(
                f"{name} and {others} cannot be put together: {fact} is {_short(one[fact])} and {_short(other[fact])}"
            )


def place_of(data: Mapping[str, Any]) -> str:
    """Where scenes come from, as one word: how many are read at once is no part of it."""
    scenes = data["scenes"]
    plain = {**scenes, "batch": None} if isinstance(scenes, Mapping) else scenes
    return json.dumps({**data, "scenes": plain}, sort_keys=True)


def _check_once(store: Store) -> None:
    seen: dict[str, set[int]] = {}
    begin = 0
    for part in store.about["parts"]:
        rows = store.row[begin : begin + part["scenes"]].tolist()
        before = seen.setdefault(place_of(part["data"]), set())
        if twice := before.intersection(rows):
            raise Mismatch(f"scene {min(twice)} of these data is in both: skip=N passes over the first N")
        before.update(rows)
        begin += part["scenes"]


def _short(fact: Any) -> str:
    text = ", ".join(f"{name}={value}" for name, value in fact.items()) if isinstance(fact, Mapping) else str(fact)
    return text if len(text) <= 60 else f"{text[:57]}..."


def fingerprint(model: nn.Module, network: Mapping[str, Any]) -> str:
    """SHA-256 of a model's weights and of how it is read: sketches of another one cannot be read with it."""
    digest = hashlib.sha256(json.dumps(network, sort_keys=True).encode())
    for name, value in model.state_dict().items():
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes() if value.dim() else
                      str(value.item()).encode())  # fmt: skip
    return digest.hexdigest()
