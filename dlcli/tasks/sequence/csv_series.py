"""A user's own time series in a CSV file: forecast a column, or tell its label."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from dlcli.core.errors import UsageError
from dlcli.core.option_checks import at_least, column, one_of
from dlcli.core.spec import Real, Spec
from dlcli.core.task import Baseline, Batch, Carry, Fitted, Loss, Metrics
from dlcli.data.channels import Channels, check_columns, fill_missing
from dlcli.data.table import is_numeric, read_table
from dlcli.data.timeline import Timeline, arrange, find_time
from dlcli.tasks.arrays import Arrays, ArrayTask
from dlcli.tasks.sequence.forecast import Forecast
from dlcli.tasks.sequence.window_label import Label
from dlcli.tasks.sequence.window_targets import Aim
from dlcli.tasks.sequence.windows import Rows, check_fractions, check_splits, cut, split, window_ends

_FUTURE = "future"
_KINDS = ("auto", "forecast", "label")


class CsvSeries:
    """Windows of a table's rows, and what follows them.

    A numeric target is forecast: inputs (channel, window) are the last rows of every column, the target's own
    first, and wanted are the next `horizon` values. Any other target is a label: that of the window's last
    row, told from the other columns. Text columns are one-hot, numbers standardised; scores and predictions are in
    the data's units.

    Splits are chronological, by when the targets are and for all series alike. A window of valid may look
    back at inputs of train; no target of train is one of valid, and statistics are those of rows before valid.
    Split "all" is every window with a target; "future" the last window of each series (forecasts) or every
    window without a label, its target blank. With `fitted`, splits may be empty.

    There is one copy of the series; a batch gathers its windows. `Batch.index` is the row of the ordered
    table that a window ends at, so that predictions can name its time.

    Args:
        path: the file; lines that start with # are skipped.
        target: the column to forecast or tell.
        window: rows that a model sees.
        horizon: values to forecast.
        kind: "forecast", "label" (for labels that are numbers), or "auto".
        time: the column that orders the rows; None takes the first that holds dates in order, else the
            file's order.
        group: the column that says which series a row belongs to; None has one series.
        gaps: "break" lets no window span a missing time step; "fill" repeats the row before it.
        max_gap: longest gap, in steps, that is filled.
        missing: "ffill" carries the last value of a column forward, "mean" takes train's, "error" refuses.
        max_categories: most values of a text column, and most labels.
        fractions: shares of train, valid and test.
        batch: rows of a training batch.
        order: seed of the shuffling.
        fitted: what a run learned from its training data; None learns it here.
        metrics: names of the reported metrics; None: the defaults of the target type.

    Raises:
        UsageError: an option, the file or its columns are wrong, or the series is too short.
    """

    def __init__(
        self,
        *,
        path: str | None,
        target: str | None,
        window: int,
        horizon: int,
        kind: str,
        time: str | None,
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
    ) -> None:
        at_least(1, window=window, horizon=horizon, max_gap=max_gap, max_categories=max_categories)
        one_of(_KINDS, kind=kind)
        one_of(("break", "fill"), gaps=gaps)
        one_of(("ffill", "mean", "error"), missing=missing)
        check_fractions(fractions)
        line = _read(path, target, time, group, max_gap if gaps == "fill" else 0, fitted)
        aim = _aim(line, str(target), horizon, fitted["kind"] if fitted else kind, max_categories)
        ends = window_ends(line, window)
        known = ends[aim.known(ends)]
        cuts = cut(aim.span(known)[0], fractions)
        splits = split(known, *aim.span(known), cuts)
        if fitted is None:
            rows = int(line.observed.sum())
            check_splits(splits, rows, window=window, horizon=aim.horizon, fractions=fractions)
            filled = fill_missing(line, aim.features(line.others(aim.target)), missing)
            train = (line.ticks < cuts[0]) & line.observed
            channels = Channels.fit(filled, list(filled.columns), train, limit=max_categories)
            fitted = {"time": line.time} | channels.fitted() | aim.learn(splits["train"])
        else:
            channels = Channels.of(fitted)
            filled = fill_missing(line, channels.columns, missing)
        self._line, self._aim, self._window = line, aim, window
        self._values = torch.from_numpy(channels.encode(filled))
        wanted = aim.wanted(fitted)
        self._wanted = wanted.values
        self.spec = Spec((Real((self._values.shape[1], window)),), wanted.part)
        self._rows = ArrayTask(
            _arrays(splits | {"all": known, _FUTURE: aim.future(ends)}),
            self.spec,
            wanted.targets,
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
        target = self._wanted[ends]
        if split == _FUTURE:
            target = torch.full_like(target, self._aim.blank)
        windows = self._values.unfold(0, self._window, 1)  # a view: nothing is copied before it is indexed
        inputs = (windows[ends - self._window + 1].contiguous(),)
        return replace(rows, inputs=inputs, target=target, index=ends)

    def loss(self, model: nn.Module, batch: Batch, carry: Carry = None) -> Loss:
        return self._rows.loss(model, batch, carry)

    def metrics(self, model: nn.Module, batch: Batch, carry: Carry = None) -> Metrics:
        return self._rows.metrics(model, batch, carry)

    def baseline(self) -> Baseline:
        """The last value of a forecast, the label frequencies of a classification."""
        return self._aim.baseline(self.fitted)

    def predictions(self, model: nn.Module, batch: Batch, carry: Carry = None) -> tuple[dict[str, list[Any]], Carry]:
        """Time (or row) and group of the window's last row, then prediction and target, None where blank."""
        places = self._line.places(batch.index.cpu().numpy())
        return places | self._aim.columns(model(*batch.inputs), batch.target, self.fitted), carry

    def to(self, device: torch.device) -> "CsvSeries":
        self._rows.to(device)
        self._values, self._wanted = self._values.to(device), self._wanted.to(device)
        return self


def _read(
    path: str | None,
    target: str | None,
    time: str | None,
    group: str | None,
    fill: int,
    fitted: Fitted | None,
) -> Timeline:
    """The rows in order, with the columns that are needed checked to be there."""
    frame = read_table(path)
    if target is None:
        raise UsageError(f"task.target is the column to forecast or tell: one of {', '.join(frame.columns)}")
    if fitted is not None and fitted["kind"] == "label" and target not in frame:
        frame[target] = None  # nothing but labels to tell
    for key, name in (("task.target", target), ("task.time", time), ("task.group", group)):
        if name is not None:
            column(key, name, list(frame.columns))
    if fitted is not None:
        time = fitted["time"]
        check_columns(frame, fitted, [name for name in (target, time, group) if name is not None])
    elif time is None:
        time = find_time(frame, [name for name in frame.columns if name not in (target, group)], group)
    return arrange(frame, time, group, fill=fill)


def _aim(line: Timeline, target: str, horizon: int, kind: str, limit: int) -> Aim:
    if kind == "forecast" or (kind == "auto" and is_numeric(line.frame[target])):
        return Forecast(line, target, horizon)
    if horizon != 1:
        raise UsageError(
            f"column {target!r} is a label, that of the window's last row: task.horizon is 1, not {horizon}"
        )
    return Label(line, target, limit)


def _arrays(splits: Mapping[str, Rows]) -> dict[str, Arrays]:
    """Splits as the rows their windows end at; batches replace these by windows and targets."""
    ends = {name: torch.from_numpy(rows) for name, rows in splits.items()}
    return {name: Arrays((), rows) for name, rows in ends.items()}
