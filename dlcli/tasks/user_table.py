"""A user's table without a time order: predict a label or a value of each row from its other columns."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.core.option_checks import check_at_least, check_choice, check_column
from dlcli.core.spec import IGNORED, Classes, Real, Spec
from dlcli.core.task import Batch, Carry, Fitted
from dlcli.data.channels import ChannelEncoding, check_columns, codes_of, fill_missing, label_names, label_text
from dlcli.data.splits import stratified
from dlcli.data.table import is_numeric, log_unused, numbers, read_table
from dlcli.data.transforms import Scaling
from dlcli.tasks.arrays import InMemoryTask, TensorSamples
from dlcli.tasks.sequence.windows import check_fractions
from dlcli.tasks.targets.classification import Classification
from dlcli.tasks.targets.protocol import OutputRule
from dlcli.tasks.targets.regression import Regression

_KINDS = ("auto", "value", "label")


class UserTable(InMemoryTask):
    """Rows of a table as independent samples.

    The inputs (feature,) are all other columns: numbers standardized, text columns one-hot. A numeric target is
    predicted as a value in the units of the data, any other as a label. The splits are random, those of a label
    stratified; statistics are those of the training rows. Split "all" contains every row with a target, "future" every
    row without one. `predictions` name the row, counted from 1 below the column names.

    Args:
        path: the file.
        target: the column to predict.
        kind: "value", "label" (also for numbers), or "auto".
        exclude: columns that are not used as inputs.
        missing: how missing numbers are filled: "mean" by the training mean; "error" refuses them.
        max_categories: largest number of values of a text column, and of labels.
        fractions: shares of train, valid and test.
        batch: rows of a training batch.
        order: seed of the shuffling.
        data_seed: seed of the split.
        fitted: quantities learned from the training data of a run; None: learned from this file.
        separator: field separator; None: detected.
        decimal: decimal mark, "." or ","; None: detected.
        encoding: codec; None: detected.
        metrics: names of the reported metrics; None: the defaults of the target type.

    Raises:
        UsageError: an option, the file or its columns are invalid, or there are too few rows.
    """

    def __init__(
        self,
        *,
        path: str | None,
        target: str | None,
        kind: str,
        exclude: Sequence[str],
        missing: str,
        max_categories: int,
        fractions: Sequence[float],
        batch: int,
        order: int,
        data_seed: int,
        fitted: Fitted | None,
        separator: str | None = None,
        decimal: str | None = None,
        encoding: str | None = None,
        metrics: Sequence[str] | None = None,
    ) -> None:
        check_at_least(1, max_categories=max_categories)
        check_choice(_KINDS, kind=kind)
        check_choice(("mean", "error"), missing=missing)
        check_fractions(fractions)
        label = kind == "label" if fitted is None else fitted["kind"] == "label"
        text = [*([target] if label and target else []), *(fitted["categories"] if fitted else ())]
        frame = read_table(path, text=text, separator=separator, decimal=decimal, encoding=encoding)
        name = _checked_target(frame, target, fitted, exclude)
        label = label or (fitted is None and kind == "auto" and not is_numeric(frame[name]))
        labels = label_text(frame[name])
        values = np.full(len(frame), np.nan) if label else numbers(frame[name])
        present = labels.notna().to_numpy() if label else ~np.isnan(values)
        known = np.flatnonzero(present)
        splits = {"all": known, "future": np.flatnonzero(~present)}
        if fitted is None:
            log_unused(len(frame) - len(known), len(frame), "rows", f"column {name!r} is empty")
            classes = label_names(labels, max_categories) if label else []
            codes = codes_of(labels.iloc[known], classes) if label else None
            parts = stratified(codes, len(known), fractions, data_seed)
            _check_sizes(parts)
            splits |= {split: known[rows] for split, rows in parts.items()}
            fitted = _fit(frame, name, exclude, missing, max_categories, splits["train"], values, classes)
        channels = ChannelEncoding.of(fitted)
        inputs = torch.from_numpy(channels.encode(_filled(frame[channels.columns], missing)).astype(np.float32))
        rule: OutputRule
        if label:
            encoded, rule = _label_codes(labels, fitted["classes"], name), Classification(fitted["classes"])
            part: Real | Classes = Classes(len(fitted["classes"]))
        else:
            scaling = Scaling(fitted["target_mean"], fitted["target_std"])
            encoded, rule = torch.from_numpy(scaling.apply(values[:, None])), Regression(scaling.std, scaling.mean)
            part = Real((1,))
        if "train" in splits:
            fitted = {**fitted, "trivial": rule.constant([encoded[splits["train"]]])}
        self._target_name, self._row_numbers = name, {split: frame.index[rows] for split, rows in splits.items()}
        arrays = {split: TensorSamples((inputs[rows],), encoded[rows]) for split, rows in splits.items()}
        spec = Spec((Real((inputs.shape[1],)),), part)
        super().__init__(arrays, spec, rule, batch=batch, order=order, fitted=fitted, metrics=metrics)

    @property
    def prediction_splits(self) -> Sequence[str]:
        return [name for name in ("all", "future") if len(self._row_numbers[name])]

    def predicted(self, model: nn.Module, batch: Batch, carry: Carry = None) -> tuple[dict[str, np.ndarray], Carry]:
        """Columns `row` (of the file, from 1) and the predictions."""
        columns, carry = super().predicted(model, batch, carry)
        rows = self._row_numbers[batch.split].to_numpy()[columns.pop("row")]
        return {"row": rows} | columns, carry

    def predictions(self, model: nn.Module, batch: Batch, carry: Carry = None) -> tuple[dict[str, list[Any]], Carry]:
        """Row, prediction and target by sample."""
        table = {"row": self._row_numbers[batch.split][batch.index.cpu().numpy()].tolist()}
        columns = self.targets.columns(model, batch)
        return table | {f"{self._target_name}_{key}": values for key, values in columns.items()}, None


def _checked_target(frame: pd.DataFrame, target: str | None, fitted: Fitted | None, exclude: Sequence[str]) -> str:
    """The target column; one that is absent from a file to be predicted is added empty.

    Raises:
        UsageError: a column is missing.
    """
    if target is None:
        hint = f"task.target is the column to predict: one of {', '.join(frame.columns)}"
        raise UsageError("required", key="task.target", hint=hint)
    if fitted is not None:
        if target not in frame:
            frame[target] = np.nan
        check_columns(frame, fitted, [target])
        return target
    for name in exclude:
        check_column("task.exclude", name, list(frame.columns))
    return check_column("task.target", target, list(frame.columns))


def _filled(frame: pd.DataFrame, rule: str) -> pd.DataFrame:
    return fill_missing(frame, rule, segment=np.zeros(len(frame), np.int64), observed=np.ones(len(frame), bool))


def _fit(
    frame: pd.DataFrame,
    target: str,
    exclude: Sequence[str],
    missing: str,
    limit: int,
    train: np.ndarray,
    values: np.ndarray,
    classes: Sequence[str],
) -> dict[str, Any]:
    """The quantities that are learned from the training rows.

    Raises:
        UsageError: there is no input column, or a column cannot be encoded.
    """
    columns = [name for name in frame.columns if name != target and name not in exclude]
    if not columns:
        raise UsageError("invalid_data", path="the file", problem=f"no column to predict {target!r} from")
    mask = np.zeros(len(frame), dtype=bool)
    mask[train] = True
    channels = ChannelEncoding.fit(_filled(frame[columns], missing), columns, mask, limit=limit)
    fitted = {"kind": "label" if classes else "value", "classes": list(classes)} | channels.fitted()
    if classes:
        return fitted
    scaling = Scaling.fit(values[train, None], [target])
    return fitted | {"target_mean": scaling.mean, "target_std": scaling.std}


def _label_codes(labels: pd.Series, classes: Sequence[str], target: str) -> Tensor:
    """Class numbers, `IGNORED` without a label.

    Raises:
        UsageError: a label is not a class of the training data.
    """
    codes = codes_of(labels, classes)
    unknown = np.flatnonzero((codes < 0) & labels.notna().to_numpy())
    if unknown.size:
        key = f"row {labels.index[unknown[0]]} of column {target!r}"
        must = f"a label of the training data ({', '.join(classes)})"
        raise UsageError("invalid_value", key=key, must=must, got=str(labels.iloc[unknown[0]]))
    return torch.from_numpy(np.where(codes < 0, IGNORED, codes))


def _check_sizes(splits: dict[str, np.ndarray]) -> None:
    """Check that no split is empty.

    Raises:
        UsageError: one is.
    """
    if not all(len(rows) for rows in splits.values()):
        counts = ", ".join(f"{name} {len(rows)}" for name, rows in splits.items())
        raise UsageError("invalid_data", path="the file", problem=f"too few rows with a target ({counts})")
