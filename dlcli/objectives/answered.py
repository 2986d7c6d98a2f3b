"""What stands in for a model whose answer is known."""

from typing import Any

from torch import Tensor, nn

from dlcli.core.errors import Mismatch


class Unanswered(Mismatch, AttributeError):
    """More than an output is wanted; an AttributeError, so that one may ask whether it is there."""


class Answered(nn.Module):
    """Gives the same output whatever it is asked, so that a loss can be taken of it with other targets.

    Raises:
        Unanswered: anything else of the model is wanted.
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
            raise Unanswered(f"mixup keeps a model's output alone, and its base objective wants {name} too") from None
