"""Questions to sketches: count, mean, attribute, similar."""

import re
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from dlcli.commands.sketch.figures import ROWS, recovered
from dlcli.commands.sketch.metrics import decode, decoders
from dlcli.commands.sketch.store import Answer, Sketched
from dlcli.core.errors import UsageError, nearest
from dlcli.core.learner import Image
from dlcli.nn.image_grid import make_grid
from dlcli.report.formatting import number
from dlcli.sketching.networks.modular_network import Decodes
from dlcli.sketching.recursive import queries
from dlcli.sketching.recursive.counts import Counter, Decoder, summed, weighed
from dlcli.sketching.recursive.module_graph import Wiring
from dlcli.sketching.recursive.object_graph import Structure, number_of
from dlcli.sketching.recursive.object_graphs import counts
from dlcli.sketching.recursive.store import Store

_COUNTING: dict[str, Decoder] = {"joint": "joint", "identity": "identity"}
_SIDE = 96  # pixels of a picture


def count(sketched: Sketched, module: str, scenes: str | None, decoder: str) -> Answer:
    """How many objects of a module there are in some scenes, or all."""
    store, chosen = sketched.store, places(sketched.store, scenes)
    which = module_of(module, store.modules)
    found = _counter(store, decoder).count(_sum(store, which, chosen), which)
    seen, truth = int(counts(store.structure)[chosen, which].sum()), store.truth[chosen, which]
    known = int(truth.sum()) if (truth >= 0).all() else None
    part = store.of(chosen)
    heavy = weighed(part.structure, which, part.total[:, which], store.about["scale"])
    facts = {
        "module": store.modules[which], "scenes": len(chosen), "decoder": decoder, "count": found.value,
        "standard_error": found.deviation, "weighed": heavy, "network": seen, "truth": known,
    }  # fmt: skip
    beside = f"by weight {heavy:,.1f}; the network saw {seen:,}" + (
        f", there are {known:,}" if known is not None else ""
    )
    if not (store.structure.module == which).any():
        return Answer(facts, [f"{store.modules[which]}: none is in the structure of any scene ({beside})"])
    line = f"{store.modules[which]} in {len(chosen):,} scenes: {found.value:,.1f} ± {found.deviation:,.1f} ({beside})"
    return Answer(facts, [line])


def mean(sketched: Sketched, module: str, scenes: str | None, decoder: str) -> Answer:
    """The mean attribute of a module's objects, as a picture where it can be looked at."""
    store, chosen = sketched.store, places(sketched.store, scenes)
    which = module_of(module, store.modules)
    found = _counter(store, decoder).count(_sum(store, which, chosen), which)
    if found.value < max(1.0, found.deviation):
        told = f"{found.value:,.1f} ± {found.deviation:,.1f} {store.modules[which]} in {len(chosen):,} scenes"
        raise UsageError(f"there is no mean of {told}" + (": decoder=joint" if decoder != "joint" else ""))
    network, _ = sketched.network()
    facts = {
        "module": store.modules[which], "scenes": len(chosen), "decoder": decoder, "count": found.value,
        "standard_error": found.deviation, "mean": found.mean.tolist(),
    }  # fmt: skip
    picture = _decoded(network, store.modules[which], found.mean[None])
    if picture is None:
        return Answer(facts, [f"mean of {store.modules[which]}: {_values(found.mean)}"], remark="no picture of it")
    part = f"_{scenes}" if scenes is not None else ""
    files = sketched.keep({_name(f"mean {store.modules[which]}{part} {decoder}"): _picture(picture, 1)})
    return Answer(facts, [f"the mean {store.modules[which]} of about {found.value:,.0f}, decoded:"], files)


def attribute(sketched: Sketched, scene: str, module: str | None, decoder: str | None) -> Answer:
    """The attributes of a module's objects in one scene, or of all, beside what the network saw."""
    store, (place, *_) = sketched.store, places(sketched.store, scene)
    known = decoders(store.about["kind"])
    decoder = decoder or known[-1]
    if decoder not in known:
        raise UsageError(f"decoder={decoder}: of {store.about['kind']} sketches{nearest(decoder, known)}")
    one = store.of(torch.tensor([int(place)]))
    mine, what = _mine(one.structure, module, int(place))
    decoded = decode(decoder, one, one.sketches, one.structure, one.matrices)
    found = decoded[mine]
    images, seen = sketched.seen([int(place)])
    truth = seen.objects.attributes[mine]
    errors = (found - truth).abs().amax(1).tolist()
    names = [store.modules[k] for k in one.structure.module[mine].tolist()]
    facts = {
        "scene": int(place), "module": what, "modules": names, "decoder": decoder, "attributes": found.tolist(),
        "network": truth.tolist(), "error": errors,
    }  # fmt: skip
    lines = [
        f"{name} in scene {int(place)}: largest error {number(error)}"
        for name, error in zip(names, errors, strict=True)
    ]
    network, _ = sketched.network()
    picture = recovered(network, images, one.structure, seen.objects.attributes, decoded, mine.tolist())
    if picture is None:
        return Answer(facts, lines)
    name = f"attribute_{int(place)}_{_name(what) + '_' if what else ''}{decoder}"
    files = sketched.keep({name: picture, f"scene_{int(place)}": _picture(images, 1)})
    return Answer(facts, [*lines, f"from the top: {ROWS}"], files)


