"""Aliases: previous names of configuration keys and groups, accepted for one version with a note."""

import logging

KEYS = {
    "optimiser": "optimizer",
    "initial": "initializer",
    "nonlocal_initial": "nonlocal_initializer",
    "start": "warp_init",
    "form": "variant",
    "nonlocal_form": "nonlocal_variant",
    "wall": "wall_time_limit",
}
"""New name by previous name of a key, of a segment of a dotted key, or of a group."""

OPTIONS = ("norm", "warp_init")
"""Former groups that are now plain options: `norm@model.norm=batch` is `model.norm=batch`."""

_LOG = logging.getLogger("dlcli.aliases")
_NOTED: set[str] = set()


def renamed(key: str) -> str:
    """Return the key with the new name of every segment: `optimiser.lr` becomes `optimizer.lr`."""
    group, at, package = key.rpartition("@")
    return KEYS.get(group, group) + at + ".".join(KEYS.get(part, part) for part in package.split("."))


def note(old: str, new: str) -> None:
    """Log once per process that a key has a new name."""
    if old not in _NOTED:
        _NOTED.add(old)
        _LOG.warning("note: %s is now %s", old, new)
