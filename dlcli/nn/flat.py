"""Real values of any shape as one vector."""

from dlcli.core.errors import Mismatch
from dlcli.core.spec import Real, Spec


def flat_width(spec: Spec, model_name: str) -> int:
    """How many values the one input has, for a model that answers once.

    Args:
        model_name: name of the model, for messages.

    Raises:
        Mismatch: the input is not one of real values of a known size, or the target has several positions.
    """
    (part, *more) = spec.inputs
    if more or not isinstance(part, Real) or None in part.shape:
        raise Mismatch(f"{model_name} reads one input of real values of a known size, not {spec.describe()}")
    if spec.target.positions:
        raise Mismatch(f"{model_name} answers once, not at every position: {spec.describe()}")
    width = 1
    for length in part.shape:
        width *= length or 1
    return width
