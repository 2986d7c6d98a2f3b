"""Words to runs, whichever verb makes them."""

from collections.abc import Sequence

from dlcli import compose
from dlcli.run import Run
from dlcli.verbs import resume as resumed
from dlcli.verbs import search, train
from dlcli.verbs.options import Options


def points(words: Sequence[str], options: Options, zips: Sequence[str] = ()) -> list[compose.Point]:
    """The runs that the words ask for; with `from_search`, changes of what a search found."""
    if options.from_search is not None:
        return search.found(options.from_search, words, options)
    return compose.expand(options.verb, words, extra=options.extra, smoke=options.smoke, zips=zips)


def begin(point: compose.Point, options: Options) -> Run:
    """A new run of a point, to its end."""
    return (search.search if point.verb == "search" else train.train)(point, options)


def go_on(selector: str, words: Sequence[str], options: Options) -> Run:
    """A run that was begun, to its end."""
    return (search.go_on if options.verb == "search" else resumed.resume)(selector, words, options)
