"""Words to runs, whichever verb makes them."""

from collections.abc import Sequence

from dlcli.config import compose
from dlcli.runs.run import Run
from dlcli.engine import resume as resumed
from dlcli.commands.search import search
from dlcli.commands.sketch import sketch
from dlcli.engine import train
from dlcli.engine.options import Options

_BEGIN = {"train": train.train, "evolve": train.train, "search": search.search, "sketch": sketch.sketch}
_GO_ON = {"train": resumed.resume, "evolve": resumed.resume, "search": search.go_on, "sketch": sketch.go_on}


def points(words: Sequence[str], options: Options, zips: Sequence[str] = ()) -> list[compose.Point]:
    """The runs that the words ask for; with `from_search`, changes of what a search found."""
    if options.from_search is not None:
        return search.found(options.from_search, words, options)
    if options.verb == "sketch":
        return sketch.points(words, options, zips)
    return compose.expand(options.verb, words, extra=options.extra, smoke=options.smoke, zips=zips)


def begin(point: compose.Point, options: Options) -> Run:
    """A new run of a point, to its end."""
    return _BEGIN[point.verb](point, options)


def go_on(selector: str, words: Sequence[str], options: Options) -> Run:
    """A run that was begun, to its end."""
    return _GO_ON[options.verb](selector, words, options)
