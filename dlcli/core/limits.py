"""Limits by counter: how long a learner runs."""

from collections.abc import Mapping

from dlcli.core.errors import UsageError
from dlcli.core.learner import Learner
from dlcli.core.task import Task


def limits(
    until: Mapping[str, int | float], learner: Learner, task: Task, key: str = "until"
) -> list[tuple[str, int | float]]:
    """The limits by counter; epochs become batches of the training split.

    A learner that can finish (it has `finished`) requires no limit.

    Args:
        until: limits by counter; `steps`, `seconds` and, for learners that count batches, `epochs` are always known.
        key: the configuration key of `until`, for messages.

    Raises:
        UsageError: there is no limit, or one on something the learner does not count.
    """
    if not until and not hasattr(learner, "finished"):
        raise UsageError("required", key=key, hint=f"Set steps=N, epochs=N or {key}={{samples: N}}.")
    known = ("steps", *(["epochs"] if "batches" in learner.counters else []), *learner.counters, "seconds")
    found = []
    for name, limit in until.items():
        if name not in known:
            raise UsageError("unknown_counter", key=f"{key}.{name}", name=name, known=known)
        found.append(("batches", limit * task.size("train")) if name == "epochs" else (name, limit))
    return found


def finished(learner: Learner) -> bool:
    """Whether the learner has reached an end of its own."""
    return bool(getattr(learner, "finished", False))
