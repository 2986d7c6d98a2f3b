"""Executors of jobs: in this process, in local processes, on Ray or Slurm; the interface is `core/executor.py`."""

from dlcli.launch.executors import ENGINES, check, engine
from dlcli.launch.in_process import InProcess
from dlcli.launch.local import Local

__all__ = ["ENGINES", "InProcess", "Local", "check", "engine"]
