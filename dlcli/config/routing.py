"""Route words to their full keys: short keys, groups with one place, old names; groups told from values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from dlcli.config import checks, rerun, schema, short
from dlcli.config.overrides import Folders, key_of, latest, whole
from dlcli.config.primary import base, group_words


@dataclass(frozen=True)
class Request:
    """The words of one run, its recipe set apart.

    Args:
        recipe: None if the run has none; the absolute path of a saved config.yaml.
        words: the user's overrides.
        extra: folders of configuration that precede the packaged one.
        smoke: the recipe's overrides of --smoke, which precede the user's.
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
        """The configuration with members of groups chosen, before values are set, and the choices."""
        if self.saved:
            return _changed(self, tuple(groups))
        return base(self.verb, self.recipe, tuple(groups))


@dataclass(frozen=True)
class Routed:
    """The overrides of a run at their full keys.

    Args:
        groups: those that choose members of groups.
        own: values of the recipe's short keys.
        smoke: full words of the recipe's smoke size by the words as stated, groups included.
        typed: the user's values.
        lenient: True if the user replaced a group's member, so that settings of the recipe may not apply.
    """

    groups: tuple[str, ...]
    own: tuple[str, ...]
    smoke: Mapping[str, str]
    typed: tuple[str, ...]
    lenient: bool


def _changed(request: Request, groups: tuple[str, ...]) -> tuple[DictConfig, dict[str, str]]:
    """A saved configuration in which words have replaced members of groups."""
    config, choices = rerun.opened(Path(str(request.recipe)), request.verb, request.extra)
    if groups:
        composed, others = base(request.verb, None, groups)
        for word in groups:
            place = key_of(word).partition("@")[2] or key_of(word)
            OmegaConf.update(config, place, OmegaConf.select(composed, place), merge=False)
        choices |= {key: others[key] for key in map(key_of, groups)}
    return config, choices


def route(request: Request) -> Routed:
    """The overrides of a run at their full keys: short keys routed, groups told from values.

    Raises:
        UsageError: the learner has no place for a short key that the user typed.
    """
    plain = [word for word in (*request.smoke, *request.words) if not short.is_short(key_of(word))]
    config, choices = request.composed([word for word in group_words(plain, request.extra) if is_placed(word)])

    def full(word: str, strict: bool) -> str | None:
        if not short.is_short(key_of(word)):
            return checks.with_new_names(short.part_of(whole(word), choices, config), config)
        expanded = short.expand(word, config.learner)
        if expanded is None and strict:
            raise short.no_place(word, config.learner)
        return None if expanded is None else checks.with_new_names(expanded, config)

    of_recipe = [] if request.saved else short.of_recipe(config.copy(), request.extra)
    own = [expanded for word in of_recipe if (expanded := full(word, False))]
    smoke = {word: expanded for word in request.smoke if (expanded := full(word, False))}
    typed = [expanded for word in request.words if (expanded := full(word, True))]
    chosen = group_words([*own, *smoke.values(), *typed], request.extra)
    return Routed(
        tuple(latest(chosen)),
        tuple(word for word in own if word not in chosen),
        smoke,
        tuple(word for word in typed if word not in chosen),
        bool(group_words(typed, request.extra)),
    )


def is_placed(word: str) -> bool:
    """True if the word says where its member goes: `model=tcn`, `norm@model.norm=batch`."""
    key = key_of(word)
    return "@" in key or key in schema.groups()
