"""`dlcli train --resume`: go on with a run from its last checkpoint."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from dlcli import loggers
from dlcli.config import build, catalogue, identity, run_config, schema
from dlcli.core.errors import Unresumable, UsageError
from dlcli.core.learner import Learner
from dlcli.engine.checkpoint import read_last
from dlcli.engine.device import choose_device
from dlcli.engine.fit import limits
from dlcli.engine.lifecycle import execute_run
from dlcli.engine.options import Options, listening
from dlcli.engine.train import plan
from dlcli.launch.rollout import check_shared
from dlcli.runs import selectors
from dlcli.runs.run import Busy, Run


def resume(selector: str, words: Sequence[str], options: Options) -> Run:
    """Go on with a run from its last checkpoint, or from the beginning when it has none.

    Raises:
        UsageError: the run is alive or done, or the words change what is trained.
        Unresumable: its learner does not save all of its state.
    """
    with held(selectors.one(selector, options.out)) as run:
        if run.info["verb"] != options.verb:
            raise UsageError(_other(run, options.verb))
        _check_words(words)
        old = run_config.read(run.path / "config.yaml")
        config = extended(old, words)
        saved = read_last(run)
        _check_longer(run, old, config, saved)
        planned = plan(config)
        loggers.chosen(config)
        device = choose_device(config["device"])
        identity.check_code(config, run.info.get("code"), run.path)
        identity.check_versions(config, run.info.get("code"), run.path)
        with listening(options.quiet):
            built = build.build(config, device)
        _check_resumable(run, built.learner)
        check_shared(built.learner, options)
        _check_ahead(limits(config["until"], built.learner, built.task), saved)
        if config != old:
            run.configure(run_config.dump(config), config)
        run.info["signature"] = identity.signature(run.info["core"], config["until"])
        run.resume()
        loggers.attach(run, config, saved["step"] if saved else 0)
    return execute_run(run, built, planned, options, int(config["threads"]))


@contextmanager
def held(run: Run) -> Iterator[Run]:
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


def _other(run: Run, verb: str) -> str:
    """Why a run of another verb is not gone on with here."""
    if run.info["verb"] in catalogue.VERBS:
        return f"run {run.id} is of dlcli {run.info['verb']}: dlcli {run.info['verb']} --resume {run.id}, not {verb}"
    return f"run {run.id} is of dlcli {run.info['verb']}, which are not resumed"


def _check_words(words: Sequence[str]) -> None:
    for word in words:
        key = word.lstrip("+~").partition("=")[0].partition(".")[0]
        if key not in (allowed := schema.resumable("train")):
            hint = f"--resume can change: {', '.join(allowed)}"
            raise UsageError("unsupported", subject="--resume", feature=f"a change of {key}", hint=hint)


def _check_resumable(run: Run, learner: Learner) -> None:
    if not getattr(learner, "resumable", True):
        raise Unresumable(
            f"run {run.id} cannot be resumed: {type(learner).__name__} runs a library whose state is not all saved; "
            "begin it anew"
        )


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


def extended(old: Mapping[str, Any], words: Sequence[str]) -> dict[str, Any]:
    """The old configuration with the words applied; a new `steps` or `epochs` takes the place of both."""
    config = run_config.change(old, words)
    short = {name: config[name] for name in ("steps", "epochs") if config[name] is not None}
    if short:
        kept = {name: limit for name, limit in config["until"].items() if name not in ("steps", "epochs")}
        config |= {"until": short | kept, "steps": None, "epochs": None}
    return config
