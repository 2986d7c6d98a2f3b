"""Task on the user's own arrays in an .npz file."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.core.option_checks import check_choice
from dlcli.core.spec import IGNORED, Classes, Real, Spec
from dlcli.core.task import Fitted
from dlcli.data.npz import checked_pairs, read_arrays
from dlcli.data.splits import split_rows
from dlcli.data.transforms import Scaling
from dlcli.tasks.arrays import InMemoryTask, Samples, TensorSamples
from dlcli.tasks.image.images import Images
from dlcli.tasks.targets.classification import Classification
from dlcli.tasks.targets.protocol import OutputRule
from dlcli.tasks.targets.regression import Regression


class Npz(InMemoryTask):
    """Classification or regression of the arrays x_train, y_train, and optionally x_valid, y_valid, x_test, y_test.

    The arrays may also be named x and y. x: floats (sample, time), (sample, channel, time) or (sample, channel, height,
    width); uint8 images are stored as bytes and converted per batch; integers (sample, time) are tokens. y: integers
    are classes, (sample) or one per step (sample, time), where -100 is ignored; floats are values, (sample), (sample,
    value) or one per step (sample, value, time). `class_names` optionally names the classes.

    A missing validation or test split is 15 % of the training rows, stratified by class. Split "all" is the file in
    its order. With `fitted`, statistics and classes are those of the run, and neither x_train nor targets are
    required.

    Args:
        path: the file.
        batch: training batch size.
        order: seed of shuffling.
        data_seed: seed of the splits that are missing in the file.
        scaling: "standard" standardizes each input channel and each target value by the training mean and standard
            deviation, with metrics in the original units; "none" does not scale.
        fitted: quantities fitted by a saved run; None fits them to the training split.
        metrics: names of the reported metrics; None: the defaults of the target type.

    Raises:
        UsageError: the file is unreadable, or its arrays are inconsistent with each other or with `fitted`.
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
        check_choice(("standard", "none"), scaling=scaling)
        arrays = read_arrays(path)
        given_splits = checked_pairs(arrays, None if fitted is None else partial(_blank_targets, fitted))
        x, y = (np.concatenate(parts) for parts in zip(*given_splits.values(), strict=True))
        rows = split_rows(given_splits, data_seed, new=fitted is None)
        if fitted is None:
            train = rows["train"]
            _check_classes({name: part for name, (_, part) in given_splits.items()}, named="class_names" in arrays)
            fitted = _fit_inputs(x, train, scaling) | _fit_targets(y, train, scaling, arrays.get("class_names"))
        target, target_spec = _targets(y, fitted)
        samples, input_spec = _samples(x, target, fitted)
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
            splits, Spec((input_spec,), target_spec), targets, batch=batch, order=order, fitted=fitted, metrics=metrics
        )


def _blank_targets(fitted: Fitted, count: int) -> np.ndarray:
    """Return targets that are ignored everywhere, for inputs without targets."""
    if fitted["classes"]:
        return np.full(count, IGNORED)
    return np.full((count, len(fitted["target_mean"])), np.nan, np.float32)


def _check_classes(y: Mapping[str, np.ndarray], *, named: bool) -> None:
    """Check that every class occurs in training, unless the file names the classes.

    Raises:
        UsageError: a class occurs only in validation or test.
    """
    for split, labels in y.items():
        unknown = np.setdiff1d(labels, [*np.unique(y["train"]), IGNORED])
        if labels.dtype.kind != "f" and len(unknown) and not named:
            raise UsageError(
                "invalid_value",
                key=f"y_{split}",
                must="a class of y_train",
                got=unknown[0],
                hint="add the array class_names to the file if the class has no training samples",
            )


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
    """Names of the classes, by default their numbers.

    Raises:
        UsageError: there is only one class, more classes than labels, or fewer names than classes.
    """
    labels = np.unique(y[y != IGNORED])
    if len(labels) < 2:
        got = ", ".join(map(str, labels)) or "none"
        raise UsageError("mismatch", subject="classification of y", requirement="at least two classes", got=got)
    count = int(labels[-1]) + 1
    if names is not None:
        if names.ndim != 1 or len(names) < count:
            must = f"one name for each of at least {count} classes"
            raise UsageError("invalid_value", key="class_names", must=must, got=f"shape {names.shape}")
        return [str(name) for name in names]
    if count > y.size:
        raise UsageError(
            "invalid_value",
            key="y",
            must=f"class numbers below the number of labels ({y.size:,})",
            got=f"{count - 1:,}",
            hint="number the classes from 0, or save values to be predicted as floats",
        )
    return [str(number) for number in range(count)]


def _samples(
    x: Shaped[np.ndarray, "sample *position"], target: Tensor, fitted: Fitted
) -> tuple[Callable[[Any], Samples], Real | Classes]:
    """Function from rows to a split, and the input specification; uint8 images are stored as bytes."""
    if x.ndim != 4 or x.dtype != np.uint8:
        inputs, input_spec = _inputs(x, fitted)
        return lambda rows: TensorSamples((inputs[rows],), target[rows]), input_spec
    _check_channels(x, fitted)
    pixels = torch.from_numpy(x)
    mean, std = (torch.tensor(fitted[name]).view(-1, 1, 1) for name in ("mean", "std"))
    return lambda rows: Images(pixels[rows], target[rows], white=1.0, mean=mean, std=std), Real(x.shape[1:])


def _inputs(x: Shaped[np.ndarray, "sample *position"], fitted: Fitted) -> tuple[Tensor, Real | Classes]:
    """Model inputs and their specification."""
    if x.ndim == 2:
        _check_known("x", x, fitted["tokens"], "tokens")
        return torch.from_numpy(x), Classes(fitted["tokens"], x.shape[1:])
    _check_channels(x, fitted)
    return torch.from_numpy(Scaling(fitted["mean"], fitted["std"]).apply(x)), Real(x.shape[1:])


def _check_channels(x: Shaped[np.ndarray, "sample channel *position"], fitted: Fitted) -> None:
    if len(fitted["mean"]) != x.shape[1]:
        inputs = f"tokens below {fitted['tokens']}" if fitted["tokens"] else f"{len(fitted['mean'])} channels"
        requirement = f"{inputs}, as in training"
        raise UsageError("mismatch", subject="x", requirement=requirement, got=f"{x.shape[1]} real channels")


def _targets(y: Shaped[np.ndarray, "sample *position"], fitted: Fitted) -> tuple[Tensor, Real | Classes]:
    """Targets and their specification."""
    if y.dtype.kind != "f":
        _check_known("y", y, len(fitted["classes"]), "classes")
        return torch.from_numpy(y), Classes(len(fitted["classes"]), y.shape[1:])
    if len(fitted["target_mean"]) != y.shape[1]:
        trained = f"{len(fitted['classes'])} classes" if fitted["classes"] else f"{len(fitted['target_mean'])} values"
        requirement = f"{trained}, as in training"
        raise UsageError("mismatch", subject="y", requirement=requirement, got=f"{y.shape[1]} values per sample")
    return torch.from_numpy(Scaling(fitted["target_mean"], fitted["target_std"]).apply(y)), Real(y.shape[1:])


def _check_known(part: str, values: Int[np.ndarray, "sample *time"], count: int, meaning: str) -> None:
    if not count:
        got = f"integers ({meaning})"
        raise UsageError("mismatch", subject=part, requirement="floats, as in training", got=got, hint="save floats")
    if values.max() >= count:
        requirement = f"{meaning} from 0 to {count - 1}, as in training"
        raise UsageError("mismatch", subject=part, requirement=requirement, got=values.max())
