"""A model's width from its number of parameters, so that arms are equal."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from dlcli.build import build_task, count
from dlcli.core.errors import UsageError
from dlcli.targets import factory

_NEAR = 0.02  # of the budget


def settle_budget(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration with the model's width solved for `budget` parameters, to within 2 %.

    A model's YAML names in `scales` the keyword that is its width; or several, the first for the size, the others,
    which follow it in proportion, to come nearer.

    Raises:
        UsageError: the model has no width to scale, or none comes near enough.
    """
    budget = config.get("budget")
    model = dict(config["model"])
    scales = model.pop("scales", None)
    if budget is None:
        return config | {"model": model}
    if scales is None:
        raise UsageError("budget: this model names no width to scale (its YAML has no `scales:`)")
    task = build_task(config, torch.device("cpu"))

    def size(widths: Mapping[str, Any]) -> int:
        with torch.device("meta"):
            return count(factory({**model, **widths}, config, "model")(task.spec))

    keys = [scales] if isinstance(scales, str) else list(scales)
    return config | {"model": model | _nearest(size, model, keys, budget)}


def _nearest(
    size: Callable[[Mapping[str, Any]], int], model: Mapping[str, Any], keys: Sequence[str], budget: int
) -> dict[str, Any]:
    """The widths by key whose size is within 2 % of the budget."""
    old = {key: model[key] for key in keys}
    width = _solve(lambda width: size(_scaled(old, width)), budget)
    smaller, below, above = (_scaled(old, max(1, width + step)) for step in (-1, 0, 1))
    finer = (*_between(smaller, below), *_between(below, above), *_finer(size, below, keys[1:], budget))
    for candidates in ([below, above], finer):
        best = min(candidates, key=lambda widths: abs(size(widths) - budget), default=below)
        if abs(size(best) - budget) <= _NEAR * budget:
            return best
    shown = ", ".join(f"model.{key}" for key in keys)
    raise UsageError(f"budget={budget} cannot be met to 2 %: {shown} gives {size(below)} or {size(above)} parameters")


def _scaled(old: Mapping[str, Any], width: int) -> dict[str, Any]:
    """Every value in proportion, the largest of the first key's being `width`."""
    first = next(iter(old.values()))
    factor = width / (max(first) if isinstance(first, list) else first)

    def new(value: int) -> int:
        return max(1, round(value * factor))

    return {key: [new(one) for one in value] if isinstance(value, list) else new(value) for key, value in old.items()}


def _between(below: Mapping[str, Any], above: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Of lists of widths those whose first or last are those of `above`; none between two single widths."""
    found = []
    for key, low in below.items():
        if isinstance(low, list):
            high, cuts = above[key], range(1, len(low))
            found += [{**below, key: high[:cut] + low[cut:]} for cut in cuts]
            found += [{**below, key: low[:cut] + high[cut:]} for cut in cuts]
    return found


def _finer(
    size: Callable[[Mapping[str, Any]], int], below: Mapping[str, Any], keys: Sequence[str], budget: int
) -> list[dict[str, Any]]:
    """`below` with each of the keys in turn grown towards the budget; lists do not grow alone."""
    found = []
    for key in (key for key in keys if not isinstance(below[key], list)):
        value = _solve(lambda value, key=key: size({**below, key: value}), budget)  # type: ignore[misc]
        found += [{**below, key: value}, {**below, key: value + 1}]
    return found


def _solve(size: Callable[[int], int], budget: int) -> int:
    """The largest width of at most `budget` parameters, at least 1."""
    low, high = 1, 2
    while size(high) <= budget:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if size(middle) <= budget else (low, middle)
    return low
