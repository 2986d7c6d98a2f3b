"""Architecture space of trials."""

from dlcli.core.errors import Mismatch
from dlcli.core.space import Space
from dlcli.core.trials import TrialRunner


def require_space(trials: TrialRunner, strategy: str) -> Space:
    """The architecture space of the trials.

    Raises:
        Mismatch: the model has no architecture space.
    """
    if trials.space is None:
        raise Mismatch(
            "requires",
            key=f"strategy={strategy}",
            requirement="a model with an architecture space",
            hint="model=macro_cnn, model=micro_cnn or model=enas_cell",
        )
    return trials.space
