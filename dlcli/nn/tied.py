"""One matrix for the tokens that enter and the tokens that leave."""

from torch import nn

from dlcli.core.errors import UsageError
from dlcli.nn.sequence_io import InputStem


def tied_embedding(front: InputStem, tied: bool) -> nn.Embedding | None:
    """The front's embedding when it is to be the output matrix as well, None when it is not.

    It then starts as an output matrix does, U(-1/sqrt(width), 1/sqrt(width)): an embedding's N(0, 1) would
    make the first scores as large as the square root of the width.

    Paper: Press & Wolf 2017, arXiv:1608.05859.

    Raises:
        UsageError: the input is not tokens.
    """
    if not tied:
        return None
    if front.tokens is None:
        raise UsageError("model.tied=true needs tokens as input; real channels have no embedding")
    bound = front.width**-0.5
    nn.init.uniform_(front.tokens.weight, -bound, bound)
    return front.tokens
