"""A user's own arrays in an .npz file."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.core.option_checks import one_of
from dlcli.core.spec import IGNORED, Classes, Real, Spec
from dlcli.core.task import Fitted
from dlcli.data.npz import pairs, read_arrays
from dlcli.data.splits import split_rows
from dlcli.data.transforms import Scaling
from dlcli.tasks.arrays import Arrays, ArrayTask, Samples
from dlcli.tasks.image.images import Images
from dlcli.tasks.targets.classification import Classification
from dlcli.tasks.targets.protocol import OutputRule
from dlcli.tasks.targets.regression import Regression


class Npz(ArrayTask):
    """Arrays x_train, y_train, and x_valid, y_valid, x_test, y_test where there are; or just x and y.

    x: numbers (sample, time), (sample, channel, time) or (sample, channel, height, width), where bytes stay bytes
    until they are in a batch; integers (sample, time) are tokens. y: integers are classes, (sample) or one a step
    (sample, time), where -100 does not count; floats are values, (sample), (sample, value) or one a step (sample,
    value, time). `class_names` may name the classes.

    A missing valid or test split is 15 % of train each, stratified by class. Split "all" is the whole file,
    in its order. With `fitted`, statistics and classes are the run's, and neither x_train nor targets are needed.

    Args:
        path: the file.
        batch: rows of a training batch.
        order: seed of the shuffling.
        data_seed: seed of splits that the file lacks.
        scaling: "standard" standardises inputs by channel, and values to be predicted, with train's mean and
            standard deviation; scores stay in the data's units. "none" leaves all as it is.
        fitted: what a run learned from its training data; None learns it here.
        metrics: names of the reported metrics; None: the defaults of the target type.

    Raises:
        UsageError: the file cannot be read, or its arrays do not belong together or to `fitted`.
    """

    def __init__(
        self,
        *,
        path: str | None,
        batch: int,
        order: int,
        data_seed: int,
        scaling: str,
        fitted: Fitted | None,
        metrics: Sequence[str] | None = None,
    ) -> None:
        one_of(("standard", "none"), scaling=scaling)
        arrays = read_arrays(path)
        found = pairs(arrays, None if fitted is None else partial(_blank_targets, fitted))
        x, y = (np.concatenate(parts) for parts in zip(*found.values(), strict=True))
        rows = split_rows(found, data_seed, new=fitted is None)
        if fitted is None:
            train = rows["train"]
            _check_learned({name: part for name, (_, part) in found.items()}, named="class_names" in arrays)
            fitted = _fit_inputs(x, train, scaling) | _fit_targets(y, train, scaling, arrays.get("class_names"))
        target, wanted = _targets(y, fitted)
        samples, given = _samples(x, target, fitted)
        splits = {name: samples(index) for name, index in rows.items()}
        targets: OutputRule = (
            Classification(fitted["classes"])
            if fitted["classes"]
            else Regression(fitted["target_std"], fitted["target_mean"])
        )
        if "train" in rows and "trivial" not in fitted:
            fitted = {**fitted, "trivial": targets.constant([target[rows["train"]]])}
        splits["all"] = samples(slice(None))
        super().__init__(
            splits, Spec((given,), wanted), targets, batch=batch, order=order, fitted=fitted, metrics=metrics
        )


def _blank_targets(fitted: Fitted, count: int) -> np.ndarray:
    """Return targets that count nowhere, for inputs without targets."""
    if fitted["classes"]:
        return np.full(count, IGNORED)
    return np.full((count, len(fitted["target_mean"])), np.nan, np.float32)


def _check_learned(y: Mapping[str, np.ndarray], *, named: bool) -> None:
    """No class is in valid or test alone, unless the file names it.

    Raises:
        UsageError: one is.
    """
    for split, labels in y.items():
        strange = np.setdiff1d(labels, [*np.unique(y["train"]), IGNORED])
        if labels.dtype.kind != "f" and len(strange) and not named:
            raise UsageError(f"y_{split} has the class {strange[0]}, which y_train has not: nothing can learn it")


def _fit_inputs(x: Shaped[np.ndarray, "sample *position"], train: Any, scaling: str) -> dict[str, Any]:
    if x.ndim == 2:
        return {"tokens": int(x.max()) + 1, "mean": [], "std": []}
    return {"tokens": 0} | _fit_scaling("x", x, train, scaling, prefix="")


def _fit_targets(
    y: Shaped[np.ndarray, "sample *position"], train: Any, scaling: str, names: np.ndarray | None
) -> dict[str, Any]:
    if y.dtype.kind == "f":
        return {"classes": []} | _fit_scaling("y", y, train, scaling, prefix="target_")
    return {"classes": _class_names(y, names), "target_mean": [], "target_std": []}


def _fit_scaling(
    part: str,
    values: Shaped[np.ndarray, "sample channel *position"],
    train: Any,
    scaling: str,
    *,
    prefix: str,
) -> dict[str, Any]:
    channels = values.shape[1]
    names = [f"channel {channel} of {part}" for channel in range(channels)]
    fit = Scaling.identity(channels) if scaling == "none" else Scaling.fit(values[train], names)
    return {f"{prefix}mean": fit.mean, f"{prefix}std": fit.std}


def _class_names(y: Int[np.ndarray, "sample *time"], names: np.ndarray | None) -> list[str]:
    """Names of the classes: as given, else their numbers.

    Raises:
        UsageError: there is one class only, more classes than labels, or other names than classes.
    """
    seen = np.unique(y[y != IGNORED])
    if len(seen) < 2:
        raise UsageError(f"y has only one class ({', '.join(map(str, seen)) or 'none'}): there is nothing to learn")
    count = int(seen[-1]) + 1
    if names is not None:
        if names.ndim != 1 or len(names) < count:
            raise UsageError(f"class_names has shape {names.shape}; y has classes up to {count - 1}, one name each")
        return [str(name) for name in names]
    if count > y.size:
        raise UsageError(
            f"y holds integers up to {count - 1:,}, more classes than labels ({y.size:,}); "
            "number classes from 0, or save values to be predicted as floats"
        )
    return [str(number) for number in range(count)]


def _samples(
    x: Shaped[np.ndarray, "sample *position"], target: Tensor, fitted: Fitted
) -> tuple[Callable[[Any], Samples], Real | Classes]:
    """A split from its rows, and the description of what the model reads; images of bytes stay bytes."""
    if x.ndim != 4 or x.dtype != np.uint8:
        inputs, given = _inputs(x, fitted)
        return lambda rows: Arrays((inputs[rows],), target[rows]), given
    _check_channels(x, fitted)
    pixels = torch.from_numpy(x)
    mean, std = (torch.tensor(fitted[name]).view(-1, 1, 1) for name in ("mean", "std"))
    return lambda rows: Images(pixels[rows], target[rows], white=1.0, mean=mean, std=std), Real(x.shape[1:])


def _inputs(x: Shaped[np.ndarray, "sample *position"], fitted: Fitted) -> tuple[Tensor, Real | Classes]:
    """What the model reads, and its description."""
    if x.ndim == 2:
        _check_known("x", x, fitted["tokens"], "tokens")
        return torch.from_numpy(x), Classes(fitted["tokens"], x.shape[1:])
    _check_channels(x, fitted)
    return torch.from_numpy(Scaling(fitted["mean"], fitted["std"]).apply(x)), Real(x.shape[1:])


def _check_channels(x: Shaped[np.ndarray, "sample channel *position"], fitted: Fitted) -> None:
    if len(fitted["mean"]) != x.shape[1]:
        wanted = f"tokens below {fitted['tokens']}" if fitted["tokens"] else f"{len(fitted['mean'])} channels"
        raise UsageError(f"x has {x.shape[1]} channels of numbers, the run was trained on {wanted}")


def _targets(y: Shaped[np.ndarray, "sample *position"], fitted: Fitted) -> tuple[Tensor, Real | Classes]:
    """What is wanted, and its description."""
    if y.dtype.kind != "f":
        _check_known("y", y, len(fitted["classes"]), "classes")
        return torch.from_numpy(y), Classes(len(fitted["classes"]), y.shape[1:])
    if len(fitted["target_mean"]) != y.shape[1]:
        wanted = f"{len(fitted['classes'])} classes" if fitted["classes"] else f"{len(fitted['target_mean'])} values"
        raise UsageError(f"y has {y.shape[1]} values a sample, the run was trained on {wanted}")
    return torch.from_numpy(Scaling(fitted["target_mean"], fitted["target_std"]).apply(y)), Real(y.shape[1:])


def _check_known(part: str, values: Int[np.ndarray, "sample *time"], count: int, what: str) -> None:
    if not count:
        raise UsageError(f"{part} holds integers, which are {what}; the run was trained on real values: save floats")
    if values.max() >= count:
        raise UsageError(f"{part} has {what} up to {values.max()}, the run was trained on 0 to {count - 1}")
