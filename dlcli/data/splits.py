"""Splits that a user's arrays lack, taken from their training rows."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.core.rng import generator
from dlcli.data.npz import SPLITS, Pair

_PART = 0.15  # of train, for each of valid and test


def split_rows(found: Mapping[str, Pair], seed: int, *, new: bool) -> dict[str, Any]:
    """Which rows, the file's splits one after the other, belong to which split: slices or numbers of rows.

    Raises:
        UsageError: a new run has no training data, or too few to take the other splits from.
    """
    sizes = np.cumsum([0, *(len(y) for _, y in found.values())])
    rows: dict[str, Any] = {
        name: slice(int(begin), int(end)) for name, begin, end in zip(found, sizes, sizes[1:], strict=False)
    }
    missing = [name for name in SPLITS if name not in found]
    if "train" in missing:
        if new:
            raise UsageError(f"the file has no x_train and y_train to learn from, only {', '.join(found)}")
        return rows
    y = found["train"][1]
    if len(y) > len(missing):
        return rows | _held_out(y, missing, seed) if missing else rows
    if new:
        raise UsageError(f"{len(y)} training rows are too few to take {' and '.join(missing)} from: give them too")
    return {name: index for name, index in rows.items() if name != "train"}


def _held_out(y: Shaped[np.ndarray, "sample *position"], missing: Sequence[str], seed: int) -> dict[str, Tensor]:
    """Train without the missing splits, and these: evenly spaced over the shuffled rows, sorted by class."""
    order = torch.randperm(len(y), generator=generator(seed)).numpy()
    if y.ndim == 1:
        order = order[np.argsort(y[order], kind="stable")]
    each = max(1, min(round(_PART * len(y)), (len(y) - 1) // len(missing)))
    count = each * len(missing)
    places = ((np.arange(count) + 0.5) * len(y) / count).astype(np.int64)
    logging.getLogger("dlcli").info(
        "no %s there: %s rows each are taken from train%s, by task.data_seed",
        " and ".join(missing),
        f"{each:,}",
        ", stratified by class" if y.ndim == 1 else "",
    )
    taken = {name: np.sort(order[places[i :: len(missing)]]) for i, name in enumerate(missing)}
    taken["train"] = np.sort(np.delete(order, places))
    return {name: torch.from_numpy(index) for name, index in taken.items()}
