"""Limits of a run by counter (steps, epochs, samples, seconds ...)."""

from collections.abc import Mapping

from dlcli.core.errors import UsageError
from dlcli.core.learner import Learner
from dlcli.core.task import Task


def limits(
    until: Mapping[str, int | float], learner: Learner, task: Task, stage: str | None = None
) -> list[tuple[str, int | float]]:
    """Return the limits as (counter, value); epochs are converted to batches of the training split.

    A learner that terminates by itself (it has `finished`) requires no limit.

    Args:
        until: limits by counter: `steps`, `seconds`, the counters of the learner and, if it counts batches, `epochs`.
        learner: provides the counters.
        task: provides the number of batches per epoch.
        stage: name of the limited stage, which must not end by the clock so that a resumed run is exact; None: the run.

    Raises:
        UsageError: there is no limit, or a limit on an unknown counter.
    """
    key = "until" if stage is None else f"learner.stages.{stage}.until"
    known = ("steps", *(["epochs"] if "batches" in learner.counters else []), *learner.counters)
    known = known if stage is not None else (*known, "seconds")
    if not until and not hasattr(learner, "finished"):
        example = "steps=N, epochs=N or until={samples: N}" if stage is None else f"{key}={{steps: N}}"
        hint = f"Set {example}. Counters: {', '.join(known)}."
        raise UsageError("required", key=key, hint=hint)
    counters = []
    for name, limit in until.items():
        if name not in known:
            raise UsageError("unknown_counter", key=f"{key}.{name}", name=name, known=known)
        counters.append(("batches", limit * task.size("train")) if name == "epochs" else (name, limit))
    return counters


def finished(learner: Learner) -> bool:
    """Return True if the learner has terminated by itself."""
    return bool(getattr(learner, "finished", False))
