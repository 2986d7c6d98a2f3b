"""What a residual block adds."""

from torch import nn


class ResidualBranch(nn.Sequential):
    """Layers whose output is added to something else: drop path finds them by this name."""
