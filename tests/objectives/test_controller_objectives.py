"""The two objectives of a search with shared weights: who learns from what, and how far certainty goes."""

import io
from functools import partial

import pytest
import torch
from helpers.errors import usage_error
from planted import Planted, Right, Shares
from torch import nn

from dlcli.core.errors import Mismatch
from dlcli.core.metric import Goal
from dlcli.learners.gradient.gradient import Gradient
from dlcli.learners.gradient.player import Player
from dlcli.learners.gradient.schedule import Constant
from dlcli.nn.supernet.controller import Controller, UniformController, max_probability
from dlcli.objectives.reinforce import Reinforce
from dlcli.objectives.reward import Inverse, Main
from dlcli.objectives.shared_weights import SharedWeights


def shares(tanh=1.5, **other):
    torch.manual_seed(0)
    usual = {"hidden": 16, "tanh": tanh, "temperature": 1.0, "initial": 0.1, "shapings": {}, "priors": {}}
    return Shares(partial(Controller, **(usual | other)))


def reinforce(**other):
    return partial(Reinforce, **({"reward": Main(), "entropy": 0.0, "decay": 0.9, "start": None} | other))


def player(objective, parts, split, optimizer, **other):
    usual = {"schedule": Constant(), "repeats": 1, "accumulate": 1, "clip": None}
    return Player(objective=objective, parts=parts, split=split, optimizer=optimizer, **(usual | other))


def learner(model, task, **other):
    adam, sgd = partial(torch.optim.Adam, lr=0.02), partial(torch.optim.SGD, lr=0.1)
    players = {
        "shared": player(SharedWeights, ["shared"], "train", sgd, repeats=3),
        "controller": player(reinforce(**other), ["controller"], "valid", adam, accumulate=5),
    }
    return Gradient(model, task, players=players, seed=1, precision="float32", compile=False)


def certainty(model, task):
    """Mean probability of the planted choices, each after what the controller drew before it."""
    with torch.no_grad():
        drawn = model.controller.sample(500).architectures
    return (drawn == torch.tensor(task.planted)).double().mean().item()


def trained(tanh, updates):
    model, task = shares(tanh), Right()
    adam = partial(torch.optim.Adam, lr=0.05)
    players = {"controller": player(reinforce(), ["controller"], "valid", adam, accumulate=10)}
    made = Gradient(model, task, players=players, seed=1, precision="float32", compile=False)
    for _ in range(updates):
        made.step()
    return model, task


def test_the_planted_optimum_is_found_and_certainty_ends_at_the_tanh_ceiling():
    model, task = trained(1.5, 100)
    top = max_probability(6, 1.5)
    assert top == pytest.approx(0.801, abs=5e-4)
    assert model.controller.best() == task.planted
    assert 0.95 * top < certainty(model, task) < top + 0.02
    said = model.controller(torch.tensor([task.planted]))
    assert 0.85 * top**4 < said.log_prob.exp().item() <= top**4 + 1e-6
    assert said.entropy.item() > 4 * 0.7  # far from 0, and yet it has converged


def test_without_tanh_certainty_reaches_one():
    model, task = trained(None, 100)
    assert certainty(model, task) > 0.99


def test_the_loss_is_minus_advantage_times_log_probability():
    model, task = shares(), Right()
    objective = reinforce(entropy=0.5, start=0.25)(task)
    torch.manual_seed(7)
    loss = objective(model, task.batch("valid", 0))
    torch.manual_seed(7)
    sampled = model.controller.sample(1)
    reward = sum(one == other for one, other in zip(sampled.tuples()[0], task.planted, strict=True)) / 4
    paid = reward + 0.5 * sampled.entropy.item()
    baseline = 0.9 * 0.25 + 0.1 * paid  # has seen this reward before the advantage is taken
    assert loss.terms["baseline"].item() == pytest.approx(baseline)
    assert loss.terms["reward"].item() == pytest.approx(reward)
    assert loss.value.item() == pytest.approx(-(paid - baseline) * sampled.log_prob.item())
    (gradient,) = torch.autograd.grad(loss.value, [model.controller.start])
    (wanted,) = torch.autograd.grad(sampled.log_prob[0], [model.controller.start])
    torch.testing.assert_close(gradient, -(paid - baseline) * wanted)


def test_the_first_baseline_is_the_first_reward():
    model, task = shares(), Right()
    loss = reinforce()(task)(model, task.batch("valid", 0))
    assert loss.terms["advantage"].item() == 0.0
    assert loss.terms["baseline"].item() == loss.terms["reward"].item()


