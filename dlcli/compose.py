"""Names of the configuration package at their old place, until every import is changed."""

from dlcli.config.compose import Point, expand
from dlcli.config.provenance import sources
from dlcli.config.saved import change, dump, load, read
from dlcli.config.sweeps import over, seeds
from dlcli.verbs.search_points import found_words, trials
from dlcli.verbs.sketch_points import of_run, settled, training

__all__ = [
    "Point", "change", "dump", "expand", "found_words", "load", "of_run", "over", "read", "seeds", "settled", "sources",
    "training", "trials",
]  # fmt: skip
