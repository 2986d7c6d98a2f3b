"""Stores: the sketches of many scenes in one file, with the facts needed to decode them."""

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
from dlcli.sketching.recursive.object_graphs import concatenate, select_scenes

FORMAT, VERSION = "dlcli sketches", 1
_COMPATIBLE = ("matrices", "kind", "scale", "network", "modules", "width")
"""Facts that must be equal to merge stores."""
_ROWS = ("sketches", "row", "total", "truth")
_DTYPES = {"module": np.int32, "scene": np.int32, "parent": np.int32, "child": np.int32, "position": np.int16}


@dataclass(frozen=True, eq=False)
class Store:
    """Sketches of scenes with the facts needed to query them.

    Args:
        about: facts: matrices, kind, scale, network (fingerprint), modules, width of the attributes, and `parts`: the
            data and the number of scenes of each part.
        sketches: sketch of each scene.
        row: index of each scene in its split.
        total: number of objects among which the weights of a scene are shared, per module.
        truth: true number of objects per module, -1 if unknown.
        structure: object graphs of the scenes.
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
        """The random matrices of the sketches."""
        facts = dict(self.about["matrices"])
        kind, dimension, seed = (facts.pop(name) for name in ("kind", "dimension", "seed"))
        return Matrices(kind, dimension, seed, **facts)

    def of(self, scenes: Int[Tensor, " selected"]) -> "Store":
        """A store of the given scenes, without `parts`."""
        structure, _ = select_scenes(self.structure, scenes)
        rows = {name: getattr(self, name)[scenes] for name in _ROWS}
        return replace(self, about={**self.about, "parts": ()}, structure=structure, **rows)

    def encode(self) -> bytes:
        """Serialize the store as a NumPy archive without Python objects."""
        header = {"format": FORMAT, "version": VERSION, "scenes": len(self), **self.about}
        arrays = {name: getattr(self, name).numpy() for name in ("sketches", "row", "total")}
        arrays["truth"] = self.truth.numpy().astype(np.int16)
        for name in (*_DTYPES, "weight"):
            value = getattr(self.structure, name).numpy()
            arrays[name] = value.astype(_DTYPES.get(name, np.float32))
        file = io.BytesIO()
        np.savez(file, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)
        return file.getvalue()


def decode(content: bytes, path: str) -> Store:
    """Deserialize a store.

    Args:
        content: the bytes of the file.
        path: path of the file, for messages.

    Raises:
        UsageError: the file is damaged or truncated, not a store, or was written by a newer dlcli.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        header = json.loads(arrays.pop("header").tobytes())
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            raise UsageError("invalid_data", path=path, problem="not a store of sketches")
        if header["version"] > VERSION:
            problem, hint = f"format version {header['version']}, supported up to {VERSION}", "update dlcli"
            raise UsageError("invalid_data", path=path, problem=problem, hint=hint)
        return _build(header, {name: torch.from_numpy(_widen(value)) for name, value in arrays.items()})
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
        problem = (str(error).splitlines() or [type(error).__name__])[0]
        raise UsageError("damaged", path=path, problem=problem) from None


def _widen(value: np.ndarray) -> np.ndarray:
    return value.astype(np.int64) if value.dtype.kind == "i" else value.astype(np.float32)


def _build(header: dict[str, Any], arrays: Mapping[str, Tensor]) -> Store:
    names, scenes = tuple(header["modules"]), header["scenes"]
    module, scene, parent, child, position, weight = (arrays[name] for name in (*_DTYPES, "weight"))
    structure = Structure(names, module, scene, parent, child, position, weight, scenes)
    rows = {name: arrays[name] for name in _ROWS}
    shape = (scenes, header["matrices"]["dimension"])
    if tuple(rows["sketches"].shape) != shape or any(len(values) != scenes for values in rows.values()):
        raise ValueError(f"expected {shape[0]} sketches of dimension {shape[1]}")
    about = {name: value for name, value in header.items() if name not in ("format", "version", "scenes")}
    return Store(about, structure=structure, **rows)


def merge(stores: Sequence[Store], names: Sequence[str]) -> Store:
    """Concatenate the scenes of stores.

    Args:
        stores: the stores, in order.
        names: names of the stores, for messages.

    Raises:
        Mismatch: networks, matrices or scales differ, or two stores contain the same scene.
    """
    first = stores[0]
    for store, name in zip(stores[1:], names[1:], strict=True):
        check_compatible(first.about, store.about, names[0], name)
    parts = [part for store in stores for part in store.about["parts"]]
    rows = {name: torch.cat([getattr(store, name) for store in stores]) for name in _ROWS}
    result = Store({**first.about, "parts": parts}, structure=concatenate([s.structure for s in stores]), **rows)
    _check_distinct(result)
    return result


def check_compatible(first: Mapping[str, Any], second: Mapping[str, Any], name: str, other_name: str) -> None:
    """Check that two stores can be merged.

    Args:
        first, second: facts of the stores.
        name, other_name: names of the stores, for messages.

    Raises:
        Mismatch: a fact differs.
    """
    for fact in _COMPATIBLE:
        if first[fact] != second[fact]:
            raise Mismatch(
                "mismatch", subject=f"merging {name} and {other_name}",
                requirement=f"equal {fact} ({_shorten(first[fact])})", got=_shorten(second[fact]),
            )  # fmt: skip


def data_key(data: Mapping[str, Any]) -> str:
    """Canonical text of the data of scenes, independent of the batch size."""
    scenes = data["scenes"]
    plain = {**scenes, "batch": None} if isinstance(scenes, Mapping) else scenes
    return json.dumps({**data, "scenes": plain}, sort_keys=True)


def _check_distinct(store: Store) -> None:
    """Check that no scene occurs twice.

    Raises:
        Mismatch: a scene occurs in two parts.
    """
    seen: dict[str, set[int]] = {}
    begin = 0
    for part in store.about["parts"]:
        rows = store.row[begin : begin + part["scenes"]].tolist()
        previous = seen.setdefault(data_key(part["data"]), set())
        if common := previous.intersection(rows):
            first, reason = f"scene {min(common)}", "the scene is in both"
            raise Mismatch("conflict", first=first, second="the same scene", reason=reason, hint="skip=N skips scenes")
        previous.update(rows)
        begin += part["scenes"]


def _shorten(fact: Any) -> str:
    text = ", ".join(f"{name}={value}" for name, value in fact.items()) if isinstance(fact, Mapping) else str(fact)
    return text if len(text) <= 60 else f"{text[:57]}..."


def fingerprint(model: nn.Module, network: Mapping[str, Any]) -> str:
    """SHA-256 of a model's weights and of its network configuration."""
    digest = hashlib.sha256(json.dumps(network, sort_keys=True).encode())
    for name, value in model.state_dict().items():
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes() if value.dim() else
                      str(value.item()).encode())  # fmt: skip
    return digest.hexdigest()
