"""Stores that a run of sketches extends, and the compatibility of new scenes with them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dlcli.commands.sketch.store import open_store
from dlcli.commands.sketch.writer import SceneRange
from dlcli.core.errors import Mismatch
from dlcli.engine.options import Options
from dlcli.runs import selectors
from dlcli.sketching.recursive.store import Store, check_compatible, data_key, merge


@dataclass(frozen=True)
class Base:
    """The merged stores that are extended, and the IDs of their runs."""

    store: Store
    name: str

    def check(self, about: Mapping[str, Any], scenes: SceneRange) -> None:
        """Check that sketches of `scenes` can be appended.

        Args:
            about: facts of the new store.
            scenes: the new scenes.

        Raises:
            Mismatch: networks or matrices differ, or a scene is already in the store.
        """
        check_compatible(self.store.about, about, self.name, "the new sketches")
        begin = 0
        for part in self.store.about["parts"]:
            rows = self.store.row[begin : begin + part["scenes"]].tolist()
            begin += part["scenes"]
            common = [row for row in rows if row in scenes.numbers]
            if common and data_key(part["data"]) == data_key(about["data"]):
                raise Mismatch(
                    "conflict", first=f"scene {min(common)}", second=f"append={self.name}",
                    reason="the scene is already in the store", hint=f"skip={max(rows) + 1} starts after its scenes",
                )  # fmt: skip


def sources_of(config: Mapping[str, Any]) -> list[str]:
    """The runs named by `append=`."""
    value = config["append"]
    return [] if value is None else [value] if isinstance(value, str) else [str(selector) for selector in value]


def base_of(config: Mapping[str, Any], options: Options) -> Base | None:
    """The merged stores named by `append=`; None without it.

    Raises:
        UsageError: a run has no store.
        Mismatch: the stores are incompatible or have a common scene.
    """
    bases = [open_store(selectors.one(selector, options.out)) for selector in sources_of(config)]
    if not bases:
        return None
    names = [base.name for base in bases]
    return Base(merge([base.store for base in bases], names), ", ".join(names))
