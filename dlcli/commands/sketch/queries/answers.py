"""Queries of sketches: count, mean, attribute and similar."""

import re
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from dlcli.commands.sketch.figures import ROWS, recovered
from dlcli.commands.sketch.metrics import decode, decoders
from dlcli.commands.sketch.store import QueryResult, SketchRun
from dlcli.core.errors import UsageError
from dlcli.core.learner import Image
from dlcli.nn.image_grid import make_grid
from dlcli.report.formatting import number
from dlcli.sketching.networks.modular_network import AttributeDecoder
from dlcli.sketching.recursive import queries
from dlcli.sketching.recursive.counts import Counter, Decoder, sum_sketches, weighted_count
from dlcli.sketching.recursive.module_graph import ModuleGraph
from dlcli.sketching.recursive.object_graph import Structure, index_of_module
from dlcli.sketching.recursive.object_graphs import module_counts
from dlcli.sketching.recursive.store import Store

_COUNT_DECODERS: dict[str, Decoder] = {"joint": "joint", "identity": "identity"}
_SIDE = 96  # pixels per side of an image


def count(sketched: SketchRun, module: str, scenes: str | None, decoder: str) -> QueryResult:
    """Estimate the number of objects of a module.

    Args:
        sketched: the sketches.
        module: name of the module, or its last word.
        scenes: scene `17`, range `0:100`, or None for all.
        decoder: "joint" or "identity".
    """
    store, selected = sketched.store, parse_scenes(sketched.store, scenes)
    index = parse_module(module, store.modules)
    name = store.modules[index]
    estimate = _counter(store, decoder).count(_sum(store, index, selected), index)
    in_network, truth = int(module_counts(store.structure)[selected, index].sum()), store.truth[selected, index]
    known = int(truth.sum()) if (truth >= 0).all() else None
    subset = store.of(selected)
    by_weight = weighted_count(subset.structure, index, subset.total[:, index], store.about["scale"])
    facts = {
        "module": name, "scenes": len(selected), "decoder": decoder, "count": estimate.value,
        "standard_error": estimate.deviation, "weighed": by_weight, "network": in_network, "truth": known,
    }  # fmt: skip
    comparison = f"by weight {by_weight:,.1f}; network {in_network:,}"
    if known is not None:
        comparison += f"; ground truth {known:,}"
    if not (store.structure.module == index).any():
        return QueryResult(facts, [f"{name}: does not occur in any scene ({comparison})"])
    value = f"{estimate.value:,.1f} ± {estimate.deviation:,.1f}"
    return QueryResult(facts, [f"{name} in {len(selected):,} scenes: {value} ({comparison})"])


def mean(sketched: SketchRun, module: str, scenes: str | None, decoder: str) -> QueryResult:
    """Estimate the mean attribute of a module's objects, as an image if the network can decode it.

    Args:
        sketched: the sketches.
        module: name of the module, or its last word.
        scenes: scene `17`, range `0:100`, or None for all.
        decoder: "joint" or "identity".
    """
    store, selected = sketched.store, parse_scenes(sketched.store, scenes)
    index = parse_module(module, store.modules)
    name = store.modules[index]
    estimate = _counter(store, decoder).count(_sum(store, index, selected), index)
    if estimate.value < max(1.0, estimate.deviation):
        got = f"{estimate.value:,.1f} ± {estimate.deviation:,.1f}"
        requirement = f"a count of {name} that exceeds its standard error"
        hint = "decoder=joint has a smaller error" if decoder != "joint" else None
        raise UsageError("mismatch", subject="mean", requirement=requirement, got=got, hint=hint)
    network, _ = sketched.network()
    facts = {
        "module": name, "scenes": len(selected), "decoder": decoder, "count": estimate.value,
        "standard_error": estimate.deviation, "mean": estimate.mean.tolist(),
    }  # fmt: skip
    with torch.no_grad():
        image = network.decode(name, estimate.mean[None]) if isinstance(network, AttributeDecoder) else None
    if image is None:
        values = " ".join(number(value) for value in estimate.mean.tolist())
        return QueryResult(facts, [f"mean of {name}: {values}"], remark="the network cannot decode it to an image")
    part = f"_{scenes}" if scenes is not None else ""
    files = sketched.keep({_file_name(f"mean {name}{part} {decoder}"): _grid(image, 1)})
    return QueryResult(facts, [f"mean of about {estimate.value:,.0f} instances of {name}, decoded:"], files)


def attribute(sketched: SketchRun, scene: str, module: str | None, decoder: str | None) -> QueryResult:
    """Decode the attributes of a scene's objects and compare them with those of the network.

    Args:
        sketched: the sketches.
        scene: index of the scene in the store.
        module: name of the module, or its last word; None for all objects.
        decoder: "identity", "matched" or "lsq"; None for the best one.
    """
    store = sketched.store
    index = int(parse_scenes(store, scene)[0])
    known = decoders(store.about["kind"])
    decoder = decoder or known[-1]
    if decoder not in known:
        raise UsageError("unknown_name", kind=f"decoder of {store.about['kind']} sketches:", name=decoder, known=known)
    single = store.of(torch.tensor([index]))
    objects, module_name = _objects_of(single.structure, module, index)
    decoded = decode(decoder, single, single.sketches, single.structure, single.matrices)
    estimate = decoded[objects]
    images, seen = sketched.seen([index])
    truth = seen.objects.attributes[objects]
    errors = (estimate - truth).abs().amax(1).tolist()
    names = [store.modules[k] for k in single.structure.module[objects].tolist()]
    facts = {
        "scene": index, "module": module_name, "modules": names, "decoder": decoder, "attributes": estimate.tolist(),
        "network": truth.tolist(), "error": errors,
    }  # fmt: skip
    lines = [
        f"{name} in scene {index}: largest error {number(error)}" for name, error in zip(names, errors, strict=True)
    ]
    network, _ = sketched.network()
    image = recovered(network, images, single.structure, seen.objects.attributes, decoded, objects.tolist())
    if image is None:
        return QueryResult(facts, lines)
    name = f"attribute_{index}_{_file_name(module_name) + '_' if module_name else ''}{decoder}"
    files = sketched.keep({name: image, f"scene_{index}": _grid(images, 1)})
    return QueryResult(facts, [*lines, f"rows from the top: {ROWS}"], files)


