"""Input shapes that models require, read from the spec of their data."""

from typing import NoReturn

from dlcli.core.errors import Mismatch
from dlcli.core.spec import Real, Spec


def image_shape(spec: Spec, model_name: str) -> tuple[int, int, int]:
    """(channel, height, width) of the single input.

    Raises:
        Mismatch: the input is not an image of known size, or the target has several positions.
    """
    channel, height, width = flexible_image_shape(spec, model_name)
    if height is None or width is None:
        _mismatch(spec, model_name, "images of one size (channel, height, width)")
    return channel, height, width


def flexible_image_shape(spec: Spec, model_name: str) -> tuple[int, int | None, int | None]:
    """(channel, height, width) for models that accept any image size; None marks a length that varies.

    Raises:
        Mismatch: the input is not an image, or the target has several positions.
    """
    (part, *others) = spec.inputs
    channel = part.shape[0] if isinstance(part, Real) and len(part.shape) == 3 else None
    if others or channel is None:
        _mismatch(spec, model_name, "one image (channel, height, width)")
    _check_single_output(spec, model_name)
    return channel, part.shape[1], part.shape[2]


def video_shape(spec: Spec, model_name: str) -> tuple[int, int, int, int]:
    """(channel, time, height, width) of the single input.

    Raises:
        Mismatch: the input is not a video of known size, or the target has several positions.
    """
    (part, *others) = spec.inputs
    sizes = [length for length in part.shape if length is not None]
    if others or not isinstance(part, Real) or len(part.shape) != 4 or len(sizes) != 4:
        _mismatch(spec, model_name, "one video (channel, time, height, width)")
    _check_single_output(spec, model_name)
    channel, time, height, width = sizes
    return channel, time, height, width


def flat_width(spec: Spec, model_name: str) -> int:
    """Number of values of the single input, for models that flatten it.

    Raises:
        Mismatch: the input is not real-valued and of known size, or the target has several positions.
    """
    (part, *others) = spec.inputs
    if others or not isinstance(part, Real) or None in part.shape:
        _mismatch(spec, model_name, "one real input of known size")
    _check_single_output(spec, model_name)
    width = 1
    for length in part.shape:
        width *= length or 1
    return width


def check_reductions(spec: Spec, reductions: int, model_name: str) -> None:
    """Check that `reductions` halvings leave at least 2 pixels a side: batch norm needs more than one value.

    Raises:
        Mismatch: the image is too small.
    """
    check_halvings(spec, reductions, max_halvings(*image_shape(spec, model_name)[1:]), model_name)


def check_pools(spec: Spec, pools: int, model_name: str) -> None:
    """Check that `pools` poolings of 2x2, which drop odd last rows, leave at least 1 pixel a side.

    Raises:
        Mismatch: the image is too small.
    """
    check_halvings(spec, pools, min(image_shape(spec, model_name)[1:]).bit_length() - 1, model_name)


def check_halvings(spec: Spec, requested: int, possible: int, model_name: str) -> None:
    """Check the requested number of halvings of the image against the possible number.

    Raises:
        Mismatch: more halvings are requested than possible.
    """
    if requested > possible:
        _mismatch(spec, model_name, f"an image that can be halved {requested} times (this one: at most {possible})")


def max_halvings(height: int, width: int) -> int:
    """Number of times that both sides can be halved with at least 2 pixels a side remaining."""
    return max((min(height, width) - 1).bit_length() - 1, 0)


def _check_single_output(spec: Spec, model_name: str) -> None:
    if spec.target.positions:
        _mismatch(spec, model_name, "a target of one position")


def _mismatch(spec: Spec, model_name: str, requirement: str) -> NoReturn:
    raise Mismatch("mismatch", subject=model_name, requirement=requirement, got=spec)
