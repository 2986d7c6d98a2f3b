"""Configurations of a search: its trials, and training runs of its result."""

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
class SearchBase:
    """The overrides that all trials of a search share.

    Args:
        verb: command that the overrides belong to.
        words: overrides, preceded by the recipe if there is one.
    """

    verb: str
    words: tuple[str, ...]

    @classmethod
    def of(cls, info: Mapping[str, Any], recipe: str | None) -> "SearchBase":
        """Read the base of a search from its run.json.

        Args:
            info: content of run.json.
            recipe: recipe of `train` for networks that are not trained as in the search; the overrides of the search
                that concern task and machine are added to it. None: the search's own recipe and overrides.
        """
        if recipe is None:
            own = [info["recipe"]] if info["recipe"] else []
            return cls("search", (*own, *info["words"]))
        allowed = {*schema.with_flag("retrain"), "batch"}
        overrides = [word for word in info["words"] if key_of(word).partition(".")[0] in allowed]
        return cls("train", (recipe, f"task={info['task']}", *overrides))


def compose_trials(verb: str, words: Sequence[str], label: str | None, extra: Sequence[Path] = ()) -> list[Point]:
    """Compose the training runs of a search: one run per trial.

    Args:
        verb: command that the overrides belong to.
        words: overrides, preceded by the recipe if there is one; the last override of each key applies.
        label: folder of the runs; None for `<task>_<model>`.
        extra: folders given by `--config-dir`.

    Raises:
        UsageError: as in `expand`.
    """
    overrides = latest(words)
    keys = [key_of(word) for word in overrides]
    short = [f"{name}=null" for name in ("steps", "epochs") if "until" in keys and name not in keys]
    return [_training_run(point, label) for point in expand(verb, [*overrides, *short], extra=extra)]


def best_overrides(path: Path) -> list[str]:
    """Read the overrides in the best.yaml of a search.

    Raises:
        UsageError: the file is missing or damaged.
    """
    try:
        overrides = OmegaConf.to_container(OmegaConf.load(path))["words"]  # type: ignore[index, call-overload]
    except FileNotFoundError:
        raise Missing("missing_file", path=path, hint="The search has no result yet") from None
    except Exception as error:  # noqa: BLE001 - YAML and OmegaConf raise many kinds for a damaged file
        raise UsageError("damaged", path=path, problem=first_line(error)) from None
    if not isinstance(overrides, list) or not all(isinstance(word, str) for word in overrides):
        raise UsageError("damaged", path=path, problem="words must be a list of key=value")
    return [str(word) for word in overrides]


def _training_run(point: Point, label: str | None) -> Point:
    """The run without the keys that only a search has."""
    config = point.config.copy()
    own = schema.only_of("search")
    for name in own:
        config.pop(name, None)
    choices = {group: name for group, name in point.choices.items() if group not in own}
    return Point("train", config, label, choices, point.words)


def compose_result(selector: str, overrides: Sequence[str], out: Path, extra: Sequence[Path]) -> list[Point]:
    """Compose training runs of the best configuration of a search, changed by overrides.

    Args:
        selector: selects the search run.
        overrides: applied after those of the result.
        out: folder of runs.
        extra: folders given by `--config-dir`.

    Raises:
        UsageError: the run is not a search, or has no result yet.
    """
    source = selectors.one(selector, out)
    if source.info["verb"] != "search":
        got = f"a run of dlcli {source.info['verb']} ({source.id})"
        raise UsageError("mismatch", subject="--from-search", requirement="a search", got=got)
    best = best_overrides(source.path / "artifacts" / "best.yaml")
    base = SearchBase.of(source.info, run_config.read(source.path / "config.yaml")["retrain"]["recipe"])
    return compose_trials(base.verb, [*base.words, *best, *overrides], None, extra)
