"""After a search with shared weights: which architectures look best."""

from typing import cast

import torch
from torch import nn

from dlcli.core.evaluation import score
from dlcli.core.metric import Goal
from dlcli.core.rng import reseed
from dlcli.core.space import Architecture, SharesWeights
from dlcli.core.task import Task

_DERIVING = 0xDE41  # sets these draws apart from those of the search


def candidates(model: SharesWeights, task: Task, goal: Goal, count: int, seed: int) -> list[tuple[Architecture, float]]:
    """Architectures drawn by the controller, each once, with what the goal says of the shared weights on valid.

    Best first, ties in the order they were drawn; what is not a number last.

    Paper: Pham et al. 2018, arXiv:1802.03268, section 2.2, "deriving architectures". Differs: all of valid where the
    paper has one minibatch.

    Args:
        count: how many are drawn; fewer come back where the controller repeats itself.
    """
    scored = [(one, score(model.child(one), task, "valid")[goal.metric]) for one in _drawn(model, count, seed)]
    return sorted(scored, key=lambda pair: goal.rank(pair[1]))


def _drawn(model: SharesWeights, count: int, seed: int) -> list[Architecture]:
    """Distinct ones, in the order they were drawn."""
    reseed(next(cast(nn.Module, model).parameters()).device, seed, _DERIVING)
    with torch.no_grad():
        return list(dict.fromkeys(model.controller.sample(count).tuples()))
