"""Points of a search: the training runs that its words, its trials and its result stand for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from dlcli.config import run_config, schema
from dlcli.config.checks import first_line
from dlcli.config.compose import Point, expand
from dlcli.config.overrides import key_of, latest
from dlcli.core.errors import Missing, UsageError
from dlcli.runs import selectors


@dataclass(frozen=True)
class Base:
    """What all trials of a search share: the words of a verb, its recipe first where there is one."""

    verb: str
    words: tuple[str, ...]

    @classmethod
    def of(cls, info: Mapping[str, Any], recipe: str | None) -> "Base":
        """Of the search with this run.json.

        Args:
            recipe: of `train`, for networks that are not trained as the search trains its own: of the search's words
                those about the task and the machine come along.
        """
        if recipe is None:
            own = [info["recipe"]] if info["recipe"] else []
            return cls("search", (*own, *info["words"]))
        allowed = {*schema.having("retrain"), "batch"}
        kept = [word for word in info["words"] if word.lstrip("+~").partition("=")[0].partition(".")[0] in allowed]
        return cls("train", (recipe, f"task={info['task']}", *kept))


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


def best_overrides(path: Path) -> list[str]:
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


def of_result(selector: str, overrides: Sequence[str], out: Path, extra: Sequence[Path]) -> list[Point]:
    """Compose training runs of the best configuration of a search, changed by overrides.

    Raises:
        UsageError: the run is not a search, or has no result yet.
    """
    source = selectors.one(selector, out)
    if source.info["verb"] != "search":
        raise UsageError(f"--from-search: run {source.id} is of dlcli {source.info['verb']}, not of search")
    best = best_overrides(source.path / "artifacts" / "best.yaml")
    base = Base.of(source.info, run_config.read(source.path / "config.yaml")["retrain"]["recipe"])
    return trials(base.verb, [*base.words, *best, *overrides], None, extra)
