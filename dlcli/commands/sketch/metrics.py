"""How faithful new sketches are: counts, likeness and attributes beside what the network saw."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from dlcli.commands.sketch.figures import recovered
from dlcli.core.learner import Leaf
from dlcli.core.metric import Goal, Metric
from dlcli.sketching.networks.modular_network import Modular
from dlcli.sketching.recursive import flat
from dlcli.sketching.recursive.benchmark import DECODERS
from dlcli.sketching.recursive.counts import Counter, summed
from dlcli.sketching.recursive.matrices import Matrices
from dlcli.sketching.recursive.module_graph import Wiring
from dlcli.sketching.recursive.object_graph import Objects, Structure
from dlcli.sketching.recursive.object_graphs import counts, of_scenes
from dlcli.sketching.recursive.similarity import auc
from dlcli.sketching.recursive.store import Store

GOAL = Goal("attribute_error", "min")


def fidelity_info(names: Iterable[str], network: Mapping[str, Metric]) -> dict[str, dict[str, Any]]:
    """Direction and unit of each metric of a sketch.

    Args:
        network: metrics of the task; their values are reported as `network_<name>`.
    """
    of_network = {f"network_{name}": metric.info() for name, metric in network.items()}
    return {name: of_network.get(name) or Metric(name, "max" if name == "auc" else "min").info() for name in names}


_LOOKED = 32  # scenes whose attributes are decoded


def fidelity(
    store: Store, first: Objects, images: Tensor, network: Modular
) -> tuple[dict[str, float], Mapping[str, Leaf]]:
    """Numbers, and pictures of what was recovered.

    Args:
        first: the objects of the store's first scenes.
        images: these scenes.
    """
    some = min(_LOOKED, first.structure.scenes)
    structure, kept = of_scenes(first.structure, torch.arange(some))
    truth = first.attributes[kept]
    found = {"auc": auc(store.sketches, counts(store.structure)), **count_errors(store, store.sketches)}
    decoded: Tensor | None = None
    for name in decoders(store.about["kind"]):
        decoded = decode(name, store, store.sketches[:some], structure, store.matrices)
        found[f"attribute_error_{name}"] = _error(decoded, truth)
    assert decoded is not None
    found["attribute_error"] = _error(decoded, truth)
    picture = recovered(network, images, structure, truth, decoded)
    return found, {"recovered": picture} if picture is not None else {}


def decoders(kind: str) -> tuple[str, ...]:
    """Those that a kind of sketches can be read with, the best last."""
    return tuple(DECODERS) if kind == "recursive" else ("identity",)


def decode(name: str, store: Store, sketches: Tensor, structure: Structure, matrices: Matrices) -> Tensor:
    """Attributes of all objects of a structure, by a decoder's word."""
    width, scale = store.about["width"], store.about["scale"]
    if store.about["kind"] == "flat":
        return flat.identity_path(sketches, structure, matrices, width, scale)
    return DECODERS[name](sketches, structure, matrices, width, scale)


def count_errors(store: Store, sketches: Tensor) -> dict[str, float]:
    """The mean over modules of |estimate - what the network saw|, over the mean of what it saw; none of flat ones."""
    if store.about["kind"] == "flat":
        return {}
    scale, seen = store.about["scale"], counts(store.structure).sum(0)
    counter = Counter(
        Wiring.of(store.structure), store.matrices, scale, sketches.shape[1], store.about["width"], "joint"
    )
    there = seen.nonzero().squeeze(1).tolist()
    found = [counter.count(summed(sketches, store.total[:, module], scale), module) for module in there]
    wrong = [abs(one.value - float(seen[module])) for one, module in zip(found, there, strict=True)]
    return {"count_error": sum(wrong) / max(1.0, float(seen.sum()))}


def _error(found: Tensor, truth: Tensor) -> float:
    """The mean over objects of the largest difference."""
    return float((found - truth).abs().amax(1).mean())
