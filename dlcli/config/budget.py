"""Parameter budgets: solve for the width of a model that has a given number of parameters."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from dlcli.config.build import build_task, count_parameters
from dlcli.config.targets import factory, without_metadata
from dlcli.core.errors import UsageError

_TOLERANCE = 0.02  # of the budget


def solve_budget(config: dict[str, Any]) -> dict[str, Any]:
    """Replace the model's width so that the number of parameters is within 2 % of `budget`.

    The YAML of a model names its width keyword in `scales`. Of several keywords, the first determines the size, and
    the others are scaled in proportion, then adjusted one by one. A keyword whose value is a model is replaced by the
    `scales` of that model.

    Args:
        config: resolved configuration; unchanged if its `budget` is None.

    Raises:
        UsageError: the model has no `scales`, or no width is within 2 % of the budget.
    """
    budget = config.get("budget")
    model = without_metadata(config["model"], ("scales",))
    if budget is None:
        return config | {"model": model}
    keys = _width_keys(config["model"])
    if not keys:
        name = str(model.get("_target_", "this model")).rpartition(".")[2]
        hint = "Name its width keywords in its YAML: scales: hidden"
        raise UsageError("unsupported", subject=name, feature="budget", hint=hint)
    task = build_task(config, torch.device("cpu"))

    sizes: dict[str, int] = {}

    def size(widths: Mapping[str, Any]) -> int:
        key = json.dumps(widths, sort_keys=True)
        if key not in sizes:
            with torch.device("meta"):
                sizes[key] = count_parameters(factory(_replaced(model, widths), config, "model")(task.spec))
        return sizes[key]

    widths = _nearest(size, {key: _value_at(model, key) for key in keys}, budget)
    return config | {"model": _replaced(model, widths)}


def _width_keys(node: Mapping[str, Any]) -> list[str]:
    """The keys of a model's widths, dotted where models are nested."""
    scales = node.get("scales") or []
    names = [scales] if isinstance(scales, str) else list(scales)
    nested = {name: _width_keys(node[name]) for name in names if isinstance(node.get(name), dict)}
    return [
        key for name in names for key in ([f"{name}.{inner}" for inner in nested[name]] if name in nested else [name])
    ]


def _value_at(node: Mapping[str, Any], key: str) -> Any:
    """The value of a dotted key."""
    name, _, rest = key.partition(".")
    return _value_at(node[name], rest) if rest else node[name]


def _replaced(node: Mapping[str, Any], widths: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of the node with other values at dotted keys."""
    copy = dict(node)
    for key, value in widths.items():
        name, _, rest = key.partition(".")
        copy[name] = _replaced(copy[name], {rest: value}) if rest else value
    return copy


def _nearest(size: Callable[[Mapping[str, Any]], int], initial: Mapping[str, Any], budget: int) -> Mapping[str, Any]:
    """The widths by key whose size is within 2 % of the budget.

    They are in the proportions of the initial ones; empty values (null, 0, an empty list) do not change.
    """
    initial = {key: value for key, value in initial.items() if value}
    width = _solve(lambda width: size(_scaled(initial, width)), budget)
    smaller, below, above = (_scaled(initial, max(1, width + step)) for step in (-1, 0, 1))
    finer = (*_mixed(smaller, below), *_mixed(below, above), *_adjusted(size, below, list(initial)[1:], budget))
    for candidates in ([below, above], finer):
        best = min(candidates, key=lambda widths: abs(size(widths) - budget), default=below)
        if abs(size(best) - budget) <= _TOLERANCE * budget:
            return best
    keys = ", ".join(f"model.{key}" for key in initial)
    must = f"within 2 % of a size that {keys} can give"
    hint = f"The nearest sizes are {size(below)} and {size(above)} parameters"
    raise UsageError("invalid_value", key="budget", must=must, got=budget, hint=hint)


def _scaled(widths: Mapping[str, Any], width: int) -> dict[str, Any]:
    """Scale all values by one factor, so that the largest value of the first key becomes `width`."""
    first = next(iter(widths.values()))
    factor = width / (max(first) if isinstance(first, list) else first)

    def scale(value: int) -> int:
        return max(1, round(value * factor))

    return {
        key: [scale(part) for part in value] if isinstance(value, list) else scale(value)
        for key, value in widths.items()
    }


def _mixed(below: Mapping[str, Any], above: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Lists of widths whose first or last elements are those of `above`; empty if no width is a list."""
    candidates = []
    for key, low in below.items():
        if isinstance(low, list):
            high, cuts = above[key], range(1, len(low))
            candidates += [{**below, key: high[:cut] + low[cut:]} for cut in cuts]
            candidates += [{**below, key: low[:cut] + high[cut:]} for cut in cuts]
    return candidates


def _adjusted(
    size: Callable[[Mapping[str, Any]], int], below: Mapping[str, Any], keys: Sequence[str], budget: int
) -> list[dict[str, Any]]:
    """Copies of `below` in each of which one key is increased towards the budget; lists are scaled as a unit."""
    candidates = []
    for key in keys:
        initial = {key: below[key]}
        value = _solve(lambda value, initial=initial: size({**below, **_scaled(initial, value)}), budget)  # type: ignore[misc]
        candidates += [{**below, **_scaled(initial, value)}, {**below, **_scaled(initial, value + 1)}]
    return candidates


def _solve(size: Callable[[int], int], budget: int) -> int:
    """The largest width of at most `budget` parameters, at least 1."""
    low, high = 1, 2
    while size(high) <= budget:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if size(middle) <= budget else (low, middle)
    return low
