"""Typed record of a run: the content of run.json, schema 2. Schema 1 of dlcli 0.1.0 is also supported."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from dlcli.core.errors import UsageError

SCHEMA = 2
Direction = Literal["min", "max"]
Number = int | float

ALIASES = {
    "accuracy_majority": "baseline_accuracy",
    "mse_persistence": "mse_last_value",
    "nll_by_piece": "nll_per_piece",
    "solved": "success_rate",
    "tau": "kendall_tau",
}
"""Current names of metrics by their names in dlcli 0.1.0."""

_OLD_NAMES = {new: old for old, new in ALIASES.items()}

_DIRECTIONS: dict[Direction, tuple[str, ...]] = {
    "max": (
        "accuracy", "auc", "baseline_accuracy", "confident", "kendall_tau", "recall", "recovered", "return",
        "success_rate",
    ),
    "min": (
        "attribute_error", "attribute_error_identity", "attribute_error_lsq", "attribute_error_matched",
        "bits_per_character", "bits_per_word", "count_error", "distance", "error_lsq_isometric", "error_lsq_paper",
        "linearity_gap", "mae", "mse", "mse_last_value", "nll", "nll_per_piece", "perplexity", "rmse",
        "search_seconds", "search_steps", "slope_erased_identity", "slope_erased_matched", "slope_identity",
        "slope_matched",
    ),
}  # fmt: skip
FROZEN_DIRECTIONS: Mapping[str, Direction] = {
    name: direction for direction, names in _DIRECTIONS.items() for name in names
}
"""Directions of the metrics of dlcli 0.1.0, by their current names.

The table is frozen, since newer runs state directions in `metric_info`. `length`, the number of steps of an episode, is
not included: long episodes are good in some environments and bad in others.
"""

_PREFIXES = ("network_", "found_", "random_", "hand_made_")
"""Prefixes of dlcli 0.1.0 before the name of a metric of the task, which determines the direction."""

_OLD_BASELINES = {"accuracy": "baseline_accuracy", "mse": "mse_last_value"}
"""Metrics of dlcli 0.1.0 whose baseline is logged as a metric of its own, with the name of that metric."""

_TEXTS = ("id", "verb", "label", "status", "started", "host")


@dataclass(frozen=True)
class MetricInfo:
    """Direction, unit and baseline of a metric.

    Args:
        direction: "max" if higher is better, "min" if lower is better.
        unit: unit of the values; empty for a dimensionless metric.
        baseline: score of the task's trivial baseline; None without one.
    """

    direction: Direction
    unit: str = ""
    baseline: Number | None = None


@dataclass(frozen=True)
class Best:
    """Best value of the main metric on the validation split, and its step."""

    value: Number
    step: int


def frozen_direction(metric: str) -> Direction | None:
    """Direction of a metric that dlcli 0.1.0 wrote; None for any other name."""
    name = ALIASES.get(metric, metric)
    stem = next((name.removeprefix(prefix) for prefix in _PREFIXES if name.startswith(prefix)), name)
    return FROZEN_DIRECTIONS.get(name) or FROZEN_DIRECTIONS.get(ALIASES.get(stem, stem))


class Record:
    """Typed attributes of run.json.

    A value of the wrong type is treated as missing (None or empty), so that one damaged field does not hide a run. Runs
    without `metric_info` (schema 1) use the directions of `goal` and the frozen table, and current metric names.

    Args:
        info: content of run.json, validated by `check`; later changes of the mapping are visible.
    """

    __slots__ = ("info",)

    def __init__(self, info: Mapping[str, Any]) -> None:
        self.info = info

    @property
    def id(self) -> str:
        return self.info["id"]

    @property
    def verb(self) -> str:
        return self.info["verb"]

    @property
    def label(self) -> str:
        return self.info["label"]

    @property
    def started(self) -> datetime:
        """Start in local time."""
        return datetime.fromisoformat(self.info["started"]).astimezone()

    @property
    def host(self) -> str:
        return self.info["host"]

    @property
    def schema(self) -> int:
        return _integer(self.info.get("schema")) or 1

    @property
    def stated(self) -> bool:
        """True if run.json states the direction of its metrics (schema 2)."""
        return "metric_info" in self.info

    @property
    def name(self) -> str | None:
        """Name given by the user."""
        return None if (name := self.info.get("name")) is None else str(name)

    @property
    def tags(self) -> list[str]:
        tags = self.info.get("tags")
        return [str(tag) for tag in tags] if isinstance(tags, list) else []

    @property
    def parent(self) -> str | None:
        """Id of the run to which this run belongs; None without one."""
        return _text(self.info.get("parent"))

    @property
    def argv(self) -> list[str]:
        """Arguments of the command."""
        argv = self.info.get("argv")
        return [str(argument) for argument in argv] if isinstance(argv, list | tuple) else []

    @property
    def recipe(self) -> str | None:
        return _text(self.info.get("recipe"))

    @property
    def task(self) -> str:
        return str(self.info.get("task") or "?")

    @property
    def model(self) -> str:
        return str(self.info.get("model") or "?")

    @property
    def seed(self) -> int | None:
        return _integer(self.info.get("seed"))

    @property
    def signature(self) -> str | None:
        return _text(self.info.get("signature"))

    @property
    def parameters(self) -> int | None:
        return _integer(self.info.get("parameters"))

    @property
    def steps(self) -> int | None:
        return _integer(self.info.get("steps"))

    @property
    def seconds(self) -> Number | None:
        """Training time in seconds."""
        return _number(self.info.get("seconds"))

    @property
    def counters(self) -> dict[str, Number]:
        """Totals by name of the counter (updates, samples, env_steps ...)."""
        counters = self.info.get("counters")
        pairs = counters.items() if isinstance(counters, Mapping) else ()
        return {str(name): value for name, total in pairs if (value := _number(total)) is not None}

    @property
    def reason(self) -> str:
        """Reason for the end of the run."""
        return str(self.info.get("reason") or "")

    @property
    def init_from(self) -> Mapping[str, Any] | None:
        """`run` and `sha256` of the initial weights; None for random weights."""
        origin = self.info.get("init_from")
        return origin if isinstance(origin, Mapping) else None

    @property
    def code(self) -> dict[str, dict[str, Any]]:
        """Facts about classes by name: `sha256` of plug-ins, `version` unless it is 1."""
        code = self.info.get("code")
        pairs = code.items() if isinstance(code, Mapping) else ()
        return {str(name): dict(facts) for name, facts in pairs if isinstance(facts, Mapping)}

    @property
    def metric(self) -> str | None:
        """Name of the main metric."""
        return self._present(_text(self._goal.get("metric")))

    @property
    def best(self) -> Best | None:
        """Best value of the main metric on the validation split."""
        best = self.info.get("best")
        if not isinstance(best, Mapping):
            return None
        value, step = _number(best.get("value")), _integer(best.get("step"))
        return None if value is None or step is None else Best(value, step)

    @property
    def splits(self) -> list[str]:
        """Names of the splits with scores."""
        return list(self.info["metrics"])

    def scores(self, split: str) -> Mapping[str, Any] | None:
        """Scores of the selected checkpoint by metric; None if the split has none."""
        scores = self.info["metrics"].get(split)
        if not isinstance(scores, Mapping):
            return None
        if self.stated or not ALIASES.keys() & scores.keys():
            return scores
        return {ALIASES.get(str(name), str(name)): value for name, value in scores.items()}

    def direction(self, metric: str) -> Direction | None:
        """Direction of a metric; None if neither run.json nor the frozen table states it."""
        if (info := self.metric_info(metric)) is not None:
            return info.direction
        if metric == self.metric and (direction := _direction(self._goal.get("direction"))) is not None:
            return direction
        return None if self.stated else frozen_direction(metric)

    def metric_info(self, metric: str) -> MetricInfo | None:
        """Direction, unit and baseline of a metric from run.json; None if they are missing."""
        every = self.info.get("metric_info")
        facts = every.get(metric) if isinstance(every, Mapping) else None
        if not isinstance(facts, Mapping) or (direction := _direction(facts.get("direction"))) is None:
            return None
        return MetricInfo(direction, str(facts.get("unit") or ""), _number(facts.get("baseline")))

    def baseline(self, metric: str, split: str) -> Number | None:
        """Score of the task's trivial baseline; None without one."""
        if self.stated:
            return info.baseline if (info := self.metric_info(metric)) is not None else None
        return _number((self.scores(split) or {}).get(_OLD_BASELINES.get(metric, "")))

    def logged_name(self, metric: str) -> str:
        """Name of a metric in metrics.csv, which is the old name in runs of schema 1."""
        return metric if self.stated else _OLD_NAMES.get(metric, metric)

    @property
    def _goal(self) -> Mapping[str, Any]:
        goal = self.info.get("goal")
        return goal if isinstance(goal, Mapping) else {}

    def _present(self, metric: str | None) -> str | None:
        return metric if metric is None or self.stated else ALIASES.get(metric, metric)


