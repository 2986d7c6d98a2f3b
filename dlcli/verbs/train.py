"""`dlcli train`: fit a model to a task, score the best checkpoint once, leave a run directory."""

import errno
import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dlcli import build, compose, environment, probe, runs
from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.executor import Job, Report
from dlcli.core.task import Task
from dlcli.engine import Ending, Plan, Signals, evaluate, fit, limits, read_checkpoint, read_last
from dlcli.report import progress
from dlcli.run import Busy, Run

_CHANGEABLE = ("steps", "epochs", "until", "device", "wall", "eval_every", "checkpoint_every", "patience")
"""What `--resume` may change: when to stop and where, not what is trained."""


@dataclass(frozen=True)
class Options:
    """What is said beside the configuration.

    Args:
        out: where run directories go.
        name: a name for people.
        tags: words to find the run by.
        show: display mode of the progress.
        quiet: nothing but errors.
        extra: folders of configuration before ours.
        argv: the command as it was typed.
        parent: id of the run this one belongs to.
        init_from: selector of a run whose weights are the initial ones.
        smoke: the recipe's own one-second version.
    """

    out: Path = Path("outputs")
    name: str | None = None
    tags: tuple[str, ...] = ()
    show: str = "auto"
    quiet: bool = False
    extra: tuple[Path, ...] = ()
    argv: tuple[str, ...] = ()
    parent: str | None = None
    init_from: str | None = None
    smoke: bool = False


def perform(job: Job) -> Report:
    """A job as a run, whatever becomes of it."""
    options = Options(**job.options)
    try:
        (point,) = compose.expand(job.verb, job.overrides, extra=options.extra, smoke=options.smoke)
        run = train(point, options)
    except (UsageError, OSError) as error:
        return Report(2, error=str(error))
    except Exception as error:  # noqa: BLE001 - the other jobs go on
        ending = _broken(error)
        return Report(ending.exit_code, error=ending.reason)
    reason = "" if run.info["exit_code"] == 0 else run.info["reason"]
    return Report(run.info["exit_code"], str(run.path), run.info["metrics"], reason)


def train(point: compose.Point, options: Options) -> Run:
    """A new run of a configuration, to its end.

    Raises:
        UsageError: something is wrong with the configuration or the data; there is no run directory then.
    """
    with listening(options.quiet) as heard:
        return _train(point, options, heard)


def _train(point: compose.Point, options: Options, heard: Sequence[str]) -> Run:
    config = build.settle_budget(point.resolved())
    core = build.core(build.settle_budget(point.resolved(seed=0)))
    device = build.choose_device(config["device"])
    built = build.build(config, device)
    limits(config["until"], built.learner, built.task)
    planned = plan(config)
    if options.init_from:
        _take_weights(built.model, runs.one(options.init_from, options.out))
    config["threads"] = set_threads(config, core, device)
    facts = {
        "name": options.name,
        "tags": list(options.tags),
        "parent": options.parent,
        "argv": list(options.argv),
        "words": list(point.words),
        "recipe": point.recipe,
        "task": point.choices["task"],
        "model": point.choices["model"],
        "seed": config["seed"],
        "core": core,
        "signature": build.signature(core, config["until"]),
        "parameters": built.parameters,
        "goal": {"metric": built.task.main.metric, "direction": built.task.main.direction},
        "spec": describe_spec(built.task),
        "steps": 0,
        "seconds": 0.0,
    }
    run = Run.create(
        options.out, point.verb, point.label, compose.dump(config), **facts, **reach(built.model, built.task)
    )
    try:
        _keep_environment(run, str(device), config["threads"])
        for line in heard:
            run.note(line)
    except BaseException:
        run.discard()
        raise
    return _go(run, built, planned, options)


@contextmanager
def listening(quiet: bool) -> Iterator[list[str]]:
    """What tasks say of their data while they load, each once: on standard error, and in the list."""
    ear = _Ear(quiet)
    logger = logging.getLogger("dlcli")
    before = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(ear)
    try:
        yield ear.lines
    finally:
        logger.removeHandler(ear)
        logger.setLevel(before)


class _Ear(logging.Handler):
    def __init__(self, quiet: bool) -> None:
        super().__init__()
        self.quiet = quiet
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        line = record.getMessage()
        if line not in self.lines:
            self.lines.append(line)
            if not self.quiet:
                print(line, file=sys.stderr, flush=True)  # noqa: T201


