"""Populations rated by workers: genomes go out, ratings come back, whichever engine carries them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dlcli import launch
from dlcli.config import build, run_config
from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.executor import Executor, Job, Report, Tell, deaf
from dlcli.core.learner import Learner
from dlcli.core.population import Genome, Populous, Rater, Rating
from dlcli.engine.device import computing
from dlcli.engine.options import Options
from dlcli.engine.status import broken
from dlcli.runs.run import Run

_SHARES = 2
"""Jobs a worker gets of a population: a slow one holds the others up less."""
_MADE: dict[str, Rater] = {}
"""What this worker has built, by configuration."""


@dataclass(frozen=True)
class Answer(Report):
    """A report with what was asked for: fitness, behaviour and cost as arrays."""

    rating: tuple[Any, ...] = ()


@contextmanager
def shared(learner: Learner, run: Run, options: Options) -> Iterator[None]:
    """With the learner's populations rated by workers, where `options` ask for several or for an engine."""
    if not _wanted(options) or not isinstance(learner, Populous):
        yield
        return
    before = learner.rater
    with launch.engine(options.on, rate, options.jobs, deaf, run.path) as executor:
        learner.rater = Shared(executor, run_config.read(run.path / "config.yaml"))
        try:
            yield
        finally:
            learner.rater = before


def check_shared(learner: Learner, options: Options) -> None:
    """Whether there is something for workers to share.

    Raises:
        Mismatch: they are asked for, and the learner rates no populations.
    """
    if _wanted(options) and not isinstance(learner, Populous):
        raise Mismatch(f"{type(learner).__name__} rates no populations, so there is nothing for --jobs to share")


def _wanted(options: Options) -> bool:
    return options.on != "local" or (options.jobs or 1) > 1


class Shared:
    """A rater whose work is done by an executor's workers. They die without loss: their part is rated again.

    Args:
        executor: of `rate` jobs.
        config: from which workers build the same model, task and learner.
    """

    def __init__(self, executor: Executor, config: Mapping[str, Any]) -> None:
        self._executor = executor
        self._config = json.dumps(config, sort_keys=True)
        self._parts = _SHARES * len(executor.workers())

    def rate(self, genomes: Sequence[Genome], centres: Mapping[int, Tensor], batches: Sequence[int]) -> Rating:
        size = -(-len(genomes) // self._parts)
        asked = 0
        for begin in range(0, len(genomes), size):
            part = list(genomes[begin : begin + size])
            numbers = {number for one in part for number in (one.centre, one.scale) if number is not None}
            needed = {number: centres[number].numpy() for number in numbers}
            plain = {"config": self._config, "genomes": part, "centres": needed, "batches": list(batches)}
            self._executor.submit(Job("rate", (), plain))
            asked += 1
        return Rating.join([_rating(report) for _, report in [self._executor.wait() for _ in range(asked)]])


def _rating(report: Report) -> Rating:
    """What a worker answered.

    Raises:
        UsageError, MemoryError, RuntimeError: it could not.
    """
    if isinstance(report, Answer) and report.exit_code == 0:
        return Rating(*(torch.tensor(column) for column in report.rating))
    if report.exit_code == 2:
        raise UsageError(report.error)
    if report.exit_code == 4:
        raise MemoryError(report.error)
    if report.exit_code == 130:
        raise KeyboardInterrupt
    raise RuntimeError(f"a worker failed: {report.error}")


def rate(job: Job, tell: Tell) -> Report:
    """Rate some genomes, in a worker."""
    asked = job.options
    try:
        centres = {number: torch.tensor(vector) for number, vector in asked["centres"].items()}
        with computing(int(json.loads(asked["config"])["threads"])):
            rating = _rater(asked["config"]).rate(asked["genomes"], centres, asked["batches"])
    except Exception as error:  # noqa: BLE001 - the coordinator says what it was
        ending = broken(error)
        return Report(ending.exit_code, error=str(error) if isinstance(error, UsageError) else ending.reason)
    return Answer(0, rating=tuple(part.numpy() for part in (rating.fitness, rating.behaviour, rating.cost)))


def _rater(config: str) -> Rater:
    if config not in _MADE:
        learner = build.build(json.loads(config), torch.device("cpu")).learner
        assert isinstance(learner, Populous)
        _MADE.clear()
        _MADE[config] = learner.rater
    return _MADE[config]
