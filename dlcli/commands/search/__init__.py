"""`dlcli search`: hyper-parameter and architecture search."""

from dlcli.commands.search.report import print_result
from dlcli.commands.search.search import estimate, points, resume, start

__all__ = ["estimate", "points", "print_result", "resume", "start"]
