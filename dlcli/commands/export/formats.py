"""File formats of models: each writes one and reads it back as something to call."""

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

from dlcli.core.errors import Mismatch, Missing

Facts = Mapping[str, str]


@dataclass(frozen=True)
class Subject:
    """What is written.

    Args:
        model: in evaluation mode.
        inputs: what it is called with, batch axis first.
        fresh: makes the model anew, with other weights.
        facts: what the file says of itself.
    """

    model: nn.Module
    inputs: tuple[Tensor, ...]
    fresh: Callable[[], nn.Module]
    facts: Facts


@runtime_checkable
class Format(Protocol):
    """One kind of file."""

    ending: str

    def encode(self, subject: Subject) -> bytes:
        """The content of the file."""

    def decode(self, content: bytes, subject: Subject) -> Callable[..., Any]:
        """What the file holds, to be called as the model is."""


class Safetensors:
    """Weights by name, nothing that runs; the facts are its metadata."""

    ending = ".safetensors"

    def __init__(self) -> None:
        self.torch = _needed("safetensors", "safetensors", "safetensors.torch")

    def encode(self, subject: Subject) -> bytes:
        weights = {name: value.contiguous().clone() for name, value in subject.model.state_dict().items()}
        return self.torch.save(weights, metadata={"format": "pt", **subject.facts})

    def decode(self, content: bytes, subject: Subject) -> Callable[..., Any]:
        model = subject.fresh()
        model.load_state_dict(self.torch.load(content))
        return model


class TorchExport:
    """A graph of PyTorch's own operators, which needs no dlcli to run."""

    ending = ".pt2"

    def encode(self, subject: Subject) -> bytes:
        buffer = io.BytesIO()
        torch.export.save(_traced(subject), buffer, extra_files={"dlcli.json": json.dumps(dict(subject.facts))})
        return buffer.getvalue()

    def decode(self, content: bytes, subject: Subject) -> Callable[..., Any]:
        return torch.export.load(io.BytesIO(content)).module()


class ONNX:
    """A graph for other runtimes; checked with ONNX Runtime."""

    ending = ".onnx"

    def __init__(self) -> None:
        self.runtime = _needed("onnx", "onnx", "onnxscript", "onnxruntime")

    def encode(self, subject: Subject) -> bytes:
        names = [f"input_{number}" for number in range(len(subject.inputs))]
        with _quiet(), _in_words("ONNX"):
            program = torch.onnx.export(
                subject.model, subject.inputs, dynamo=True, verbose=False, input_names=names,
                dynamic_shapes=_any_batch(subject.inputs),
            )  # fmt: skip
        assert program is not None
        proto = program.model_proto
        for name, text in subject.facts.items():
            proto.metadata_props.add(key=name, value=text)
        return proto.SerializeToString()

    def decode(self, content: bytes, subject: Subject) -> Callable[..., Any]:
        session = self.runtime.InferenceSession(content, providers=["CPUExecutionProvider"])
        names = [given.name for given in session.get_inputs()]

        def answer(*inputs: Tensor) -> list[Tensor]:
            given = dict(zip(names, (value.numpy() for value in inputs), strict=True))
            return [torch.from_numpy(value) for value in session.run(None, given)]

        return answer


FORMATS: Mapping[str, Callable[[], Format]] = {"safetensors": Safetensors, "onnx": ONNX, "torchexport": TorchExport}


def _needed(form: str, *modules: str) -> Any:
    """The last of the modules.

    Raises:
        Missing: one is not installed.
    """
    for name in modules:
        try:
            module = importlib.import_module(name)
        except ImportError as error:
            missing = (error.name or name).partition(".")[0]
            raise Missing(f"--to {form} needs the package {missing}: pip install 'dlcli[export]'") from None
    return module


def _any_batch(inputs: tuple[Tensor, ...]) -> Any:
    """Rows may be as many as one likes, where the model lets them."""
    return tuple({0: torch.export.Dim.AUTO} for _ in inputs)


def _traced(subject: Subject) -> torch.export.ExportedProgram:
    with _quiet(), _in_words("torch.export"):
        shapes = _any_batch(subject.inputs)
        return torch.export.export(subject.model, subject.inputs, dynamic_shapes=shapes, strict=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what exporters tell of their own progress."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


@contextmanager
def _in_words(form: str) -> Iterator[None]:
    """An exporter's failure as one sentence."""
    try:
        yield
    except Exception as error:
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        lines = [line.strip() for line in str(cause).splitlines() if line.strip()] or [type(cause).__name__]
        raise Mismatch(f"this model cannot be written as {form}: {lines[0][:300]}") from error
