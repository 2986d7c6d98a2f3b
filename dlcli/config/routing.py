"""Route overrides to full keys (short keys, groups, previous names), and separate groups from values."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from dlcli.config import checks, rerun, schema, short
from dlcli.config.overrides import Folders, expand_exponent, key_of, latest
from dlcli.config.primary import base, group_overrides


@dataclass(frozen=True)
class Request:
    """Recipe and overrides of one run.

    Args:
        verb: command that runs it.
        recipe: name of the recipe, or absolute path of a saved config.yaml; None without a recipe.
        words: overrides of the user.
        extra: folders given by `--config-dir`.
        smoke: the recipe's overrides of `--smoke`, applied before the user's.
    """

    verb: str
    recipe: str | None
    words: tuple[str, ...]
    extra: Folders = ()
    smoke: tuple[str, ...] = ()

    @property
    def saved(self) -> bool:
        """True if the run starts from a saved configuration."""
        return self.recipe is not None and self.recipe.endswith(".yaml")

    def composed(self, groups: Sequence[str]) -> tuple[DictConfig, dict[str, str]]:
        """Compose the configuration with members of groups, before values are set.

        Returns:
            the configuration, and the selected member by group.
        """
        if self.saved:
            return _saved_with_groups(self, tuple(groups))
        return base(self.verb, self.recipe, tuple(groups))


@dataclass(frozen=True)
class Routed:
    """The overrides of a run at their full keys.

    Args:
        groups: overrides that select members of groups.
        own: values of the recipe's short keys.
        smoke: overrides of `--smoke` as (form in the recipe, full form), groups included.
        typed: values set by the user.
        lenient: True if the user replaced a member of a group, so that settings of the recipe may not apply.
    """

    groups: tuple[str, ...]
    own: tuple[str, ...]
    smoke: tuple[tuple[str, str], ...]
    typed: tuple[str, ...]
    lenient: bool


def _saved_with_groups(request: Request, groups: tuple[str, ...]) -> tuple[DictConfig, dict[str, str]]:
    """A saved configuration with other members of groups."""
    config, choices = rerun.load(Path(str(request.recipe)), request.verb, request.extra)
    if groups:
        composed, new_choices = base(request.verb, None, groups)
        for word in groups:
            package = key_of(word).partition("@")[2] or key_of(word)
            OmegaConf.update(config, package, OmegaConf.select(composed, package), merge=False)
        choices |= {key: new_choices[key] for key in map(key_of, groups)}
    return config, choices


def route(request: Request) -> Routed:
    """Return the overrides of a run at their full keys, groups separated from values.

    Raises:
        UsageError: the learner does not support a short key of the user.
    """
    plain = [word for word in (*request.smoke, *request.words) if not short.is_short(key_of(word))]
    config, choices = request.composed([word for word in group_overrides(plain, request.extra) if has_package(word)])

    def full(word: str, strict: bool) -> list[str]:
        if not short.is_short(key_of(word)):
            return [checks.with_present_names(short.complete_group_key(expand_exponent(word), choices, config), config)]
        expanded = short.expand(word, config.learner)
        if not expanded and strict:
            raise short.unsupported_key(word, config.learner)
        return [checks.with_present_names(full_word, config) for full_word in expanded]

    recipe_words = [] if request.saved else short.pop_recipe_keys(config.copy(), request.extra)
    own = [expanded for word in recipe_words for expanded in full(word, False)]
    smoke = tuple((word, expanded) for word in request.smoke for expanded in full(word, False))
    typed = [expanded for word in request.words for expanded in full(word, True)]
    unused = [word for word in recipe_words if not full(word, False)]
    short.report_unused(unused, str(request.recipe), config.learner)
    selections = group_overrides([*own, *(word for _, word in smoke), *typed], request.extra)
    return Routed(
        tuple(latest(selections)),
        tuple(word for word in own if word not in selections),
        smoke,
        tuple(word for word in typed if word not in selections),
        bool(group_overrides(typed, request.extra)),
    )


def has_package(word: str) -> bool:
    """Return True if the override determines the key of its member: `model=tcn`, `norm@model.norm=batch`."""
    key = key_of(word)
    return "@" in key or key in schema.groups()
