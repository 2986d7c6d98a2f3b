"""Where jobs run. One interface, `core/executor.py`, whatever the engine."""

from dlcli.launch.executors import ENGINES, check, engine
from dlcli.launch.in_process import InProcess
from dlcli.launch.local import Local

__all__ = ["ENGINES", "InProcess", "Local", "check", "engine"]