def resume(selector: str, words: Sequence[str], options: Options) -> Run:
    """Go on with a run from its last checkpoint, or from the beginning when it has none.

    Raises:
        UsageError: the run is alive or done, or the words change what is trained.
    """
    with _held(runs.one(selector, options.out)) as run:
        if run.info["verb"] != "train":
            raise UsageError(f"run {run.id} is of dlcli {run.info['verb']}; only runs of train are resumed")
        _check_words(words)
        old = compose.load((run.path / "config.yaml").read_text())
        config = _extended(old, words)
        saved = read_last(run)
        _check_longer(run, old, config, saved)
        planned = plan(config)
        device = build.choose_device(config["device"])
        torch.set_num_threads(int(config["threads"]))
        with listening(options.quiet):
            built = build.build(config, device)
        _check_ahead(limits(config["until"], built.learner, built.task), saved)
        if config != old:
            run.describe("config.yaml", compose.dump(config))
        run.info["signature"] = build.signature(run.info["core"], config["until"])
        run.resume()
    return _go(run, built, planned, options)


@contextmanager
def _held(run: Run) -> Iterator[Run]:
    """The run as it is now, locked; let go when something is wrong with going on.

    Raises:
        UsageError: another process has it.
    """
    try:
        run.lock()
    except Busy as error:
        raise UsageError(str(error)) from None
    try:
        run.info = Run.open(run.path).info
        yield run
    except BaseException:
        run.close()
        raise


def _check_words(words: Sequence[str]) -> None:
    for word in words:
        key = word.lstrip("+~").partition("=")[0].partition(".")[0]
        if key not in _CHANGEABLE:
            raise UsageError(f"--resume may change {', '.join(_CHANGEABLE)}; {key} is part of what is trained")


def _check_longer(run: Run, old: Mapping[str, Any], new: Mapping[str, Any], saved: Mapping[str, Any] | None) -> None:
    """A completed run goes on only when it may become longer, and has what it goes on from."""
    if run.info["status"] != "completed":
        return
    if all(new[name] == old[name] for name in ("until", "patience")):
        raise UsageError(f"run {run.id} is completed; steps=N or epochs=N beyond {old['until']} goes on with it")
    if saved is None:
        raise UsageError(f"run {run.id} is completed and its {run.checkpoint_path('last')} is gone: it cannot go on")


def _check_ahead(stops: Sequence[tuple[str, int | float]], saved: Mapping[str, Any] | None) -> None:
    """A run cannot become shorter than it is: its weights are those of all its steps. The last step may overshoot."""
    if saved is None or not saved["step"]:
        return
    for name, limit in stops:
        done = {"steps": saved["step"], **saved["counters"]}.get(name, 0)
        if done - limit >= done / saved["step"] > 0:
            raise UsageError(f"the run has done {done:,} {name} already; {limit:,g} lies behind it")


def _extended(old: Mapping[str, Any], words: Sequence[str]) -> dict[str, Any]:
    """The old configuration with the words applied; a new `steps` or `epochs` takes the place of both."""
    config = compose.change(old, words)
    short = {name: config[name] for name in ("steps", "epochs") if config[name] is not None}
    if short:
        kept = {name: limit for name, limit in config["until"].items() if name not in ("steps", "epochs")}
        config |= {"until": short | kept, "steps": None, "epochs": None}
    return config


def set_threads(config: Mapping[str, Any], core: str, device: torch.device) -> int:
    """Set the number of threads that the configuration asks for; `auto` takes the probe's answer.

    Raises:
        UsageError: it is neither auto nor at least 1.
    """
    wanted = config["threads"]
    if wanted == "auto":
        wanted = probe.best_threads(core, lambda: build.build(config, device).learner)
    if not isinstance(wanted, int) or wanted < 1:
        raise UsageError(f"threads is a whole number from 1, or auto, not {wanted!r}")
    torch.set_num_threads(wanted)
    return wanted


