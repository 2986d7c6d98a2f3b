"""What a strategy over architectures asks of its trials."""

from dlcli.core.errors import Mismatch
from dlcli.core.space import Space
from dlcli.core.trials import Trials


def space_of(trials: Trials, strategy: str) -> Space:
    """The space of the trials.

    Raises:
        Mismatch: there is none.
    """
    if trials.space is None:
        raise Mismatch(
            f"{strategy} searches over architectures, and this model has no space (macro_cnn, micro_cnn, enas_cell do)"
        )
    return trials.space
