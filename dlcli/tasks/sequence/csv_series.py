"""A user's table as a task: forecast a column of a time series, or predict a label."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from dlcli.core.errors import UsageError
from dlcli.core.option_checks import check_at_least, check_choice, check_column
from dlcli.core.spec import Real, Spec
from dlcli.core.task import Baseline, Batch, Carry, Fitted, Loss, Metrics
from dlcli.data.channels import ChannelEncoding, check_columns, codes_of, fill_missing, label_names
from dlcli.data.splits import stratified
from dlcli.data.table import is_numeric, log_unused, read_table
from dlcli.data.timeline import FILE_ORDER, Timeline, arrange, find_time
from dlcli.tasks.arrays import InMemoryTask, TensorSamples
from dlcli.tasks.sequence.forecast import Forecast
from dlcli.tasks.sequence.naive import METHODS
from dlcli.tasks.sequence.window_label import Label
from dlcli.tasks.sequence.window_targets import WindowTarget
from dlcli.tasks.sequence.windows import (
    Rows,
    borders,
    check_fractions,
    check_splits,
    complete,
    segment_starts,
    split,
)

_logger = logging.getLogger("dlcli")

_FUTURE = "future"
_KINDS = ("auto", "forecast", "label")


class CsvSeries:
    """Windows of the rows of a table, and their targets.

    A numeric target is forecast: the inputs (channel, window) are the last rows of every column, the target first, and
    the target is its next `horizon` values. Any other target is a label: that of the last row of the window, predicted
    from the other columns. A label without a time column makes the file a table: windows have one row, and the splits
    are random and stratified. Text columns are one-hot, numbers are standardized; scores and predictions are in the
    units of the data.

    The splits of a series are chronological, by the times of the targets and for all series alike. The borders depend
    on the rows with a target and on `fractions` only. Windows of valid and test may contain inputs of earlier splits;
    one that begins before the first row of its gapless stretch repeats that row, so that models with windows of any
    length are scored on the same targets. Statistics are those of the rows before the first validation target. Split
    "all" contains every complete window with a target, "future" the last window of each series (forecasts) or every
    window without a label. With `fitted`, splits may be empty.

    The series is stored once; a batch gathers its windows. `Batch.index` is the last row of each window in the ordered
    table.

    Args:
        path: the file.
        target: the column to predict.
        window: rows of an input.
        horizon: forecast steps.
        kind: "forecast", "label" (also for numbers), or "auto".
        time: the columns that order the rows; "row" is the order of the file; None: found.
        group: column of the series id; None for a single series.
        gaps: "break": no window spans a missing time step; "fill" repeats the row before it.
        max_gap: longest gap that is filled, in steps.
        missing: how missing inputs are filled: "ffill" by the last value of the column, "mean" by the training mean;
            "error" refuses them.
        max_categories: largest number of values of a text column, and of labels.
        fractions: shares of train, valid and test.
        batch: rows of a training batch.
        order: seed of the shuffling.
        fitted: quantities learned from the training data of a run; None: learned from this file.
        metrics: names of the reported metrics; None: the defaults of the target type.
        date_format: key of `dates.READINGS` or a strptime format; None: detected.
        season: period of the seasonal baseline in rows; None: found in the training rows.
        baseline: the forecast behind `baseline_mse`: "last_value", "seasonal" or "drift".
        separator: field separator; None: detected.
        decimal: decimal mark, "." or ","; None: detected.
        encoding: codec; None: detected.
        data_seed: seed of the random split of a table.

    Raises:
        UsageError: an option, the file or its columns are invalid, or the series is too short.
    """

    version = 2

    def __init__(
        self,
        *,
        path: str | None,
        target: str | None,
        window: int,
        horizon: int,
        kind: str,
        time: str | Sequence[str] | None,
        group: str | None,
        gaps: str,
        max_gap: int,
        missing: str,
        max_categories: int,
        fractions: Sequence[float],
        batch: int,
        order: int,
        fitted: Fitted | None,
        metrics: Sequence[str] | None = None,
        date_format: str | None = None,
        season: int | None = None,
        baseline: str = "last_value",
        separator: str | None = None,
        decimal: str | None = None,
        encoding: str | None = None,
        data_seed: int = 0,
    ) -> None:
        check_at_least(
            1, window=window, horizon=horizon, max_gap=max_gap, max_categories=max_categories, season=season or 1
        )
        check_choice(_KINDS, kind=kind)
        check_choice(("break", "fill"), gaps=gaps)
        check_choice(("ffill", "mean", "error"), missing=missing)
        check_choice(tuple(METHODS), baseline=baseline)
        check_fractions(fractions)
        if target is not None and fitted is None and kind == "label":
            text = [target]
        else:
            text = [target] if target is not None and fitted is not None and fitted["kind"] == "label" else []
        text += [*(fitted["categories"] if fitted else ()), *([group] if group else ())]
        frame = read_table(path, text=text, separator=separator, decimal=decimal, encoding=encoding)
        line, table = _line(
            frame, target, time, group, max_gap if gaps == "fill" else 0, fitted, kind=kind, date_format=date_format
        )
        if table and window != 1:
            hint = "Set task.window=1 or use task=table; task.time=COLUMN or task.time=row (file order) makes a series."
            must = "1 for a label without a time column (a table, not a series)"
            raise UsageError("invalid_value", key="task.window", must=must, got=window, hint=hint)
        aim = _window_target(
            line,
            str(target),
            horizon,
            fitted["kind"] if fitted else kind,
            max_categories,
            season=season,
            baseline=baseline,
        )
        starts, ends = segment_starts(line), np.flatnonzero(line.observed)
        known = ends[aim.known(ends)]
        whole = known[complete(starts, known, window)]
        cuts = borders(line.ticks[aim.present], fractions)
        if table:
            splits, train = _table_splits(aim, known, fractions, data_seed)
        else:
            splits = split(known, *aim.span(known), cuts)
            train = (line.ticks < cuts[0]) & line.observed
        splits["train"] = splits["train"][complete(starts, splits["train"], window)]
        if fitted is None:
            rows = int(aim.present.sum())
            check_splits(splits, rows, window=window, horizon=aim.horizon, fractions=fractions)
            _log_windows(line, aim, splits, known, starts, window)
            filled = _filled(line, aim.features(line.others(aim.target)), missing)
            channels = ChannelEncoding.fit(
                line.frame[list(filled.columns)], list(filled.columns), train, limit=max_categories
            )
            fitted = {"time": list(line.time), "reading": line.reading, "table": table}
            fitted = fitted | channels.fitted() | aim.learn(train)
        else:
            channels = ChannelEncoding.of(fitted)
            filled = _filled(line, channels.columns, missing)
        self._line, self._aim, self._window = line, aim, window
        self._values = torch.from_numpy(channels.encode(filled))
        self._starts = torch.from_numpy(starts)
        encoded = aim.encoded(fitted)
        self._targets = encoded.values
        self.spec = Spec((Real((self._values.shape[1], window)),), encoded.part)
        future = aim.future(ends[complete(starts, ends, window)])
        self._prediction_splits = [name for name, rows in (("all", whole), (_FUTURE, future)) if len(rows)]
        self._rows = InMemoryTask(
            _arrays(splits | {"all": whole, _FUTURE: future}),
            self.spec,
            encoded.targets,
            batch=batch,
            order=order,
            fitted=fitted,
            metrics=metrics,
        )
        self.main, self.fitted, self.reported = self._rows.main, self._rows.fitted, self._rows.reported

    def size(self, split: str) -> int:
        return self._rows.size(split)

    def rows(self, split: str) -> int:
        return self._rows.rows(split)

    def batch(self, split: str, index: int) -> Batch:
        rows = self._rows.batch(split, index)
        ends = rows.target
        target = self._targets[ends]
        if split == _FUTURE:
            target = torch.full_like(target, self._aim.blank)
        steps = torch.arange(1 - self._window, 1, device=ends.device)
        window = torch.maximum(ends.unsqueeze(1) + steps, self._starts[ends].unsqueeze(1))
        inputs = (self._values[window].transpose(1, 2).contiguous(),)
        return replace(rows, inputs=inputs, target=target, index=ends)

    def loss(self, model: nn.Module, batch: Batch, carry: Carry = None) -> Loss:
        return self._rows.loss(model, batch, carry)

    def metrics(self, model: nn.Module, batch: Batch, carry: Carry = None) -> Metrics:
        return self._rows.metrics(model, batch, carry)

    def baseline(self) -> Baseline:
        """The naive forecast of `task.baseline`, or the label frequencies of a classification."""
        return self._aim.baseline(self.fitted)

    def predictions(self, model: nn.Module, batch: Batch, carry: Carry = None) -> tuple[dict[str, list[Any]], Carry]:
        """Time (or row) and group of the window's last row, prediction and target; None where the target is unknown."""
        places = self._line.places(batch.index.cpu().numpy())
        return places | self._aim.columns(model(*batch.inputs), batch.target, self.fitted), carry

    @property
    def prediction_splits(self) -> Sequence[str]:
        return self._prediction_splits

    def predicted(self, model: nn.Module, batch: Batch, carry: Carry = None) -> tuple[dict[str, np.ndarray], Carry]:
        """Predictions without targets; forecasts have one row per window (origin) and forecast step (horizon).

        Columns `row` (of the file, from 1), the series id and `origin`: the last row of the window; `time`: of the
        predicted value, also beyond the end of the file; `horizon`: steps from the origin to this time.
        """
        ends = batch.index.cpu().numpy()
        predictions = self._aim.predicted(model(*batch.inputs), self.fitted)
        steps = max(self._aim.horizon, 1)
        columns = {name: np.repeat(values, steps) for name, values in self._line.origins(ends).items()}
        if self._aim.horizon == 0:
            return columns | predictions, carry
        if self._line.time:
            columns["origin"] = columns.pop("time")
            columns["time"] = self._line.times_after(ends, steps).ravel()
        return columns | {"horizon": np.tile(np.arange(1, steps + 1), len(ends))} | predictions, carry

    def to(self, device: torch.device) -> "CsvSeries":
        self._rows.to(device)
        self._values, self._targets = self._values.to(device), self._targets.to(device)
        self._starts = self._starts.to(device)
        return self


