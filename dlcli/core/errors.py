"""What a user did wrong, in words."""

import difflib
from collections.abc import Iterable


class UsageError(ValueError):
    """Usage, configuration or data are wrong: one to five lines for the user, exit code 2."""


class Mismatch(UsageError):
    """A model, objective or checkpoint does not fit the task it was given."""


class Missing(UsageError):
    """A file or package is not there; the message says which command gets it."""


class Unresumable(UsageError):
    """A run cannot go on from its checkpoint, which does not hold all of its learner's state."""


def nearest(name: str, known: Iterable[str]) -> str:
    """` (did you mean "tcn"?)`, or the known names when nothing is near, or nothing when there are none."""
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f' (did you mean "{close[0]}"?)'
    if not names:
        return ""
    more = ", ..." if len(names) > 12 else ""
    return f" (there are: {', '.join(names[:12])}{more})"
