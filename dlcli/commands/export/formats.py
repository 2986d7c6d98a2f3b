"""File formats of models: encode a model, and decode the file into a callable to verify it."""

import importlib
import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from dlcli.core.errors import Mismatch, Missing, install_command

Metadata = Mapping[str, str]
"""Text stored in an exported file, by key."""


@dataclass(frozen=True)
class ExportedModel:
    """A model to export.

    Args:
        model: the model in evaluation mode.
        inputs: example inputs, batch axis first.
        fresh: builds the same model with other weights.
        metadata: text stored in the file.
    """

    model: nn.Module
    inputs: tuple[Tensor, ...]
    fresh: Callable[[], nn.Module]
    metadata: Metadata


@runtime_checkable
class Format(Protocol):
    """Protocol of a file format."""

    ending: str

    def encode(self, exported: ExportedModel) -> bytes:
        """Return the content of the file."""

    def decode(self, content: bytes, exported: ExportedModel) -> Callable[..., Any]:
        """Load the file as a callable with the inputs and outputs of the model."""


class Safetensors:
    """safetensors: weights by parameter name, without a graph; run and configuration are its metadata."""

    ending = ".safetensors"

    def __init__(self) -> None:
        self.torch = _import("safetensors", "safetensors", "safetensors.torch")

    def encode(self, exported: ExportedModel) -> bytes:
        weights = {name: value.contiguous().clone() for name, value in exported.model.state_dict().items()}
        return self.torch.save(weights, metadata={"format": "pt", **exported.metadata})

    def decode(self, content: bytes, exported: ExportedModel) -> Callable[..., Any]:
        model = exported.fresh()
        model.load_state_dict(self.torch.load(content))
        return model


class TorchExport:
    """torch.export: a graph of PyTorch operators that runs without dlcli."""

    ending = ".pt2"

    def encode(self, exported: ExportedModel) -> bytes:
        buffer = io.BytesIO()
        torch.export.save(_traced(exported), buffer, extra_files={"dlcli.json": json.dumps(dict(exported.metadata))})
        return buffer.getvalue()

    def decode(self, content: bytes, exported: ExportedModel) -> Callable[..., Any]:
        return torch.export.load(io.BytesIO(content)).module()


class ONNX:
    """ONNX graph, verified with ONNX Runtime."""

    ending = ".onnx"

    def __init__(self) -> None:
        self.runtime = _import("onnx", "onnx", "onnxscript", "onnxruntime")

    def encode(self, exported: ExportedModel) -> bytes:
        names = [f"input_{number}" for number in range(len(exported.inputs))]
        with _quiet(), _export_errors("ONNX"):
            program = torch.onnx.export(
                exported.model, exported.inputs, dynamo=True, verbose=False, input_names=names,
                dynamic_shapes=_any_batch(exported.inputs),
            )  # fmt: skip
        assert program is not None
        proto = program.model_proto
        for name, text in exported.metadata.items():
            proto.metadata_props.add(key=name, value=text)
        return proto.SerializeToString()

    def decode(self, content: bytes, exported: ExportedModel) -> Callable[..., Any]:
        session = self.runtime.InferenceSession(content, providers=["CPUExecutionProvider"])
        names = [given.name for given in session.get_inputs()]

        def run(*inputs: Tensor) -> list[Tensor]:
            given = dict(zip(names, (value.numpy() for value in inputs), strict=True))
            return [torch.from_numpy(value) for value in session.run(None, given)]

        return run


FORMATS: Mapping[str, Callable[[], Format]] = {"safetensors": Safetensors, "onnx": ONNX, "torchexport": TorchExport}


def _import(form: str, *modules: str) -> Any:
    """Import modules of an optional dependency and return the last.

    Raises:
        Missing: a package is not installed.
    """
    for name in modules:
        try:
            module = importlib.import_module(name)
        except ImportError as error:
            package = (error.name or name).partition(".")[0]
            hint = f"Install it: {install_command('export')}"
            raise Missing("missing_package", feature=f"--to {form}", package=package, hint=hint) from None
    return module


def _any_batch(inputs: tuple[Tensor, ...]) -> Any:
    """Dynamic batch axis of every input, if the model supports it."""
    return tuple({0: torch.export.Dim.AUTO} for _ in inputs)


def _traced(exported: ExportedModel) -> torch.export.ExportedProgram:
    with _quiet(), _export_errors("torch.export"):
        shapes = _any_batch(exported.inputs)
        return torch.export.export(exported.model, exported.inputs, dynamic_shapes=shapes, strict=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress warnings, logging and output of the exporters."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


@contextmanager
def _export_errors(form: str) -> Iterator[None]:
    """Raise the failure of an exporter as a Mismatch with the first line of its cause."""
    try:
        yield
    except Exception as error:
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        lines = [line.strip() for line in str(cause).splitlines() if line.strip()] or [type(cause).__name__]
        raise Mismatch("unsupported", subject=form, feature="this model", hint=lines[0][:300]) from error
