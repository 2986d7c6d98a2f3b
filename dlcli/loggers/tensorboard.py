"""TensorBoard: event files in artifacts/tensorboard of the run; view all with `tensorboard --logdir outputs`."""

from collections.abc import Mapping
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from dlcli.loggers.mirror import RunDescription


class TensorBoard:
    """One scalar per metric and split; resuming a run purges the events after its checkpoint."""

    def __init__(self, facts: RunDescription) -> None:
        purge = facts.since + 1 if facts.since else None
        self._writer = SummaryWriter(str(facts.path / "artifacts" / "tensorboard"), purge_step=purge)

    def row(self, step: int, split: str, row: Mapping[str, float]) -> None:
        for name, value in row.items():
            self._writer.add_scalar(f"{name}/{split}", value, step)

    def end(self, info: Mapping[str, Any]) -> None:
        step = (info.get("best") or {}).get("step", 0)
        self.row(max(step, 0), "test", info["metrics"].get("test", {}))
        self._writer.close()
