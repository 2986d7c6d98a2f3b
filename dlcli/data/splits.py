"""Random splits: those that a user's arrays lack, and stratified ones of a table."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.core.rng import generator
from dlcli.data.npz import SPLITS, Pair

_PART = 0.15  # of train, for each of valid and test


def split_rows(pairs: Mapping[str, Pair], seed: int, *, new: bool) -> dict[str, Any]:
    """Rows of each split as slices or row numbers; rows are counted through the splits of the file.

    Args:
        pairs: inputs and targets by split.
        seed: seed of the split.
        new: True for a new run, False for a run that is evaluated.

    Raises:
        UsageError: a new run has no training data, or too few to hold out the other splits.
    """
    sizes = np.cumsum([0, *(len(y) for _, y in pairs.values())])
    rows: dict[str, Any] = {
        name: slice(int(begin), int(end)) for name, begin, end in zip(pairs, sizes, sizes[1:], strict=False)
    }
    missing = [name for name in SPLITS if name not in pairs]
    if "train" in missing:
        if new:
            problem = f"x_train and y_train are missing (available: {', '.join(pairs)})"
            raise UsageError("invalid_data", path="the file", problem=problem)
        return rows
    y = pairs["train"][1]
    if len(y) > len(missing):
        return rows | _held_out(y, missing, seed, new=new) if missing else rows
    if new:
        problem = f"{len(y)} training rows are too few to hold out {' and '.join(missing)}"
        raise UsageError("invalid_data", path="the file", problem=problem, hint="Add these splits to the file.")
    return {name: index for name, index in rows.items() if name != "train"}


def _held_out(
    y: Shaped[np.ndarray, "sample *position"], missing: Sequence[str], seed: int, *, new: bool
) -> dict[str, Tensor]:
    """The missing splits and the remaining training rows: evenly spaced over shuffled rows sorted by class."""
    order = _shuffled(len(y), seed)
    if y.ndim == 1:
        order = order[np.argsort(y[order], kind="stable")]
    each = max(1, min(round(_PART * len(y)), (len(y) - 1) // len(missing)))
    count = each * len(missing)
    places = ((np.arange(count) + 0.5) * len(y) / count).astype(np.int64)
    logging.getLogger("dlcli").log(
        logging.INFO if new else logging.DEBUG,  # a file that is evaluated or predicted is used as a whole
        "no %s split in the file: held out %s training rows each%s (task.data_seed)",
        " and ".join(missing),
        f"{each:,}",
        ", stratified by class" if y.ndim == 1 else "",
    )
    taken = {name: np.sort(order[places[i :: len(missing)]]) for i, name in enumerate(missing)}
    taken["train"] = np.sort(np.delete(order, places))
    return {name: torch.from_numpy(index) for name, index in taken.items()}


def stratified(
    classes: Int[np.ndarray, " sample"] | None, rows: int, fractions: Sequence[float], seed: int
) -> dict[str, Int[np.ndarray, " _"]]:
    """A random split into train, valid and test whose class frequencies are as equal as the counts allow.

    Args:
        classes: class by row; None for a random split without strata.
        rows: number of rows.
        fractions: shares of train, valid and test.
        seed: seed of the split.

    Returns:
        Sorted row numbers by split.
    """
    order = _shuffled(rows, seed)
    if classes is not None:
        order = order[np.argsort(classes[order], kind="stable")]
    splits = {}
    share = 1.0
    remaining = order
    for name, fraction in (("test", fractions[2]), ("valid", fractions[1])):
        count = round(fraction / share * len(remaining))
        chosen = ((np.arange(count) + 0.5) * len(remaining) / max(count, 1)).astype(np.int64)
        splits[name] = np.sort(remaining[chosen])
        remaining = np.delete(remaining, chosen)
        share -= fraction
    return {"train": np.sort(remaining), "valid": splits["valid"], "test": splits["test"]}


def _shuffled(rows: int, seed: int) -> Int[np.ndarray, " sample"]:
    return torch.randperm(rows, generator=generator(seed)).numpy()