def _mine(structure: Structure, module: str | None, place: int) -> tuple[Tensor, str | None]:
    """Objects of a module of a scene, or all of them, and the module's name."""
    if module is None:
        return torch.arange(len(structure.module)), None
    which = module_of(module, structure.modules)
    mine = (structure.module == which).nonzero().squeeze(1)
    if not len(mine):
        there = [structure.modules[k] for k in structure.module.unique().tolist()]
        raise UsageError(f"scene {place} has no {structure.modules[which]}; it has {', '.join(there)}")
    return mine, structure.modules[which]


def similar(sketched: Sketched, index: str, k: str) -> Answer:
    """The scenes whose sketches have the largest cosine with that of one."""
    store, (place, *_) = sketched.store, places(sketched.store, index)
    wanted = whole(k, "k", 1)
    directions = normalize(store.sketches)
    cosines, found = queries.similar(directions[place], directions, wanted + 1)
    rows = [(int(one), float(value)) for value, one in zip(cosines, found, strict=True) if int(one) != int(place)]
    rows = rows[:wanted]
    seen = counts(store.structure)
    lines = [f"scene {int(place)}: {_listed(seen[place], store.modules)}"]
    lines += [f"{value:7.4f}  scene {one}: {_listed(seen[one], store.modules)}" for one, value in rows]
    facts = {"scene": int(place), "similar": [{"scene": one, "cosine": value} for one, value in rows]}
    images, _ = sketched.seen([int(place), *(one for one, _ in rows)])
    if images.dim() != 4 or images.shape[1] not in (1, 3):
        return Answer(facts, lines)
    return Answer(facts, lines, sketched.keep({f"similar_{int(place)}": _picture(images, len(images))}))


def module_of(word: str, modules: Sequence[str]) -> int:
    """The module of a name, of its last word (`3` is "digit 3"), or the nearest is told.

    Raises:
        UsageError: there is none, or there are several.
    """
    if word in modules:
        return number_of(word, modules)
    short = [name for name in modules if name.rpartition(" ")[2] == word]
    if len(short) > 1:
        raise UsageError(f"module={word} is any of {', '.join(short)}: give its whole name")
    return number_of(short[0] if short else word, modules)


def places(store: Store, text: str | None) -> Tensor:
    """Scenes by their numbers in the store: `17`, `0:100`, or all.

    Raises:
        UsageError: it is no such thing, or there are not so many.
    """
    if text is None:
        return torch.arange(len(store))
    found = re.fullmatch(r"(\d{1,12})(?::(\d{1,12}))?", text.strip(), re.ASCII)
    if found is None:
        raise UsageError(f"scenes are a number (17) or a range (0:100), not {text!r}")
    begin = int(found[1])
    end = int(found[2]) if found[2] else begin + 1
    if not begin < end <= len(store):
        raise UsageError(f"there are scenes 0 to {len(store) - 1:,}, not {text}")
    return torch.arange(begin, end)


def whole(text: str, name: str, least: int) -> int:
    """A whole number.

    Raises:
        UsageError: it is none, or too small.
    """
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or int(text) < least:
        raise UsageError(f"{name} is a whole number from {least}, not {text!r}")
    return int(text)


def _counter(store: Store, decoder: str) -> Counter:
    if store.about["kind"] == "flat":
        raise UsageError("flat sketches have no signatures, so nothing can be counted: kind=recursive")
    if decoder not in _COUNTING:
        raise UsageError(f"decoder={decoder}{nearest(decoder, _COUNTING)}")
    wiring, kept, width = Wiring.of(store.structure), store.sketches.shape[1], store.about["width"]
    return Counter(wiring, store.matrices, store.about["scale"], kept, width, _COUNTING[decoder])


def _sum(store: Store, module: int, chosen: Tensor) -> Tensor:
    return summed(store.sketches[chosen], store.total[chosen, module], store.about["scale"])


def _decoded(network: object, module: str, attributes: Tensor) -> Tensor | None:
    with torch.no_grad():
        return network.decode(module, attributes) if isinstance(network, Decodes) else None


def _picture(images: Tensor, columns: int) -> Image:
    return Image(make_grid(images.detach()[:, :3], columns=columns, scale=max(1, _SIDE // images.shape[-1])))


def _listed(seen: Tensor, modules: Sequence[str]) -> str:
    there = seen.nonzero().squeeze(1).tolist()
    return ", ".join(f"{int(seen[one])} {modules[one]}" if seen[one] > 1 else modules[one] for one in there)


def _values(row: Tensor) -> str:
    return " ".join(number(value) for value in row.tolist())


def _name(module: str) -> str:
    return re.sub(r"\W+", "_", module)
