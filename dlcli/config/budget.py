"""A model's width from its number of parameters, so that arms are equal."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from dlcli.config.build import build_task, count
from dlcli.config.targets import factory, without_metadata
from dlcli.core.errors import UsageError

_NEAR = 0.02  # of the budget


def settle_budget(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration with the model's width solved for `budget` parameters, to within 2 %.

    A model's YAML names in `scales` the keyword that is its width; or several, the first for the size, the others,
    which follow it in proportion, to come nearer. A keyword that holds a model stands for that model's own.

    Raises:
        UsageError: the model has no width to scale, or none comes near enough.
    """
    budget = config.get("budget")
    model = without_metadata(config["model"], ("scales",))
    if budget is None:
        return config | {"model": model}
    keys = _widths(config["model"])
    if not keys:
        raise UsageError("budget: this model names no width to scale (its YAML has no `scales:`)")
    task = build_task(config, torch.device("cpu"))

    sizes: dict[str, int] = {}

    def size(widths: Mapping[str, Any]) -> int:
        key = json.dumps(widths, sort_keys=True)
        if key not in sizes:
            with torch.device("meta"):
                sizes[key] = count(factory(_changed(model, widths), config, "model")(task.spec))
        return sizes[key]

    return config | {"model": _changed(model, _nearest(size, {key: _at(model, key) for key in keys}, budget))}


def _widths(node: Mapping[str, Any]) -> list[str]:
    """The keys, dotted where models are nested, of a model's widths."""
    scales = node.get("scales") or []
    names = [scales] if isinstance(scales, str) else list(scales)
    nested = {name: _widths(node[name]) for name in names if isinstance(node.get(name), dict)}
    return [
        key for name in names for key in ([f"{name}.{inner}" for inner in nested[name]] if name in nested else [name])
    ]


def _at(node: Mapping[str, Any], key: str) -> Any:
    """The value of a dotted key."""
    name, _, rest = key.partition(".")
    return _at(node[name], rest) if rest else node[name]


def _changed(node: Mapping[str, Any], widths: Mapping[str, Any]) -> dict[str, Any]:
    """The node with other values at dotted keys."""
    made = dict(node)
    for key, value in widths.items():
        name, _, rest = key.partition(".")
        made[name] = _changed(made[name], {rest: value}) if rest else value
    return made


def _nearest(size: Callable[[Mapping[str, Any]], int], old: Mapping[str, Any], budget: int) -> Mapping[str, Any]:
    """The widths by key whose size is within 2 % of the budget, in the proportions of the old ones; none stays none."""
    old = {key: value for key, value in old.items() if value}
    width = _solve(lambda width: size(_scaled(old, width)), budget)
    smaller, below, above = (_scaled(old, max(1, width + step)) for step in (-1, 0, 1))
    finer = (*_between(smaller, below), *_between(below, above), *_finer(size, below, list(old)[1:], budget))
    for candidates in ([below, above], finer):
        best = min(candidates, key=lambda widths: abs(size(widths) - budget), default=below)
        if abs(size(best) - budget) <= _NEAR * budget:
            return best
    shown = ", ".join(f"model.{key}" for key in old)
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
    """`below` with each of the keys in turn grown towards the budget, a list as a whole."""
    found = []
    for key in keys:
        old = {key: below[key]}
        value = _solve(lambda value, old=old: size({**below, **_scaled(old, value)}), budget)  # type: ignore[misc]
        found += [{**below, **_scaled(old, value)}, {**below, **_scaled(old, value + 1)}]
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
