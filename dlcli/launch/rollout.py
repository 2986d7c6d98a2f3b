"""Distributed evaluation of populations: workers receive genomes and return ratings, by any executor."""

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
from dlcli.core.executor import Executor, Job, JobResult, ProgressCallback, ignore_events
from dlcli.core.learner import Learner
from dlcli.core.population import Genome, GenomeEvaluator, PopulationBased, Rating
from dlcli.engine.device import numeric_settings
from dlcli.engine.options import Options
from dlcli.engine.status import status_from_exception
from dlcli.runs.run import Run

_CHUNKS = 2
"""Jobs per worker and population, so that a slow job delays the others less."""
_RATERS: dict[str, GenomeEvaluator] = {}
"""Rater of this worker, by configuration; holds the latest only."""


@dataclass(frozen=True)
class RatingReport(JobResult):
    """Report with the rating: fitness, behavior and cost as arrays."""

    rating: tuple[Any, ...] = ()


@contextmanager
def distributed_rating(learner: Learner, run: Run, options: Options) -> Iterator[None]:
    """Evaluate the learner's populations by workers inside the block if `options` request several or a launcher."""
    if not _is_distributed(options) or not isinstance(learner, PopulationBased):
        yield
        return
    own_rater = learner.rater
    with launch.open_executor(options.on, rate, options.jobs, ignore_events, run.path) as executor:
        learner.rater = DistributedRater(executor, run_config.read(run.path / "config.yaml"))
        try:
            yield
        finally:
            learner.rater = own_rater


def check_distributed(learner: Learner, options: Options) -> None:
    """Check that the learner evaluates populations if the options request workers.

    Raises:
        Mismatch: `--jobs` or `--launcher` is given and the learner does not evaluate populations.
    """
    if _is_distributed(options) and not isinstance(learner, PopulationBased):
        hint = "--jobs of a single run distributes the evaluation of a population."
        raise Mismatch("unsupported", subject=type(learner).__name__, feature="--jobs and --launcher", hint=hint)


def _is_distributed(options: Options) -> bool:
    return options.on != "local" or (options.jobs or 1) > 1


class DistributedRater:
    """Rater that distributes a population over the workers of an executor; chunks of dead workers are rated again.

    Args:
        executor: executes `rate` jobs.
        config: configuration from which workers build the same model, task and learner.
    """

    def __init__(self, executor: Executor, config: Mapping[str, Any]) -> None:
        self._executor = executor
        self._config = json.dumps(config, sort_keys=True)
        self._chunks = _CHUNKS * len(executor.workers())

    def rate(self, genomes: Sequence[Genome], centres: Mapping[int, Tensor], batches: Sequence[int]) -> Rating:
        size = -(-len(genomes) // self._chunks)
        submitted = 0
        for start in range(0, len(genomes), size):
            chunk = list(genomes[start : start + size])
            numbers = {number for genome in chunk for number in (genome.centre, genome.scale) if number is not None}
            used = {number: centres[number].numpy() for number in numbers}
            plain = {"config": self._config, "genomes": chunk, "centres": used, "batches": list(batches)}
            self._executor.submit(Job("rate", (), plain))
            submitted += 1
        return Rating.join([_rating(report) for _, report in [self._executor.wait() for _ in range(submitted)]])


def _rating(report: JobResult) -> Rating:
    """Return the rating of a worker's report.

    Raises:
        UsageError, MemoryError, RuntimeError: the worker failed.
    """
    if isinstance(report, RatingReport) and report.exit_code == 0:
        return Rating(*(torch.tensor(column) for column in report.rating))
    if report.exit_code == 2:
        raise UsageError("worker_failed", text=report.error)
    if report.exit_code == 4:
        raise MemoryError(report.error)
    if report.exit_code == 130:
        raise KeyboardInterrupt
    raise RuntimeError(f"a worker failed: {report.error}")


def rate(job: Job, tell: ProgressCallback) -> JobResult:
    """Rate a chunk of genomes in a worker."""
    request = job.options
    try:
        centres = {number: torch.tensor(vector) for number, vector in request["centres"].items()}
        with numeric_settings(int(json.loads(request["config"])["threads"])):
            rating = _rater(request["config"]).rate(request["genomes"], centres, request["batches"])
    except Exception as error:  # noqa: BLE001 - the coordinator raises it
        ending = status_from_exception(error)
        return JobResult(ending.exit_code, error=str(error) if isinstance(error, UsageError) else ending.reason)
    return RatingReport(0, rating=tuple(part.numpy() for part in (rating.fitness, rating.behaviour, rating.cost)))


def _rater(config: str) -> GenomeEvaluator:
    if config not in _RATERS:
        learner = build.build(json.loads(config), torch.device("cpu")).learner
        assert isinstance(learner, PopulationBased)
        _RATERS.clear()
        _RATERS[config] = learner.rater
    return _RATERS[config]
