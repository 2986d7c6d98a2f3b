"""Fidelity of new sketches: counts, similarity and attributes compared with those of the network."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from dlcli.commands.sketch.figures import recovered
from dlcli.core.learner import Artifact
from dlcli.core.metric import Goal, Metric
from dlcli.sketching.networks.modular_network import ModularNetwork
from dlcli.sketching.recursive import flat
from dlcli.sketching.recursive.benchmark import DECODERS
from dlcli.sketching.recursive.counts import Counter, sum_sketches
from dlcli.sketching.recursive.matrices import Matrices
from dlcli.sketching.recursive.module_graph import ModuleGraph
from dlcli.sketching.recursive.object_graph import Objects, Structure
from dlcli.sketching.recursive.object_graphs import module_counts, select_scenes
from dlcli.sketching.recursive.similarity import auc
from dlcli.sketching.recursive.store import Store

GOAL = Goal("attribute_error", "min")


def fidelity_info(names: Iterable[str], network: Mapping[str, Metric]) -> dict[str, dict[str, Any]]:
    """Direction and unit of each metric of a sketch run.

    Args:
        names: names of the metrics.
        network: metrics of the task, reported as `network_<name>`.
    """
    of_network = {f"network_{name}": metric.info() for name, metric in network.items()}
    return {name: of_network.get(name) or Metric(name, "max" if name == "auc" else "min").info() for name in names}


DECODED_SCENES = 32
"""Number of scenes whose attributes are decoded for the metrics."""


def fidelity(
    store: Store, first: Objects, images: Tensor, network: ModularNetwork
) -> tuple[dict[str, float], Mapping[str, Artifact]]:
    """Fidelity metrics, and an image grid of recovered objects.

    Args:
        store: the new sketches.
        first: objects of the store's first scenes.
        images: images of these scenes.
        network: the network that was sketched.
    """
    scenes = min(DECODED_SCENES, first.structure.scenes)
    structure, objects = select_scenes(first.structure, torch.arange(scenes))
    truth = first.attributes[objects]
    values = {"auc": auc(store.sketches, module_counts(store.structure)), **count_errors(store, store.sketches)}
    decoded: Tensor | None = None
    for name in decoders(store.about["kind"]):
        decoded = decode(name, store, store.sketches[:scenes], structure, store.matrices)
        values[f"attribute_error_{name}"] = _attribute_error(decoded, truth)
    assert decoded is not None
    values["attribute_error"] = _attribute_error(decoded, truth)
    grid = recovered(network, images, structure, truth, decoded)
    return values, {"recovered": grid} if grid is not None else {}


def decoders(kind: str) -> tuple[str, ...]:
    """Names of the decoders of a kind of sketches, the most accurate last."""
    return tuple(DECODERS) if kind == "recursive" else ("identity",)


def decode(name: str, store: Store, sketches: Tensor, structure: Structure, matrices: Matrices) -> Tensor:
    """Attributes of all objects of a structure, by the decoder `name`."""
    width, scale = store.about["width"], store.about["scale"]
    if store.about["kind"] == "flat":
        return flat.identity_path(sketches, structure, matrices, width, scale)
    return DECODERS[name](sketches, structure, matrices, width, scale)


def count_errors(store: Store, sketches: Tensor) -> dict[str, float]:
    """Sum over modules of |estimated - actual count| over the number of objects; empty for flat sketches."""
    if store.about["kind"] == "flat":
        return {}
    scale, counts = store.about["scale"], module_counts(store.structure).sum(0)
    counter = Counter(
        ModuleGraph.of(store.structure), store.matrices, scale, sketches.shape[1], store.about["width"], "joint"
    )
    present = counts.nonzero().squeeze(1).tolist()
    estimates = [counter.count(sum_sketches(sketches, store.total[:, module], scale), module) for module in present]
    errors = [abs(each.value - float(counts[module])) for each, module in zip(estimates, present, strict=True)]
    return {"count_error": sum(errors) / max(1.0, float(counts.sum()))}


def _attribute_error(decoded: Tensor, truth: Tensor) -> float:
    """Mean over objects of the largest absolute error."""
    return float((decoded - truth).abs().amax(1).mean())
