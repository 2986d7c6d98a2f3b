"""Images that enter a network."""

from dlcli.core.errors import Mismatch
from dlcli.core.spec import Real, Spec


def image_shape(spec: Spec, reader: str) -> tuple[int, int, int]:
    """(channel, height, width) of the one input.

    Args:
        reader: name of the model, for messages.

    Raises:
        Mismatch: the input is no image of a known size, or the target has several positions.
    """
    (part, *more) = spec.inputs
    sizes = [length for length in part.shape if length is not None]
    if more or not isinstance(part, Real) or len(part.shape) != 3 or len(sizes) != 3:
        raise Mismatch(f"{reader} reads one image (channel, height, width), not {spec.describe()}")
    if spec.target.positions:
        raise Mismatch(f"{reader} answers once, not at every position: {spec.describe()}")
    channel, height, width = sizes
    return channel, height, width


def check_reductions(spec: Spec, reductions: int, reader: str) -> None:
    """Check that the image can be halved so often; 2 pixels a side remain, as batch norm wants more than one value.

    Raises:
        Mismatch: it cannot.
    """
    possible = halvings(*image_shape(spec, reader)[1:])
    if reductions > possible:
        raise Mismatch(f"{reader} can halve {spec.describe()} at most {possible} times, not {reductions}")


def halvings(height: int, width: int) -> int:
    """How often both can be halved so that 2 pixels a side remain."""
    return max((min(height, width) - 1).bit_length() - 1, 0)
