"""Points of a search: the training runs that its words, its trials and its result stand for."""

from collections.abc import Sequence
from pathlib import Path

from omegaconf import OmegaConf

from dlcli.config import schema
from dlcli.config.checks import first_line
from dlcli.config.compose import Point, expand
from dlcli.config.overrides import key_of, latest
from dlcli.core.errors import Missing, UsageError


def trials(verb: str, words: Sequence[str], label: str | None, extra: Sequence[Path] = ()) -> list[Point]:
    """Training runs of the words of a search, with further words appended: one run per trial.

    Args:
        verb: command that the words belong to.
        words: the recipe first, if there is one; the last word of each key counts.
        label: folder of the runs; None is `<task>_<model>`.

    Raises:
        UsageError: as in `expand`.
    """
    kept = latest(words)
    keys = [key_of(word) for word in kept]
    short = [f"{name}=null" for name in ("steps", "epochs") if "until" in keys and name not in keys]
    return [_of_train(point, label) for point in expand(verb, [*kept, *short], extra=extra)]


def found_words(path: Path) -> list[str]:
    """The overrides that a search's best.yaml lists.

    Raises:
        UsageError: it is missing or damaged.
    """
    try:
        words = OmegaConf.to_container(OmegaConf.load(path))["words"]  # type: ignore[index, call-overload]
    except FileNotFoundError:
        raise Missing("missing_file", path=path, hint="The search has no result yet") from None
    except Exception as error:  # noqa: BLE001 - YAML and OmegaConf raise many kinds for a damaged file
        raise UsageError("damaged", path=path, problem=first_line(error)) from None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise UsageError("damaged", path=path, problem="words must be a list of key=value")
    return [str(word) for word in words]


def _of_train(point: Point, label: str | None) -> Point:
    config = point.config.copy()
    own = schema.only_of("search")
    for name in own:
        config.pop(name, None)
    choices = {group: name for group, name in point.choices.items() if group not in own}
    return Point("train", config, label, choices, point.words)
