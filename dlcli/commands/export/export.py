"""`dlcli export`: a run's best model as a file for others, written only if it answers as the model does."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as tree

from dlcli.commands.export.formats import FORMATS, Facts, Subject
from dlcli.config import build, run_config
from dlcli.core.errors import Mismatch, UsageError, nearest
from dlcli.core.task import Batch
from dlcli.engine.checkpoint import read_checkpoint
from dlcli.engine.evaluate import restore
from dlcli.report import output_file
from dlcli.report.formatting import size
from dlcli.runs import selectors
from dlcli.runs.run import Run

_TOLERANCE = 1e-5  # absolute, and as a part of the value
_ROWS = 8  # of the batch both answer


@dataclass(frozen=True)
class Parity:
    """How far apart the answers are, and to how many rows the file answers."""

    difference: float
    rows: int
    any_batch: bool


def export(selector: str, out: Path, form: str, output: Path | None) -> tuple[Path, Parity]:
    """Write a run's best model in a format of `FORMATS`; the place, and how near its answers are.

    Raises:
        UsageError: there is no such format or place, a package is missing, or the model cannot be written in it.
        Mismatch: what was written answers differently; there is no file then.
    """
    if form not in FORMATS:
        raise UsageError(f"--to {form!r}{nearest(form, FORMATS)}")
    made = FORMATS[form]()
    run = selectors.one(selector, out)
    path = output or Path(f"{run.id}{made.ending}")
    output_file.place(path, "--output")
    config = run_config.read(run.path / "config.yaml")
    model = restore(run)
    fitted = read_checkpoint(run.checkpoint_path("best"))["fitted"]
    task = build.build_task(config, torch.device("cpu"), fitted)

    def fresh() -> nn.Module:
        return build.build_model({**config, "seed": config["seed"] + 1}, task, torch.device("cpu")).eval()

    batch = _rows(task.batch("valid", 0), _ROWS)
    subject = Subject(model, batch.inputs, fresh, _facts(run, fitted))
    with torch.no_grad():
        content = made.encode(subject)
        parity = _parity(model, made.decode(content, subject), batch)
    if not parity.difference <= _TOLERANCE:
        raise Mismatch(
            f"the {form} file answers differently by {parity.difference:.2g} (at most {_TOLERANCE:g}): no file"
        )
    output_file.write(path, content, "--output")
    return path, parity


def _parity(model: nn.Module, other: Any, batch: Batch) -> Parity:
    difference = _difference(model(*batch.inputs), other(*batch.inputs))
    one = _rows(batch, 1)
    try:
        any_batch = _difference(model(*one.inputs), other(*one.inputs)) <= _TOLERANCE
    except Exception:  # noqa: BLE001 - whatever a third party's runtime says to a batch it was not made for
        any_batch = False
    return Parity(difference, len(batch), any_batch)


def _difference(wanted: Any, came: Any) -> float:
    """The largest difference, absolute or as a part of the value, whichever is smaller; infinite for other shapes."""
    pairs = list(zip(_tensors(wanted), _tensors(came), strict=True))
    if any(a.shape != b.shape for a, b in pairs):
        return float("inf")
    return max(float(((a - b).abs() / a.abs().clamp(min=1)).max()) for a, b in pairs)


def _tensors(answer: Any) -> list[Tensor]:
    return [leaf.detach().double() for leaf in tree.tree_leaves(answer) if isinstance(leaf, Tensor)]


def _rows(batch: Batch, count: int) -> Batch:
    return Batch(
        tuple(part[:count] for part in batch.inputs), batch.target[:count], batch.first[:count], batch.step,
        batch.epoch, batch.index[:count],
    )  # fmt: skip


def _facts(run: Run, fitted: Mapping[str, Any]) -> Facts:
    """What a file says of itself, as text."""
    return {
        "dlcli_run": run.id,
        "dlcli_config": (run.path / "config.yaml").read_text(),
        "dlcli_fitted": json.dumps(dict(fitted), default=lambda value: value.tolist()),
        "dlcli_metrics": json.dumps(run.info["metrics"]),
    }


def main(selector: str, out: Path, form: str, output: Path | None, as_json: bool) -> int:
    """Export, and say where to and how near."""
    path, parity = export(selector, out, form, output)
    if as_json:
        facts = {"path": str(path), "bytes": path.stat().st_size, **vars(parity)}
        print(json.dumps(facts, indent=1))  # noqa: T201
        return 0
    batch = "any batch" if parity.any_batch else f"batches of {parity.rows} only"
    told = f"reloaded, it answers {parity.rows} rows the same to {parity.difference:.2g}; {batch}"
    print(told, file=sys.stderr)  # noqa: T201
    print(f"{path}  {size(path.stat().st_size)}")  # noqa: T201
    return 0
