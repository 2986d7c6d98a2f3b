"""Semi-supervised classification: most batches have no label at all."""

import math

import pytest
import torch
from helpers.families import build_untrained, changed_modules, copy_parameters, steps
from helpers.semi_supervised import UNLABELED

from dlcli.core.evaluation import score


def test_batch_without_labels_costs_0():
    built = build_untrained("clusters_mlp")
    batches = [built.task.batch("train", index) for index in range(built.task.size("train"))]
    unlabeled = [batch for batch in batches if bool((batch.target == UNLABELED).all())]
    assert unlabeled
    loss = built.task.loss(built.model, unlabeled[0])
    assert loss.value.item() == 0
    assert float(loss.weight) == 0
    gradients = torch.autograd.grad(loss.value, list(built.model.parameters()))
    assert all((gradient == 0).all() for gradient in gradients)


def test_supervised_training_stays_finite_with_unlabeled_batches():
    built = build_untrained("clusters_mlp", "objective=supervised")
    parameters = copy_parameters(built.model)
    rows = steps(built.learner, 2 * built.task.size("train"))
    assert all(math.isfinite(row["loss"]) for row in rows)
    assert any(row["loss"] == 0 for row in rows)
    assert changed_modules(parameters, built.model)


@pytest.mark.parametrize("seed", [0, 1])
def test_entropy_minimization_beats_the_labels_alone(seed):
    accuracy = {}
    for objective in ("supervised", "entropy_minimization"):
        built = build_untrained("clusters_mlp", f"objective={objective}", "lr=0.003", seed=seed)
        steps(built.learner, 400)
        accuracy[objective] = score(built.model, built.task, "test")["accuracy"]
    assert accuracy["entropy_minimization"] > accuracy["supervised"] + 0.02
