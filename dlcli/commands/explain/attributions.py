"""What `--explain` sees: each look is some pictures and some numbers of a subject."""

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from dlcli.attribution.grad_cam import activation_and_gradient, called_convolutions, grad_cam, upsample
from dlcli.attribution.gradients import saliency
from dlcli.attribution.integrated import complete_attribution
from dlcli.attribution.randomization import rank_correlation
from dlcli.commands.explain.samples import Subject
from dlcli.core.artifacts import encode
from dlcli.core.confusion import Confusion
from dlcli.core.errors import Mismatch, UsageError, nearest
from dlcli.report.figures import attribution_sheets, confusion_matrix, input_maps
from dlcli.report.figures.sheet import has_letters, png

_SHARE, _STEPS = 0.01, 1024  # of the score that integrated gradients may miss, and where they give up

Look = tuple[dict[str, bytes], dict[str, Any]]
"""Files by name, and facts."""


def gradients(subject: Subject) -> Look:
    """Saliency and integrated gradients of the predicted class's score."""
    slope = saliency(subject.model, subject.x, subject.unit)
    found = complete_attribution(subject.model, subject.x, subject.unit, share=_SHARE, most=_STEPS)
    share = found.incompleteness
    files = {
        "saliency.png": subject.sheet(
            "Saliency",
            "bright: where a small change moves the score of the predicted class most; each map by its own largest",
            input_maps.heat(slope),
        ),
        "integrated_gradients.png": subject.sheet(
            "Integrated gradients",
            f"red speaks for the predicted class, blue against; {found.steps} steps from zeros, {share:.2%} missing",
            input_maps.signed(found.values.sum(1)),
        ),
    }
    rows = [
        {"difference": difference, "missing": missing}
        for difference, missing in zip(found.difference.tolist(), found.missing.tolist(), strict=True)
    ]
    return files, {"integrated_gradients": {"steps": found.steps, "incompleteness": share, "samples": rows}}


def last_map(subject: Subject, layer: str | None) -> Look:
    """Grad-CAM of a layer; of the last convolution that has places when none is named, nothing where there is none.

    Raises:
        UsageError: there is no such layer.
        Mismatch: it answers no map, or one that the scores do not depend on.
    """
    parts = dict(subject.model.named_modules())
    if layer is not None and (not layer or layer not in parts):
        known = [name for name in parts if name]
        raise UsageError(f"--layer {layer!r}: {type(subject.model).__name__} has no such part{nearest(layer, known)}")
    tried = [layer] if layer else reversed(called_convolutions(subject.model, subject.x))
    for name in tried:
        found = activation_and_gradient(subject.model, subject.x, subject.unit, parts[name])
        if found is not None:
            return _seen_at(subject, name, *found)
    if layer:
        raise Mismatch(f"--layer {layer}: {type(parts[layer]).__name__} answers no map that the scores depend on")
    return {}, {"grad_cam": None}


def _seen_at(subject: Subject, name: str, value: Tensor, gradient: Tensor) -> Look:
    heat = upsample(grad_cam(value, gradient), tuple(subject.x.shape[2:]))
    places = list(value.shape[2:])
    note = f"bright: what speaks for the predicted class at {name}, {' x '.join(map(str, places))} places"
    file = subject.sheet("Grad-CAM", note, input_maps.overlaid(heat, subject.x))
    return {"grad_cam.png": file}, {"grad_cam": {"layer": name, "places": places}}


def first_filters(subject: Subject) -> Look:
    """Weights of the first convolution that reads several places at once; nothing where there is none."""
    parts = dict(subject.model.named_modules())
    for name in called_convolutions(subject.model, subject.x):
        weight: Tensor = parts[name].weight
        if weight[0, 0].numel() > 1:
            sheet = attribution_sheets.filters(f"Filters of {name}: {subject.name}", weight)
            return {"filters.png": png(sheet)}, {"filters": {"layer": name, "shape": list(weight.shape)}}
    return {}, {"filters": None}


def confusions(name: str, table: Confusion | None) -> Look:
    """Which classes are taken for which on the whole test split."""
    if table is None:
        return {}, {"confused": None}
    files = {"confusion.csv": encode(table.rows())[1]}
    if has_letters() and len(table.names) <= confusion_matrix.MOST:
        files["confusion.png"] = png(confusion_matrix.matrix(f"Test rows: {name}", table.names, table.counts))
    return files, {"confused": _most_confused(table)}


def _most_confused(table: Confusion) -> list[dict[str, Any]]:
    """The three pairs that are mistaken most often."""
    wrong = table.counts.clone()
    wrong.fill_diagonal_(0)
    values, places = wrong.flatten().topk(min(3, wrong.numel()))
    pairs = zip(values.tolist(), places.tolist(), strict=True)
    names = table.names
    return [
        {"true": names[place // len(names)], "predicted": names[place % len(names)], "rows": count}
        for count, place in pairs
        if count
    ]


def randomised(subject: Subject, other: nn.Module) -> Mapping[str, Any]:
    """How like the saliency is to that of a network with other weights; None for a row whose map is flat."""
    maps = (saliency(model, subject.x, subject.unit) for model in (subject.model, other))
    found = [value if math.isfinite(value) else None for value in rank_correlation(*maps).tolist()]
    known = [value for value in found if value is not None]
    return {"rank_correlation": sum(known) / len(known) if known else None, "samples": found}
