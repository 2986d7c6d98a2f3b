"""Usage errors: a code, its fields, and one renderer for the text."""

import difflib
import re
from collections.abc import Iterable
from typing import Any

DISTRIBUTION = "dlcli-lab"
"""Name under which pip installs dlcli; `dlcli` on PyPI could be another project."""


def install_command(extra: str) -> str:
    """Return the command that installs dlcli's optional dependencies of this name."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"


MESSAGES = {
    "invalid_value": "{key} must be {must}, got {got}",
    "invalid_data": "{path}: {problem}",
    "unreadable": "cannot parse {text}",
    "unknown_key": "unknown key {key}",
    "unknown_name": "unknown {kind} {name}",
    "unknown_counter": "{key}: unknown counter",
    "required": "{key} is required{reason}",
    "requires": "{key} requires {requirement}",
    "conflict": "{first} and {second} cannot be combined{reason}",
    "mismatch": "{subject} requires {requirement}, got {got}",
    "unsupported": "{subject} does not support {feature}",
    "missing_file": "{path}: no such file or directory",
    "missing_package": "{feature} requires the package {package}",
    "damaged": "{path} is damaged: {problem}",
    "not_found": "{kind} not found: {name}",
    "ambiguous": "{name} matches {count} {kind}: {matches}",
    "not_resumable": "{path} cannot be resumed: {reason}",
    "unreported_metric": "{subject} does not report the metric {name}",
    "undeclared_metric": "{subject} reports the metric {name} without declaring its direction",
    "no_source": "the source code of {target} is not available, so its runs cannot be identified",
    "untrusted": "the code of {target} in {folder} is not trusted",
    "code_changed": "the source code of {target} has changed since {path} was created",
    # config
    "invalid_configuration": "invalid configuration: {problem}",
    "construction_failed": "{key} cannot be constructed: {problem}",
    # launch
    "worker_failed": "{text}",
    "rejected": "{subject} rejected {feature}{reason}",
    # dlcli.report
    "not_comparable": "none of the {count} runs can be compared",
    # commands
    "unavailable_claim": "claim {name} cannot be run yet: it requires {requirement}",
    "running_run": "run {id} is running ({process})",
    "locked_run": "run {id} is locked by another process",
    "no_matching_runs": "no run matches --where, --since and --status (of {count} selected)",
    "no_runs": "no runs in {path} yet",
    "download_failed": "cannot download {url}{reason}",
    # dlcli.sketching
    "invalid_graph": "invalid object graph: {problem}",
}
"""The statement of each error code. Every error can also have a `hint` (what to do) and `known` names."""

SYNONYMS = {
    "learning_rate": "lr", "learningrate": "lr", "batch_size": "batch", "batchsize": "batch", "bs": "batch",
    "max_epochs": "epochs", "num_epochs": "epochs", "n_epochs": "epochs", "max_steps": "steps", "num_steps": "steps",
    "optim": "optimizer", "optimiser": "optimizer", "scheduler": "schedule", "lr_scheduler": "schedule",
    "loss": "objective", "criterion": "objective", "dataset": "task", "data": "task", "dataloader": "task",
    "architecture": "model", "network": "model", "gpus": "device", "gpu": "device", "accelerator": "device",
    "num_gpus": "devices", "world_size": "devices", "amp": "precision", "bf16": "precision",
    "fp16": "precision", "dtype": "precision", "early_stopping": "patience", "random_seed": "seed",
    "num_threads": "threads", "output": "out", "output_dir": "out", "gradient_clip": "clip", "grad_clip": "clip",
    "tune": "search", "hpo": "search", "sweep": "search", "fit": "train", "run": "train", "test": "eval",
    "evaluate": "eval", "validate": "eval", "models": "list models", "tasks": "list tasks", "recipes": "list recipes",
    "ls": "list", "benchmark": "compare", "rm": "runs rm", "delete": "runs rm",
}  # fmt: skip
"""Names that newcomers use, and dlcli's own. They are consulted before the spelling distance."""

_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_LONGEST, _LONGEST_PROBLEM = 120, 300  # characters of a value in a message


class UsageError(ValueError):
    """Usage, configuration or data are wrong: one to five lines for the user, exit code 2.

    Args:
        code: a key of `MESSAGES`.
        fields: the values of the message; `hint` is a line or two on what to do, `known` the names among which the
            nearest one to `name` or `key` is suggested.
    """

    def __init__(self, code: str, /, **fields: Any) -> None:
        super().__init__(code, fields)
        self.code = code
        self.fields = fields

    def __str__(self) -> str:
        return render(self.code, self.fields)

    def __reduce__(self) -> Any:
        return _rebuild, (type(self), self.code, self.fields)


class Mismatch(UsageError):
    """A model, objective or checkpoint does not fit the task it was given."""


class Missing(UsageError):
    """A file or package is missing; the hint names the command that gets it."""


class Unresumable(UsageError):
    """A run cannot be resumed because its checkpoint does not hold the complete learner state."""


def _rebuild(kind: type[UsageError], code: str, fields: dict[str, Any]) -> UsageError:
    return kind(code, **fields)


def render(code: str, fields: dict[str, Any]) -> str:
    """Text of an error: the statement, the hint, and the nearest known name.

    A code that is not in `MESSAGES` is the text itself.
    """
    if code not in MESSAGES:
        return code
    shown = {name: _value(name, value) for name, value in fields.items()}
    if shown.get("reason"):
        shown["reason"] = shown["reason"] if code == "not_resumable" else f": {shown['reason']}"
    statement = MESSAGES[code].format_map({"reason": "", **shown})
    given = str(fields.get("name", fields.get("key", "")))
    if fields.get("known"):
        statement += nearest(given, fields["known"])
    hint = fields.get("hint")
    return f"{statement}\n{hint}" if hint else statement


_QUOTED = ("got", "name")


def _value(name: str, value: Any) -> str:
    """A field as text: printable, bounded, quoted where it repeats what the user wrote."""
    text = repr(value) if name in _QUOTED and isinstance(value, str) else str(value)
    text = _UNSAFE.sub(" ", text)
    longest = _LONGEST_PROBLEM if name == "problem" else _LONGEST
    return text if len(text) <= longest or name in ("path", "hint") else f"{text[:longest]}..."


def nearest(name: str, known: Iterable[str]) -> str:
    """` (did you mean "tcn"?)`, or the known names if no name is near, or nothing if there are no names."""
    names = sorted(set(known))
    lower = {other.lower(): other for other in names}
    spelled = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.5)
    close = synonym(name, names) or next((lower[match] for match in spelled), None)
    if close:
        return f' (did you mean "{close}"?)'
    if not names:
        return ""
    more = ", ..." if len(names) > 12 else ""
    return f" (available: {', '.join(names[:12])}{more})"


def synonym(name: str, known: Iterable[str]) -> str | None:
    """The known name that differs only in case or is dlcli's word for it."""
    names = list(known)
    lower = {other.lower(): other for other in names}
    own = SYNONYMS.get(name.lower(), name.lower())
    return lower.get(own) or (own if own != name.lower() and own.split()[0] in names else None)