def _line(
    frame: Any,
    target: str | None,
    time: str | Sequence[str] | None,
    group: str | None,
    fill: int,
    fitted: Fitted | None,
    *,
    kind: str,
    date_format: str | None,
) -> tuple[Timeline, bool]:
    """The rows in time order, and True for a table: a label without a time column.

    Raises:
        UsageError: a column is missing, or the times cannot be read.
    """
    if target is None:
        hint = f"task.target is the column to predict: one of {', '.join(frame.columns)}"
        raise UsageError("required", key="task.target", hint=hint)
    if fitted is not None and fitted["kind"] == "label" and target not in frame:
        frame[target] = None  # a file without labels, to be predicted
    columns = [] if time is None or time == FILE_ORDER else [time] if isinstance(time, str) else list(time)
    for key, name in (("task.target", target), *(("task.time", name) for name in columns), ("task.group", group)):
        if name is not None:
            check_column(key, name, list(frame.columns))
    times, table = None, False
    if fitted is not None:
        saved = fitted["time"] or []
        columns = [saved] if isinstance(saved, str) else list(saved)
        date_format, table = date_format or fitted.get("reading"), bool(fitted.get("table"))
        check_columns(frame, fitted, [target, *columns, *([group] if group else [])])
    elif time is None:
        candidates = [name for name in frame.columns if name not in (target, group)]
        found, times = find_time(frame, candidates, group, date_format)
        columns = list(found)
        table = not columns and (kind == "label" or (kind == "auto" and not is_numeric(frame[target])))
        if not columns and not table:
            _logger.info("no time column: the order of the file is the time order "
                         "(task=table predicts each row from its other columns)")  # fmt: skip
    return arrange(frame, columns, group, fill=fill, date_format=date_format, times=times), table


