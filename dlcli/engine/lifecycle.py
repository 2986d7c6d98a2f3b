"""Lifecycle of a run: display, signals, training, evaluation, and the record of its end."""

import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from torch import nn

from dlcli.config.build import Built
from dlcli.core.artifacts import encode
from dlcli.core.confusion import ConfusionMatrix
from dlcli.core.errors import UsageError
from dlcli.core.evaluation import describe_metrics
from dlcli.core.evaluation_mode import evaluation_mode
from dlcli.core.learner import Artifact, Learner, Visualizes
from dlcli.core.population import PopulationBased
from dlcli.core.task import Task, first_rows
from dlcli.engine.checkpoint import read_checkpoint
from dlcli.engine.device import numeric_settings
from dlcli.engine.fit import Plan, RunOutcome, evaluate, fit
from dlcli.engine.options import Options
from dlcli.engine.signals import Signals
from dlcli.engine.status import status_from_exception
from dlcli.launch.distributed.launcher import process_group
from dlcli.launch.rollout import distributed_rating
from dlcli.report.progress import progress
from dlcli.report.progress.job_progress import MessageDisplay
from dlcli.runs.run import Run

_SAMPLES = 16  # validation samples that a model draws


@dataclass
class ActiveRun:
    """A run in progress: directory, display, signal handlers and outcome.

    Args:
        run: the run directory.
        display: progress display, or the messages of a job.
        ending: set by the command when its work is done.
    """

    run: Run
    display: progress.ProgressDisplay
    signals: Signals = field(default_factory=Signals)
    ending: RunOutcome | None = None

    @contextmanager
    def foreground(self, threads: int) -> Iterator[None]:
        """Show progress, catch signals and use `threads` threads inside the block."""
        with self.signals.caught(), self.display, numeric_settings(threads):
            yield


@contextmanager
def lifecycle(run: Run, metric: str, options: Options) -> Iterator[ActiveRun]:
    """Record the outcome of a run: the command's `ending`, or the exception that left the block.

    An exception ends the run as failed, diverged, stopped or preempted (`engine.status`); it is stored in `run.error`
    and not raised again, except a UsageError.

    Args:
        metric: metric of the progress display.
    """
    active = ActiveRun(run, progress_display(run, metric, options))
    error: BaseException | None = None
    try:
        yield active
        if active.ending is None:
            raise RuntimeError("the command has not set the ending of its run")
        ending = active.ending
    except BaseException as caught:  # noqa: BLE001 - every way a run ends is recorded
        error, ending = caught, status_from_exception(caught)
    record_outcome(run, ending, error, active.display.say)
    if isinstance(error, UsageError):
        raise error
    run.error = error


def execute_run(
    run: Run,
    built: Built,
    planned: Plan,
    options: Options,
    threads: int,
    afterwards: Callable[[Callable[[str], None]], None] | None = None,
) -> Run:
    """Train, evaluate the best checkpoint and record the outcome.

    Args:
        afterwards: called after training and evaluation with a function that prints a line.
    """
    with (
        lifecycle(run, built.task.main.metric, options) as active,
        active.foreground(threads),
        process_group(built.learner, run),
        distributed_rating(built.learner, run, options),
    ):
        active.ending = fit(built.learner, built.task, run, planned, active.display, active.signals)
        run.info["parameters"] = built.parameters  # an estimator has them after its fit
        if active.ending.status == "completed":
            with active.signals.at_once():
                active.ending = _check_population(built.learner, active.ending)
                run.info["metrics"] = evaluate_best(run, built.task, built.learner.model)
                if run.info["metrics"]:
                    run.info |= describe_metrics(built.task, "test")
                _depict(run, built.task, built.learner.model)
                if afterwards is not None:
                    afterwards(active.display.say)
    return run


def _check_population(learner: Learner, ending: RunOutcome) -> RunOutcome:
    """Return a failure if no individual of a population was ever evaluated successfully."""
    if isinstance(learner, PopulationBased) and learner.model is None:
        return RunOutcome("failed", 1, "every individual failed; see artifacts/population.csv")
    return ending


def progress_display(run: Run, metric: str, options: Options) -> progress.ProgressDisplay:
    """Create the progress display of a run, or the event sender of a job."""
    if options.tell is not None:
        return MessageDisplay(str(run.path), metric, run.note, options.tell)
    title = run.info["name"] or run.info["label"]
    return progress.create_display(options.show, title, metric, run.note, quiet=options.quiet)


def evaluate_best(run: Run, task: Task, model: nn.Module | None) -> dict[str, dict[str, float]]:
    """Evaluate best.pt on the validation and test splits; the only use of test data in a training run.

    For a task with classes, artifacts/confusion.csv and artifacts/per_class.csv hold the confusion matrix of the test
    split, and precision, recall and F1 of each class.
    """
    if model is None:
        return {}
    path = run.checkpoint_path("best")
    if path.exists():
        model.load_state_dict(read_checkpoint(path)["model"])
    confusion = ConfusionMatrix.of(task)
    scores = {
        "valid": evaluate(model, task, "valid"),
        "test": evaluate(model, task, "test", confusion.see if confusion else None),
    }
    if confusion is not None:
        save_artifacts(run, confusion.tables())
    return scores


def _depict(run: Run, task: Task, model: nn.Module | None) -> None:
    """Save the figures that the best model draws of a few validation samples."""
    if not isinstance(model, Visualizes):
        return
    with evaluation_mode(model):
        save_artifacts(run, model.depict(first_rows(task.batch("valid", 0), _SAMPLES)))


def save_artifacts(run: Run, artifacts: Mapping[str, Artifact]) -> None:
    """Save artifacts by name into artifacts/."""
    for name, artifact in artifacts.items():
        suffix, content = encode(artifact)
        run.keep(name + suffix, content)


def record_outcome(run: Run, ending: RunOutcome, error: BaseException | None, say: Callable[[str], None]) -> None:
    """Record how a run ended in run.json and log.txt; a full disk is reported on standard error."""
    if error is not None and not isinstance(error, KeyboardInterrupt):
        _try_to(run.note, "".join(traceback.format_exception(error)))
    _try_to(say, end_message(ending, run.info["steps"]))
    try:
        run.finish(ending.status, ending.exit_code, reason=ending.reason)
    except OSError as failed:
        print(f"run.json: {failed}", file=sys.stderr)  # noqa: T201 - the log cannot be written either


def end_message(ending: RunOutcome, steps: int) -> str:
    """Format the last line of a run: `finished after 1,520 steps (40 epochs)`, or status, step and reason."""
    if ending.status == "completed":
        same = ending.reason == f"{steps:,} steps"
        return f"finished after {steps:,} steps" + ("" if same else f" ({ending.reason})")
    return f"{ending.status} at step {steps:,}: {ending.reason}"


def _try_to(say: Callable[[str], None], text: str) -> None:
    try:
        say(text)
    except OSError as error:
        print(f"log.txt: {error}", file=sys.stderr)  # noqa: T201 - the log itself cannot be written