def _objects_of(structure: Structure, module: str | None, scene: int) -> tuple[Tensor, str | None]:
    """Indices of a scene's objects of a module, or of all its objects, and the module's name.

    Raises:
        UsageError: the scene has no object of the module.
    """
    if module is None:
        return torch.arange(len(structure.module)), None
    index = parse_module(module, structure.modules)
    objects = (structure.module == index).nonzero().squeeze(1)
    if not len(objects):
        present = [structure.modules[k] for k in structure.module.unique().tolist()]
        raise UsageError("not_found", kind=f"object in scene {scene}", name=structure.modules[index], known=present)
    return objects, structure.modules[index]


def similar(sketched: SketchRun, index: str, k: str) -> QueryResult:
    """Find the k scenes whose sketches have the largest cosine similarity with that of scene `index`."""
    store = sketched.store
    query, neighbors = int(parse_scenes(store, index)[0]), parse_integer(k, "k", 1)
    directions = normalize(store.sketches)
    cosines, nearest = queries.similar(directions[query], directions, neighbors + 1)
    rows = [
        (int(scene), float(value)) for value, scene in zip(cosines, nearest, strict=True) if int(scene) != query
    ]  # fmt: skip
    rows = rows[:neighbors]
    contents = module_counts(store.structure)
    lines = [f"scene {query}: {_listed(contents[query], store.modules)}"]
    lines += [f"{value:7.4f}  scene {scene}: {_listed(contents[scene], store.modules)}" for scene, value in rows]
    facts = {"scene": query, "similar": [{"scene": scene, "cosine": value} for scene, value in rows]}
    images, _ = sketched.seen([query, *(scene for scene, _ in rows)])
    if images.dim() != 4 or images.shape[1] not in (1, 3):
        return QueryResult(facts, lines)
    return QueryResult(facts, lines, sketched.keep({f"similar_{query}": _grid(images, len(images))}))


def parse_module(text: str, modules: Sequence[str]) -> int:
    """Index of a module given by its name or the last word of its name (`3` for "digit 3").

    Raises:
        UsageError: the module is unknown or the text is ambiguous.
    """
    if text in modules:
        return index_of_module(text, modules)
    matches = [name for name in modules if name.rpartition(" ")[2] == text]
    if len(matches) > 1:
        names = ", ".join(matches)
        raise UsageError("ambiguous", name=text, count=len(matches), kind="modules", matches=names)
    return index_of_module(matches[0] if matches else text, modules)


def parse_scenes(store: Store, text: str | None) -> Tensor:
    """Indices of scenes in the store: `17`, `0:100` (end excluded), or None for all.

    Raises:
        UsageError: the text is not an index or a range, or exceeds the store.
    """
    if text is None:
        return torch.arange(len(store))
    match = re.fullmatch(r"(\d{1,12})(?::(\d{1,12}))?", text.strip(), re.ASCII)
    if match is None:
        raise UsageError("invalid_value", key="scenes", must="an index (17) or a range (0:100)", got=text)
    begin = int(match[1])
    end = int(match[2]) if match[2] else begin + 1
    if not begin < end <= len(store):
        raise UsageError("invalid_value", key="scenes", must=f"within 0:{len(store)}", got=text)
    return torch.arange(begin, end)


def parse_integer(text: str, name: str, least: int) -> int:
    """An integer of at least `least`.

    Raises:
        UsageError: the text is not such an integer.
    """
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or int(text) < least:
        raise UsageError("invalid_value", key=name, must=f"an integer of at least {least}", got=text)
    return int(text)


def _counter(store: Store, decoder: str) -> Counter:
    if store.about["kind"] == "flat":
        hint = "flat sketches have no signatures; use kind=recursive"
        raise UsageError("unsupported", subject="kind=flat", feature="counting", hint=hint)
    if decoder not in _COUNT_DECODERS:
        raise UsageError("unknown_name", kind="decoder for counting:", name=decoder, known=_COUNT_DECODERS)
    graph, kept, width = ModuleGraph.of(store.structure), store.sketches.shape[1], store.about["width"]
    return Counter(graph, store.matrices, store.about["scale"], kept, width, _COUNT_DECODERS[decoder])


def _sum(store: Store, module: int, scenes: Tensor) -> Tensor:
    return sum_sketches(store.sketches[scenes], store.total[scenes, module], store.about["scale"])


def _grid(images: Tensor, columns: int) -> Image:
    return Image(make_grid(images.detach()[:, :3], columns=columns, scale=max(1, _SIDE // images.shape[-1])))


def _listed(counts: Tensor, modules: Sequence[str]) -> str:
    """Modules of a scene with their counts: `digit 1 (x2), digit 2, row (x3), scene`."""
    present = counts.nonzero().squeeze(1).tolist()
    return ", ".join(f"{modules[k]} (x{int(counts[k])})" if counts[k] > 1 else modules[k] for k in present)


def _file_name(text: str) -> str:
    return re.sub(r"\W+", "_", text)