def _go(run: Run, built: build.Built, planned: Plan, options: Options) -> Run:
    """Fit, score, and write down how it ended, whatever happens."""
    title = run.info["name"] or run.info["label"]
    shown = progress.choose(options.show, title, built.task.main.metric, run.note, quiet=options.quiet)
    signals = Signals()
    error: BaseException | None = None
    try:
        with shown, signals.caught():
            ending = fit(built.learner, built.task, run, planned, shown, signals)
            if ending.status == "completed":
                run.info["metrics"] = score_best(run, built.task, built.learner.model)
    except BaseException as caught:  # noqa: BLE001 - how it ended is written down, whatever it was
        error, ending = caught, _broken(caught)
    _finish(run, ending, error, shown.say)
    if isinstance(error, UsageError):
        raise error
    run.error = error
    return run


def plan(config: Mapping[str, Any]) -> Plan:
    """When to stop, score, log and save, of a configuration.

    Raises:
        UsageError: an interval is below 1.
    """
    names = ("eval_every", "log_every", "checkpoint_every", "patience")
    if config["log_every"] is None:
        raise UsageError("log_every is a whole number, not null")
    for name in names:
        if config[name] is not None and config[name] < 1:
            raise UsageError(f"{name} is at least 1, not {config[name]}")
    return Plan(config["until"], **{name: config[name] for name in names}, wall=config["wall"])


def score_best(run: Run, task: Task, model: nn.Module | None) -> dict[str, dict[str, float]]:
    """Valid and test scores of best.pt, the one time that test data are touched by training."""
    if model is None:
        return {}
    path = run.checkpoint_path("best")
    if path.exists():
        model.load_state_dict(read_checkpoint(path)["model"])
    return {split: evaluate(model, task, split) for split in ("valid", "test")}


def _finish(run: Run, ending: Ending, error: BaseException | None, say: Callable[[str], None]) -> None:
    """Write down how it ended, as far as the disk lets us."""
    if error is not None and not isinstance(error, KeyboardInterrupt):
        _try_to(run.note, "".join(traceback.format_exception(error)))
    _try_to(say, f"{ending.status} at step {run.info['steps']:,}: {ending.reason}")
    try:
        run.finish(ending.status, ending.exit_code, reason=ending.reason)
    except OSError as failed:
        print(f"run.json: {failed}", file=sys.stderr)  # noqa: T201 - the log cannot be written either


def _try_to(say: Callable[[str], None], text: str) -> None:
    try:
        say(text)
    except OSError as error:
        print(f"log.txt: {error}", file=sys.stderr)  # noqa: T201 - the log itself cannot be written


def _broken(error: BaseException) -> Ending:
    """How a run ends that an exception ended."""
    if isinstance(error, KeyboardInterrupt):
        return Ending("stopped", 130, "interrupted twice")
    if is_out_of_memory(error):
        return Ending("failed", 4, "out of memory")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return Ending("failed", 1, f"{os.strerror(error.errno)}; the last checkpoint is intact")
    lines = str(error).strip().splitlines() or [""]
    return Ending("failed", 2 if isinstance(error, UsageError) else 1, f"{type(error).__name__}: {lines[0][:300]}")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the machine, or PyTorch's allocator, had no more."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "allocate memory" in str(error)
    )


def _take_weights(model: nn.Module, source: Run) -> None:
    state = read_checkpoint(source.checkpoint_path("best"))
    try:
        model.load_state_dict(state["model"])
    except (RuntimeError, KeyError, TypeError) as error:
        raise Mismatch(f"run {source.id} has other weights: {str(error).splitlines()[-1].strip()}") from None


def describe_spec(task: Task) -> dict[str, Any]:
    """What the model was made for, as plain values."""
    parts = {f"input {number}": part for number, part in enumerate(task.spec.inputs)} | {"target": task.spec.target}
    return {
        name: {"kind": type(part).__name__, "width": part.width, "axes": len(part.positions)}
        for name, part in parts.items()
    } | {"given": sorted(task.spec.given)}


def reach(model: nn.Module, task: Task) -> dict[str, int]:
    """Receptive field and sequence length in steps, of models that have one."""
    field = getattr(model, "receptive_field", None)
    if not isinstance(field, int):
        return {}
    return {"receptive_field": field, "length": int(task.batch("valid", 0).inputs[0].shape[-1])}


def _keep_environment(run: Run, device: str, threads: int) -> None:
    facts, patch = environment.describe(device, threads)
    run.describe("environment.json", json.dumps(facts, indent=1) + "\n")
    if patch:
        run.describe("git.patch", patch)
