"""`dlcli export`: write the best checkpoint as safetensors, ONNX or torch.export after verifying its outputs."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as tree

from dlcli.commands.export.formats import FORMATS, ExportedModel, Metadata
from dlcli.config import build, run_config
from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.task import Batch
from dlcli.engine.checkpoint import read_checkpoint
from dlcli.engine.evaluate import restore
from dlcli.report import output_file
from dlcli.report.formatting import size
from dlcli.runs import selectors
from dlcli.runs.run import Run

_TOLERANCE = 1e-5  # of the outputs, absolute or relative
_ROWS = 8  # of the batch that both models compute


@dataclass(frozen=True)
class Parity:
    """Agreement of an exported model with the original.

    Args:
        difference: largest difference of the outputs, absolute or relative, whichever is smaller.
        rows: rows of the batch that was compared.
        any_batch: whether the file also accepts other batch sizes.
    """

    difference: float
    rows: int
    any_batch: bool


def export(selector: str, out: Path, form: str, output: Path | None) -> tuple[Path, Parity]:
    """Write the best checkpoint of a run in a format of `FORMATS`.

    Args:
        selector: selects the run.
        out: folder of the runs.
        form: name of the format.
        output: file to write; None is `ID.ENDING` in the current folder.

    Returns:
        the path of the file, and its agreement with the model.

    Raises:
        UsageError: there is no such format or folder, a package is missing, or the format does not support the model.
        Mismatch: the outputs of the file differ from those of the model; no file is written.
    """
    if form not in FORMATS:
        raise UsageError("unknown_name", kind="format", name=form, known=FORMATS)
    file_format = FORMATS[form]()
    run = selectors.one(selector, out)
    path = output or Path(f"{run.id}{file_format.ending}")
    output_file.resolve_path(path, "--output")
    config = run_config.read(run.path / "config.yaml")
    model = restore(run)
    fitted = read_checkpoint(run.checkpoint_path("best"))["fitted"]
    task = build.build_task(config, torch.device("cpu"), fitted)

    def other_weights() -> nn.Module:
        return build.build_model({**config, "seed": config["seed"] + 1}, task, torch.device("cpu")).eval()

    batch = _rows(task.batch("valid", 0), _ROWS)
    exported = ExportedModel(model, batch.inputs, other_weights, _metadata(run, fitted))
    with torch.no_grad():
        content = file_format.encode(exported)
        parity = _parity(model, file_format.decode(content, exported), batch)
    if not parity.difference <= _TOLERANCE:
        requirement = f"outputs within {_TOLERANCE:g} of the model's"
        raise Mismatch(
            "mismatch", subject=f"--to {form}", requirement=requirement, got=f"a difference of {parity.difference:.2g}",
            hint="No file was written.",
        )  # fmt: skip
    output_file.write(path, content, "--output")
    return path, parity


def _parity(model: nn.Module, other: Any, batch: Batch) -> Parity:
    difference = _difference(model(*batch.inputs), other(*batch.inputs))
    single = _rows(batch, 1)
    try:
        any_batch = _difference(model(*single.inputs), other(*single.inputs)) <= _TOLERANCE
    except Exception:  # noqa: BLE001 - runtimes raise exceptions of their own for batch sizes they do not support
        any_batch = False
    return Parity(difference, len(batch), any_batch)


def _difference(expected: Any, actual: Any) -> float:
    """Largest difference, absolute or relative, whichever is smaller; infinite if shapes differ."""
    pairs = list(zip(_tensors(expected), _tensors(actual), strict=True))
    if any(a.shape != b.shape for a, b in pairs):
        return float("inf")
    return max(float(((a - b).abs() / a.abs().clamp(min=1)).max()) for a, b in pairs)


def _tensors(output: Any) -> list[Tensor]:
    return [leaf.detach().double() for leaf in tree.tree_leaves(output) if isinstance(leaf, Tensor)]


def _rows(batch: Batch, count: int) -> Batch:
    return Batch(
        tuple(part[:count] for part in batch.inputs), batch.target[:count], batch.first[:count], batch.step,
        batch.epoch, batch.index[:count],
    )  # fmt: skip


def _metadata(run: Run, fitted: Mapping[str, Any]) -> Metadata:
    """Run, configuration, fitted values and metrics, as text for the metadata of a file."""
    return {
        "dlcli_run": run.id,
        "dlcli_config": (run.path / "config.yaml").read_text(),
        "dlcli_fitted": json.dumps(dict(fitted), default=lambda value: value.tolist()),
        "dlcli_metrics": json.dumps(run.info["metrics"]),
    }


def main(selector: str, out: Path, form: str, output: Path | None, as_json: bool) -> int:
    """Export a model, print the file and its agreement with the model, and return the exit code."""
    path, parity = export(selector, out, form, output)
    if as_json:
        print(json.dumps({"path": str(path), "bytes": path.stat().st_size, **vars(parity)}, indent=1))  # noqa: T201
        return 0
    batch = "any batch" if parity.any_batch else f"batches of {parity.rows} only"
    verified = f"verified on {parity.rows} rows after reloading: largest difference {parity.difference:.2g}; {batch}"
    print(verified, file=sys.stderr)  # noqa: T201
    print(f"{path}  {size(path.stat().st_size)}")  # noqa: T201
    return 0
