"""`dlcli sketch bench`: error of the decoders against dimension, depth and erased part, as a run."""

from dlcli import compose
from dlcli.core.errors import UsageError
from dlcli.run import Run
from dlcli.verbs.options import Options


def run(point: compose.Point, config: dict, options: Options) -> Run:
    raise UsageError("not yet")
