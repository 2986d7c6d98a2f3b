"""Derive architectures from a trained supernet and its controller."""

from typing import cast

import torch
from torch import nn

from dlcli.core.evaluation import score
from dlcli.core.metric import Goal
from dlcli.core.rng import reseed
from dlcli.core.space import Architecture, SharesWeights
from dlcli.core.task import Task

_DERIVING = 0xDE41  # random stream


def derive_architectures(
    model: SharesWeights, task: Task, goal: Goal, count: int, seed: int
) -> list[tuple[Architecture, float]]:
    """Distinct architectures sampled from the controller, with the validation score of the shared weights.

    Sorted from best to worst; ties in the order of sampling, NaN last.

    Paper: Pham et al. 2018, arXiv:1802.03268, section 2.2, "deriving architectures". Differs: the complete validation
    split instead of one minibatch.

    Args:
        model: supernet with a controller.
        task: validation split.
        goal: metric and direction.
        count: number of samples; duplicates are removed.
        seed: seed of the samples.
    """
    samples = _distinct_samples(model, count, seed)
    scored = [(sample, score(model.child(sample), task, "valid")[goal.metric]) for sample in samples]
    return sorted(scored, key=lambda pair: goal.rank(pair[1]))


def _distinct_samples(model: SharesWeights, count: int, seed: int) -> list[Architecture]:
    """Distinct architectures in the order of sampling."""
    reseed(next(cast(nn.Module, model).parameters()).device, seed, _DERIVING)
    with torch.no_grad():
        return list(dict.fromkeys(model.controller.sample(count).tuples()))
