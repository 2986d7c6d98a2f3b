"""`dlcli sketch`: sketches of the objects that modular networks compute for scenes."""

from dlcli.commands.sketch.bench import print_result
from dlcli.commands.sketch.cost import estimate
from dlcli.commands.sketch.sketch import points, resume, start

__all__ = ["estimate", "points", "print_result", "resume", "start"]
