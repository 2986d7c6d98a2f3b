"""Saved configurations: read, write and change the resolved config.yaml of a run."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from dlcli.config import checks, migrate, schema
from dlcli.config.checks import first_line
from dlcli.config.overrides import check_override, parse, quoted, renamed
from dlcli.core.errors import Missing, UsageError


def read(path: Path) -> dict[str, Any]:
    """Read the config.yaml of a run as plain values.

    Raises:
        UsageError: it is missing or damaged.
    """
    try:
        config = load(path.read_text(encoding="utf-8"))
        _check_complete(config, path)
        return config
    except FileNotFoundError:
        raise Missing("missing_file", path=path, hint="Without it the run cannot be rebuilt") from None
    except UnicodeDecodeError:
        raise UsageError("damaged", path=path, problem="not UTF-8 text") from None


def _check_complete(config: Mapping[str, Any], path: Path) -> None:
    """Compare the keys with those of config.json beside the file: a truncated YAML can still be valid.

    Raises:
        UsageError: a key is missing.
    """
    try:
        stored = json.loads(path.with_name("config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return
    missing = _keys(migrate.renamed_keys(stored)) - _keys(config)
    if missing:
        problem = f"{len(missing)} keys of config.json are missing, for example {min(missing)}"
        raise UsageError("damaged", path=path, problem=problem)


def _keys(node: Any, prefix: str = "") -> set[str]:
    """All dotted keys of nested mappings."""
    if not isinstance(node, Mapping):
        return set()
    keys = {f"{prefix}{key}" for key in node}
    return keys.union(*(_keys(part, f"{prefix}{key}.") for key, part in node.items()))


def load(text: str) -> dict[str, Any]:
    """Parse the text of a config.yaml into plain values; previous names of keys and classes are migrated.

    Raises:
        UsageError: it is damaged.
    """
    try:
        plain = OmegaConf.to_container(OmegaConf.create(text), resolve=True)
    except Exception as error:  # noqa: BLE001 - YAML and OmegaConf raise many kinds for a damaged file
        raise UsageError("damaged", path="config.yaml", problem=first_line(error)) from None
    if not isinstance(plain, dict) or not {*schema.required()} <= {*plain}:
        raise UsageError("damaged", path="config.yaml", problem=f"{', '.join(schema.required())} are required")
    return migrate.renamed_keys({str(key): value for key, value in plain.items()})


def dump(config: Mapping[str, Any]) -> str:
    """Format plain values as YAML."""
    return OmegaConf.to_yaml(OmegaConf.create(dict(config)))


def change(config: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Apply overrides to a resolved configuration and return the result.

    Args:
        config: plain values; not modified.
        overrides: `key=value`.

    Raises:
        UsageError: an override is invalid, or its key does not exist.
    """
    for word in overrides:
        check_override(word)
    changed = OmegaConf.create(dict(config))
    for word in [checks.with_present_names(quoted(renamed(word)), changed) for word in overrides]:
        override = parse(word)
        if override.is_sweep_override():
            raise UsageError("invalid_value", key=override.key_or_group, must="one value", got=word)
        checks.check_value(word, override, changed)
        OmegaConf.update(changed, override.key_or_group, override.value(), force_add=True)
    return json.loads(json.dumps(OmegaConf.to_container(changed, resolve=True)))
