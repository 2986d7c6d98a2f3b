"""Attribution maps, convolution filters and confusion matrix of `dlcli show RUN --explain`."""

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from dlcli.attribution.grad_cam import activation_and_gradient, called_convolutions, grad_cam, upsample
from dlcli.attribution.gradients import saliency
from dlcli.attribution.integrated import complete_attribution
from dlcli.attribution.randomization import rank_correlation
from dlcli.commands.explain.samples import ExplainedSamples
from dlcli.core.artifacts import encode
from dlcli.core.confusion import ConfusionMatrix
from dlcli.core.errors import Mismatch, UsageError
from dlcli.report.figures import attribution_sheets, confusion_matrix, input_maps
from dlcli.report.figures.sheet import can_draw_text, png

_SHARE = 0.01  # of the score difference, largest completeness error of integrated gradients
_STEPS = 1024  # most interpolation steps of integrated gradients

Explanation = tuple[dict[str, bytes], dict[str, Any]]
"""Files by name, and values for explain.json."""


def gradients(samples: ExplainedSamples) -> Explanation:
    """Compute saliency and integrated gradients of the predicted class score."""
    saliency_map = saliency(samples.model, samples.x, samples.unit)
    attribution = complete_attribution(samples.model, samples.x, samples.unit, share=_SHARE, most=_STEPS)
    share = attribution.incompleteness
    files = {
        "saliency.png": samples.sheet(
            "Saliency",
            "bright: largest gradient of the predicted class score; each map is scaled by its maximum",
            input_maps.heat_maps(saliency_map),
        ),
        "integrated_gradients.png": samples.sheet(
            "Integrated gradients",
            f"red: for the predicted class, blue: against; {attribution.steps} steps from zeros, error {share:.2%}",
            input_maps.signed_maps(attribution.values.sum(1)),
        ),
    }
    rows = [
        {"difference": difference, "missing": missing}
        for difference, missing in zip(attribution.difference.tolist(), attribution.missing.tolist(), strict=True)
    ]
    return files, {"integrated_gradients": {"steps": attribution.steps, "incompleteness": share, "samples": rows}}


def last_map(samples: ExplainedSamples, layer: str | None) -> Explanation:
    """Compute Grad-CAM at a layer.

    Args:
        samples: the explained samples.
        layer: name of a module; None is the last convolution with a spatial output, and `grad_cam` is None without one.

    Raises:
        UsageError: the model has no such module.
        Mismatch: the module outputs no feature map, or one that the scores do not depend on.
    """
    parts = dict(samples.model.named_modules())
    if layer is not None and (not layer or layer not in parts):
        known = [name for name in parts if name]
        kind = f"module of {type(samples.model).__name__}"
        raise UsageError("unknown_name", kind=kind, name=layer, known=known, key="--layer")
    tried = [layer] if layer else reversed(called_convolutions(samples.model, samples.x))
    for name in tried:
        activation = activation_and_gradient(samples.model, samples.x, samples.unit, parts[name])
        if activation is not None:
            return _grad_cam_sheet(samples, name, *activation)
    if layer:
        got = f"{layer} ({type(parts[layer]).__name__})"
        raise Mismatch("mismatch", subject="--layer", requirement="a feature map that the scores depend on", got=got)
    return {}, {"grad_cam": None}


def _grad_cam_sheet(samples: ExplainedSamples, name: str, value: Tensor, gradient: Tensor) -> Explanation:
    heat = upsample(grad_cam(value, gradient), tuple(samples.x.shape[2:]))
    positions = list(value.shape[2:])
    note = f"bright: evidence for the predicted class at {name}, {' x '.join(map(str, positions))} positions"
    file = samples.sheet("Grad-CAM", note, input_maps.overlay_maps(heat, samples.x))
    return {"grad_cam.png": file}, {"grad_cam": {"layer": name, "places": positions}}


def first_filters(samples: ExplainedSamples) -> Explanation:
    """Draw the filters of the first convolution with a kernel larger than 1; `filters` is None without one."""
    parts = dict(samples.model.named_modules())
    for name in called_convolutions(samples.model, samples.x):
        weight: Tensor = parts[name].weight
        if weight[0, 0].numel() > 1:
            sheet = attribution_sheets.filters(f"Filters of {name}: {samples.name}", weight)
            return {"filters.png": png(sheet)}, {"filters": {"layer": name, "shape": list(weight.shape)}}
    return {}, {"filters": None}


def confusions(name: str, table: ConfusionMatrix | None) -> Explanation:
    """Draw and write the confusion matrix of the test split; `confused` is None without a table."""
    if table is None:
        return {}, {"confused": None}
    files = {"confusion.csv": encode(table.rows())[1]}
    if can_draw_text() and len(table.names) <= confusion_matrix.MAX_CLASSES:
        files["confusion.png"] = png(
            confusion_matrix.draw_confusion_matrix(f"Test rows: {name}", table.names, table.counts)
        )
    return files, {"confused": _most_confused(table)}


def _most_confused(table: ConfusionMatrix) -> list[dict[str, Any]]:
    """The three most frequent pairs of true and wrongly predicted class."""
    wrong = table.counts.clone()
    wrong.fill_diagonal_(0)
    counts, positions = wrong.flatten().topk(min(3, wrong.numel()))
    pairs = zip(counts.tolist(), positions.tolist(), strict=True)
    names = table.names
    return [
        {"true": names[position // len(names)], "predicted": names[position % len(names)], "rows": count}
        for count, position in pairs
        if count
    ]


def randomized(samples: ExplainedSamples, other: nn.Module) -> Mapping[str, Any]:
    """Model randomization test (Adebayo et al. 2018): rank correlation of saliency with that of random weights.

    A sample whose map is constant has the correlation None.
    """
    maps = (saliency(model, samples.x, samples.unit) for model in (samples.model, other))
    correlations = [value if math.isfinite(value) else None for value in rank_correlation(*maps).tolist()]
    finite = [value for value in correlations if value is not None]
    return {"rank_correlation": sum(finite) / len(finite) if finite else None, "samples": correlations}
