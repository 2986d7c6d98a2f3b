"""TensorBoard: event files in the run's artifacts; `tensorboard --logdir outputs` finds them all."""

from collections.abc import Mapping
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from dlcli.loggers.mirror import Facts


class TensorBoard:
    """One scalar a metric and split; what an interrupted run wrote after its checkpoint is purged when it goes on."""

    def __init__(self, facts: Facts) -> None:
        purge = facts.since + 1 if facts.since else None
        self._writer = SummaryWriter(str(facts.path / "artifacts" / "tensorboard"), purge_step=purge)

    def row(self, step: int, split: str, row: Mapping[str, float]) -> None:
        for name, value in row.items():
            self._writer.add_scalar(f"{name}/{split}", value, step)

    def end(self, info: Mapping[str, Any]) -> None:
        step = (info.get("best") or {}).get("step", 0)
        self.row(max(step, 0), "test", info["metrics"].get("test", {}))
        self._writer.close()