def test_priors_are_part_of_the_loss():
    def likes_the_first(decision, log_p):
        return -log_p[:, 0]

    model, task = shares(priors={"first": likes_the_first}), Right()
    loss = reinforce()(task)(model, task.batch("valid", 0))  # its advantage is 0
    assert loss.value.item() == pytest.approx(4 * torch.tensor(6.0).log().item(), abs=0.2)


def test_shared_weights_of_one_member_a_batch_are_moved_and_never_the_controller():
    model, task = shares(), Right()
    loss = SharedWeights(task)(model, task.batch("train", 0))
    gradients = torch.autograd.grad(loss.value, list(model.parameters()), allow_unused=True)
    names = [name for name, _ in model.named_parameters()]
    moved = {name: gradient for name, gradient in zip(names, gradients, strict=True) if gradient is not None}
    assert sorted(moved) == [f"shared.{number}" for number in range(4)]
    assert all((gradient != 0).sum() == 1 for gradient in moved.values())


def test_architectures_are_drawn_anew_for_every_batch():
    model, task, seen = shares(), Right(), []
    child = model.child
    model.child = lambda architecture: seen.append(architecture) or child(architecture)
    learner(model, task).step()
    assert len(seen) == 3 + 5
    assert len(set(seen)) == 8


def test_players_keep_to_their_parameters_and_splits():
    model, task = shares(), Right()
    made = learner(model, task)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    row = made.step()
    assert task.asked == [("train", 0), ("train", 1), ("train", 2), *(("valid", index) for index in range(5))]
    assert row.counts == {"updates": 4, "batches": 3, "samples": 16}
    assert {"controller_reward", "controller_baseline", "controller_entropy", "shared_loss"} <= set(row.values)
    changed = {
        name.partition(".")[0] for name, value in model.state_dict().items() if not torch.equal(value, before[name])
    }
    assert changed == {"shared", "controller"}
    made._seats["shared"].update()
    after = {name: value.clone() for name, value in model.state_dict().items()}
    made._seats["controller"].update()
    assert all(
        torch.equal(value, after[name]) for name, value in model.state_dict().items() if name.startswith("shared")
    )
    assert model.training


def test_a_search_goes_on_exactly():
    whole, half, rest = (learner(shares(), Right()) for _ in range(3))
    for _ in range(4):
        wanted = whole.step()
    for _ in range(2):
        half.step()
    file = io.BytesIO()
    torch.save(half.state_dict(), file)
    file.seek(0)
    rest.load_state_dict(torch.load(file, weights_only=True))
    for _ in range(2):
        row = rest.step()
    assert {name: value.item() for name, value in row.values.items()} == {
        name: value.item() for name, value in wanted.values.items()
    }


def test_rewards():
    means = {"accuracy": torch.tensor(0.75), "nll": torch.tensor(2.0)}
    assert Main()(Goal("accuracy", "max"), means) == 0.75
    assert Main()(Goal("nll", "min"), means) == -2.0
    assert Inverse(scale=80.0)(Goal("accuracy", "max"), means).item() == pytest.approx(80 / torch.e**2)
    with usage_error("not_found", kind=Mismatch, name="perplexity"):
        Main()(Goal("perplexity", "min"), means)


def test_what_has_no_architectures_is_refused():
    task = Right()
    players = {"controller": player(reinforce(), None, "valid", partial(torch.optim.Adam, lr=0.1))}
    with pytest.raises(Mismatch) as error:
        Gradient(nn.Linear(1, 1), task, players=players, seed=0, precision="float32", compile=False)
    assert error.value.fields["subject"] == "Reinforce"
    assert "a model with child, space, standalone_overrides" in error.value.fields["requirement"]
    with usage_error("invalid_value", key="objective.decay", got=1.0):
        reinforce(decay=1.0)(task)


def test_uniform_trains_shared_weights_alone():
    model, task = Shares(UniformController), Right()
    players = {"shared": player(SharedWeights, ["shared"], "train", partial(torch.optim.SGD, lr=0.1))}
    made = Gradient(model, task, players=players, seed=1, precision="float32", compile=False)
    losses = [made.step().values["loss"].item() for _ in range(150)]
    assert sum(losses[-20:]) < 0.05 * sum(losses[:20])
    assert len(model.space.decisions) == len(Planted.decisions)
