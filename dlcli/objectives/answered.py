"""Stand-in for a model whose output has already been computed."""

from typing import Any

from torch import Tensor, nn

from dlcli.core.errors import Mismatch


class OutputOnlyError(Mismatch, AttributeError):
    """An attribute other than the output was requested; an AttributeError, so that `hasattr` works."""


class FixedOutput(nn.Module):
    """Module with a fixed output, to compute a loss for other targets.

    Args:
        output: the output.

    Raises:
        OutputOnlyError: another attribute of the model is requested.
    """

    def __init__(self, output: Tensor) -> None:
        super().__init__()
        self.output = output

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.output

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            feature = f"base objectives that use the attribute {name} of the model"
            raise OutputOnlyError("unsupported", subject="objective=mixup", feature=feature) from None
