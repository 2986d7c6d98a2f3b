"""Old names of configuration keys and groups, accepted for one version with a note."""

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
"""Old name -> new name of a key, of any segment of a dotted key, or of a group."""

OPTIONS = ("norm", "warp_init")
"""Former groups that are plain options now: `norm@model.norm=batch` is `model.norm=batch`."""

_LOG = logging.getLogger("dlcli.aliases")
_NOTED: set[str] = set()


def renamed(key: str) -> str:
    """The key with every segment under its new name: `optimiser.lr` is `optimizer.lr`."""
    group, at, place = key.rpartition("@")
    return KEYS.get(group, group) + at + ".".join(KEYS.get(part, part) for part in place.split("."))


def note(old: str, new: str) -> None:
    """Tell the user once per process that a key has a new name."""
    if old not in _NOTED:
        _NOTED.add(old)
        _LOG.warning("note: %s is now %s", old, new)