def check(info: Any, path: Path) -> None:
    """Validate the required fields of run.json.

    Args:
        path: run directory, for messages.

    Raises:
        UsageError: run.json is damaged, or was written by a newer dlcli.
    """
    file = f"{path}/run.json"
    if not isinstance(info, dict):
        raise UsageError("damaged", path=file, problem="not a JSON object")
    schema = info.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        raise newer_schema(file, schema, SCHEMA)
    invalid = [name for name in _TEXTS if not isinstance(info.get(name), str)]
    invalid += [name for name, kind in (("pid", int), ("metrics", dict)) if not isinstance(info.get(name), kind)]
    if invalid:
        raise UsageError("damaged", path=file, problem=f"missing or invalid: {', '.join(invalid)}")
    try:
        datetime.fromisoformat(info["started"])
    except ValueError as error:
        raise UsageError("damaged", path=file, problem=f"started: {error}") from None


def newer_schema(path: Any, schema: int, supported: int) -> UsageError:
    """Error for a file that was written by a newer version of dlcli."""
    problem = f"written by a newer dlcli (schema {schema}; this version supports {supported})"
    return UsageError("invalid_data", path=path, problem=problem, schema=schema, hint="Update dlcli to read it.")


def current_name(metric: str, known: Sequence[str] | set[str]) -> str:
    """Current name of a metric: the name itself if it is known, else that of a metric of dlcli 0.1.0."""
    return metric if metric in known or ALIASES.get(metric) not in known else ALIASES[metric]


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _integer(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: Any) -> Number | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _direction(value: Any) -> Direction | None:
    return value if value in ("min", "max") else None
