"""Images that enter a network."""

from dlcli.core.errors import Mismatch
from dlcli.core.spec import Real, Spec


def image_shape(spec: Spec, model_name: str) -> tuple[int, int, int]:
    """(channel, height, width) of the one input.

    Args:
        model_name: name of the model, for messages.

    Raises:
        Mismatch: the input is no image of a known size, or the target has several positions.
    """
    channel, height, width = flexible_image_shape(spec, model_name)
    if height is None or width is None:
        raise Mismatch(f"{model_name} reads images of one size (channel, height, width), not {spec.describe()}")
    return channel, height, width


def flexible_image_shape(spec: Spec, model_name: str) -> tuple[int, int | None, int | None]:
    """As `image_shape`, for models that read any height or width: None is one that differs between images."""
    (part, *more) = spec.inputs
    channel = part.shape[0] if isinstance(part, Real) and len(part.shape) == 3 else None
    if more or channel is None:
        raise Mismatch(f"{model_name} reads one image (channel, height, width), not {spec.describe()}")
    if spec.target.positions:
        raise Mismatch(f"{model_name} answers once, not at every position: {spec.describe()}")
    return channel, part.shape[1], part.shape[2]


def check_reductions(spec: Spec, reductions: int, model_name: str) -> None:
    """Check that the image can be halved so often; 2 pixels a side remain, as batch norm wants more than one value.

    Raises:
        Mismatch: it cannot.
    """
    possible = halvings(*image_shape(spec, model_name)[1:])
    if reductions > possible:
        raise Mismatch(f"{model_name} can halve {spec.describe()} at most {possible} times, not {reductions}")


def check_pools(spec: Spec, pools: int, model_name: str) -> None:
    """Check that the image can be pooled 2x2 so often, odd last rows dropped, and a pixel remains.

    Raises:
        Mismatch: it cannot.
    """
    possible = min(image_shape(spec, model_name)[1:]).bit_length() - 1
    if pools > possible:
        raise Mismatch(f"{model_name} can halve {spec.describe()} at most {possible} times, not {pools}")


def halvings(height: int, width: int) -> int:
    """How often both can be halved so that 2 pixels a side remain."""
    return max((min(height, width) - 1).bit_length() - 1, 0)
