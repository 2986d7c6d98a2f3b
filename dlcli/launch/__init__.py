"""Executors of jobs: in this process, in local processes, on Ray or Slurm; the interface is `core/executor.py`."""

from dlcli.launch.executors import LAUNCHERS, check, open_executor
from dlcli.launch.in_process import InProcessExecutor
from dlcli.launch.local import LocalExecutor

__all__ = ["LAUNCHERS", "InProcessExecutor", "LocalExecutor", "check", "open_executor"]
