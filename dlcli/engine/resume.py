"""`dlcli train --resume`: resume a run from its last checkpoint."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from dlcli import loggers
from dlcli.config import build, catalogue, identity, run_config, schema
from dlcli.core.errors import Unresumable, UsageError
from dlcli.core.learner import Learner
from dlcli.core.limits import finished
from dlcli.engine.checkpoint import read_last
from dlcli.engine.device import choose_device
from dlcli.engine.fit import limits
from dlcli.engine.lifecycle import execute_run
from dlcli.engine.options import Options, captured_messages
from dlcli.engine.train import plan
from dlcli.launch.rollout import check_distributed
from dlcli.runs import selectors
from dlcli.runs.run import Run, RunLocked


def resume(selector: str, words: Sequence[str], options: Options) -> Run:
    """Resume a run from its last checkpoint, or from step 0 if it has none.

    Args:
        selector: path, id prefix, position, @TAG or last.
        words: overrides; only limits, device, intervals and logging may change.

    Raises:
        UsageError: the run is running or complete, or an override changes the training.
        Unresumable: the learner does not save its complete state.
    """
    with locked(selectors.one(selector, options.out)) as run:
        if run.info["verb"] != options.verb:
            raise _other_command(run, options.verb)
        _check_words(words)
        old = run_config.read(run.path / "config.yaml")
        config = with_overrides(old, words)
        saved = read_last(run)
        _check_longer(run, old, config, saved)
        planned = plan(config)
        loggers.tracker_names(config)
        device = choose_device(config["device"])
        identity.check_code(config, run.info.get("code"), run.path)
        identity.check_versions(config, run.info.get("code"), run.path)
        with captured_messages(options.quiet):
            built = build.build(config, device)
        _check_resumable(run, built.learner)
        _check_unfinished(run, built.learner, saved)
        check_distributed(built.learner, options)
        _check_ahead(limits(config["until"], built.learner, built.task), saved)
        if config != old:
            run.configure(run_config.dump(config), config)
        run.info["signature"] = identity.signature(run.info["core"], config["until"])
        run.resume()
        loggers.attach(run, config, saved["step"] if saved else 0)
    return execute_run(run, built, planned, options, int(config["threads"]))


@contextmanager
def locked(run: Run) -> Iterator[Run]:
    """Lock a run and read its current record; the lock is released if the block raises.

    Raises:
        UsageError: another process is running it.
    """
    try:
        run.lock()
    except RunLocked as error:
        raise UsageError("not_resumable", path=run.path, reason=str(error)) from None
    try:
        run.info = Run.open(run.path).info
        yield run
    except BaseException:
        run.close()
        raise


def _other_command(run: Run, command: str) -> UsageError:
    """The error for a run that another command than `command` started."""
    own = run.info["verb"]
    reason = f"it was started by dlcli {own}, not dlcli {command}"
    hint = f"Type: dlcli {own} --resume {run.id}" if own in catalogue.VERBS else f"dlcli {own} has no --resume."
    return UsageError("not_resumable", path=f"run {run.id}", reason=reason, hint=hint)


def _check_words(words: Sequence[str]) -> None:
    for word in words:
        key = word.lstrip("+~").partition("=")[0].partition(".")[0]
        if key not in (allowed := schema.resumable("train")):
            hint = f"--resume can change: {', '.join(allowed)}"
            raise UsageError("unsupported", subject="--resume", feature=f"a change of {key}", hint=hint)


def _check_resumable(run: Run, learner: Learner) -> None:
    if not getattr(learner, "resumable", True):
        reason = f"{type(learner).__name__} uses a library whose state cannot be saved completely"
        hint = f"Start it again: dlcli {run.info['verb']} {run.path / 'config.yaml'}"
        raise Unresumable("not_resumable", path=f"run {run.id}", reason=reason, hint=hint)


def _check_unfinished(run: Run, learner: Learner, saved: Mapping[str, Any] | None) -> None:
    """Check that the learner of a completed run has not terminated by itself: no limit extends such a run.

    Raises:
        Unresumable: it has.
    """
    if saved is None or run.info["status"] != "completed" or not hasattr(learner, "finished"):
        return
    learner.load_state_dict(saved["learner"])
    if finished(learner):
        reason = f"{type(learner).__name__} finished after {saved['step']:,} steps"
        raise Unresumable("not_resumable", path=f"run {run.id}", reason=reason, hint="Start a new run: dlcli train")


def _check_longer(run: Run, old: Mapping[str, Any], new: Mapping[str, Any], saved: Mapping[str, Any] | None) -> None:
    """Check that a completed run has a higher limit and still has its last checkpoint."""
    if run.info["status"] != "completed":
        return
    if all(new[name] == old[name] for name in ("until", "patience")):
        if not old["until"]:
            reason, hint = "it is complete, and its learner terminates by itself", "Start a new run: dlcli train"
            raise UsageError("not_resumable", path=f"run {run.id}", reason=reason, hint=hint)
        reached = ", ".join(f"{name} above {limit:g}" for name, limit in old["until"].items())
        reason, hint = "it is complete", f"Give {reached or 'steps=N'} to continue it."
        raise UsageError("not_resumable", path=f"run {run.id}", reason=reason, hint=hint)
    if saved is None:
        reason, hint = "it is complete and its last checkpoint is missing", str(run.checkpoint_path("last"))
        raise UsageError("not_resumable", path=f"run {run.id}", reason=reason, hint=hint)


def _check_ahead(stops: Sequence[tuple[str, int | float]], saved: Mapping[str, Any] | None) -> None:
    """Check that no limit lies before the checkpoint; the last step may overshoot a limit."""
    if saved is None or not saved["step"]:
        return
    for name, limit in stops:
        done = {"steps": saved["step"], **saved["counters"]}.get(name, 0)
        if done - limit >= done / saved["step"] > 0:
            raise UsageError("invalid_value", key=name, must=f"at least {done:,} (done already)", got=limit)


def with_overrides(old: Mapping[str, Any], words: Sequence[str]) -> dict[str, Any]:
    """Apply overrides to a configuration; a new `steps` or `epochs` replaces both limits."""
    config = run_config.change(old, words)
    short = {name: config[name] for name in ("steps", "epochs") if config[name] is not None}
    if short:
        others = {name: limit for name, limit in config["until"].items() if name not in ("steps", "epochs")}
        config |= {"until": short | others, "steps": None, "epochs": None}
    return config