def _window_target(
    line: Timeline, target: str, horizon: int, kind: str, limit: int, *, season: int | None, baseline: str
) -> WindowTarget:
    if kind == "forecast" or (kind == "auto" and is_numeric(line.frame[target])):
        return Forecast(line, target, horizon, season=season, baseline=baseline)
    if horizon != 1:
        must = f"1, because column {target!r} is a label (that of the last row of the window)"
        raise UsageError("invalid_value", key="task.horizon", must=must, got=horizon)
    return Label(line, target, limit)


def _table_splits(
    aim: WindowTarget, known: Rows, fractions: Sequence[float], seed: int
) -> tuple[dict[str, Rows], np.ndarray]:
    """Random splits stratified by label, and a mask of the training rows."""
    assert isinstance(aim, Label)
    text = aim.text.iloc[known]
    parts = stratified(codes_of(text, label_names(text, aim.limit)), len(known), fractions, seed)
    splits = {name: known[rows] for name, rows in parts.items()}
    train = np.zeros(len(aim.present), dtype=bool)
    train[splits["train"]] = True
    return splits, train


def _filled(line: Timeline, columns: Sequence[str], rule: str) -> Any:
    return fill_missing(line.frame[list(columns)], rule, segment=line.segment, observed=line.observed)


def _log_windows(
    line: Timeline, aim: WindowTarget, splits: Mapping[str, Rows], known: Rows, starts: Rows, window: int
) -> None:
    """Log the sizes of the splits, and all rows that are not used as the end of a window, by reason."""
    rows = int(line.observed.sum())
    _logger.info("windows: %s", ", ".join(f"{name} {len(ends):,}" for name, ends in splits.items()))
    if aim.horizon == 0:
        log_unused(rows - len(known), rows, "rows", "they have no label")
    else:
        ends = aim.horizon * (int(line.series.max()) + 1)  # the last rows of a series have no complete target
        hint = "task.gaps=fill fills short gaps"
        log_unused(max(rows - len(known) - ends, 0), rows, "windows", "a target value is missing or behind a gap", hint)
    scored = np.concatenate([splits["valid"], splits["test"]])
    padded = int((~complete(starts, scored, window)).sum())
    if padded:
        _logger.info("%d windows of valid and test begin before the first row of a series or gapless stretch: "
                     "that row is repeated", padded)  # fmt: skip
    first = line.ticks[scored].min() if len(scored) else np.inf
    early = known[line.ticks[known] < first]
    short = int((~complete(starts, early, window)).sum())
    hint = "use a smaller task.window, or task.gaps=fill"
    log_unused(short, len(known), "windows", "training windows would begin before the first row or a gap", hint)
    astride = len(known) - short - sum(len(ends) for ends in splits.values())
    hint = "use a smaller task.horizon"
    log_unused(max(astride, 0), len(known), "windows", "targets on both sides of a split border", hint)


def _arrays(splits: Mapping[str, Rows]) -> dict[str, TensorSamples]:
    """Splits as the last rows of their windows; `batch` replaces these by windows and targets."""
    ends = {name: torch.from_numpy(rows) for name, rows in splits.items()}
    return {name: TensorSamples((), rows) for name, rows in ends.items()}
