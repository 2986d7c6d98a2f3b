"""Stores that a run of sketches adds to, and what may be added to them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dlcli.commands.sketch.store import open_store
from dlcli.commands.sketch.writer import Window
from dlcli.core.errors import Mismatch
from dlcli.engine.options import Options
from dlcli.runs import selectors
from dlcli.sketching.recursive.store import Store, check_alike, merged, place_of


@dataclass(frozen=True)
class Before:
    """All scenes that come first, and the names of the runs that they are from."""

    store: Store
    name: str

    def check(self, about: Mapping[str, Any], window: Window) -> None:
        """Whether scenes of a window, sketched so, can be added.

        Raises:
            Mismatch: they are of another network or other matrices, or a scene is there already.
        """
        check_alike(self.store.about, about, self.name, "these")
        begin = 0
        for part in self.store.about["parts"]:
            rows = self.store.row[begin : begin + part["scenes"]].tolist()
            begin += part["scenes"]
            twice = [row for row in rows if row in window.numbers]
            if twice and place_of(part["data"]) == place_of(about["data"]):
                told = f"skip={max(rows) + 1} begins after its scenes"
                raise Mismatch(f"scene {min(twice)} of these data is in {self.name} already: {told}")


def sources_of(config: Mapping[str, Any]) -> list[str]:
    """The runs that `append=` names."""
    found = config["append"]
    return [] if found is None else [found] if isinstance(found, str) else [str(one) for one in found]


def before(config: Mapping[str, Any], options: Options) -> Before | None:
    """What `append=` asks for, put together; None where it asks for nothing.

    Raises:
        UsageError: a run has no store.
        Mismatch: the stores are not alike, or share a scene.
    """
    opened = [open_store(selectors.one(one, options.out)) for one in sources_of(config)]
    if not opened:
        return None
    return Before(
        merged([one.store for one in opened], [one.name for one in opened]), ", ".join(o.name for o in opened)
    )
