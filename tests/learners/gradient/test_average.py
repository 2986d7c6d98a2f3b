"""Exponential moving average of the weights, epochs, and double precision of the gradient learner."""

import pytest
import torch
from helpers.lines import ROWS, Lines, adam, gradient, network, player, through_file, values, weights
from torch import nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.evaluation import score
from dlcli.core.limits import limits


def test_average_equals_a_direct_computation():
    model, decay = network(), 0.75
    learner = gradient(model, Lines(), average=decay, optimizer=adam)
    expected = None
    for _ in range(6):
        learner.step()
        expected = weights(model) if expected is None else decay * expected + (1 - decay) * weights(model)
    assert torch.allclose(weights(learner.model), expected, atol=1e-6)
    assert not torch.allclose(weights(learner.model), weights(model), atol=1e-4)


def test_average_is_scored_and_changes_no_training_step():
    plain, averaged = network(), network()
    one, other = gradient(plain, Lines()), gradient(averaged, Lines(), average=0.9)
    assert [values(one.step()) for _ in range(4)] == [values(other.step()) for _ in range(4)]
    assert torch.equal(weights(plain), weights(averaged))
    assert score(other.model, Lines(), "valid") != score(one.model, Lines(), "valid")


def test_average_has_the_buffers_of_the_model():
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
    learner = gradient(model, Lines(), average=0.9)
    for _ in range(3):
        learner.step()
    assert torch.equal(learner.model[1].running_mean, model[1].running_mean)
    assert int(learner.model[1].num_batches_tracked) == 3


@pytest.mark.parametrize("cut", [1, 3])
def test_average_resumes_bit_exactly(cut):
    whole, first, second = (gradient(network(), Lines(), average=0.9) for _ in range(3))
    for _ in range(5):
        whole.step()
    for _ in range(cut):
        first.step()
    second.load_state_dict(through_file(first.state_dict()))
    for _ in range(cut, 5):
        second.step()
    assert torch.equal(weights(second.model), weights(whole.model))


@pytest.mark.parametrize("decay", [-0.1, 1.0, 2.0])
def test_average_refuses_a_decay_out_of_range(decay):
    with pytest.raises(UsageError) as error:
        gradient(network(), Lines(), average=decay)
    assert (error.value.code, error.value.fields["key"]) == ("invalid_value", "learner.average")


@pytest.mark.parametrize(
    ("players", "batches"),
    [
        ({"one": {}}, 1),
        ({"one": {}, "two": {}}, 1),
        ({"one": {}, "two": {"split": "valid", "repeats": 9}, "three": {}}, 1),
        ({"one": {"repeats": 2}, "two": {"accumulate": 3}, "three": {"repeats": 2, "accumulate": 2}}, 4),
    ],
)
def test_epoch_is_a_pass_by_the_player_with_most_batches(players, batches):
    task, made = Lines(), {name: player(**options) for name, options in players.items()}
    learner = gradient(network(), task, players=made)
    assert learner.step().counts["batches"] == batches
    assert limits({"epochs": 2}, learner, task) == [("batches", 14)]


def test_learner_without_a_player_on_train_has_no_epochs():
    learner = gradient(network(), Lines(), split="valid")
    with pytest.raises(UsageError) as error:
        limits({"epochs": 1}, learner, Lines())
    assert (error.value.code, error.value.fields["name"]) == ("unknown_counter", "epochs")


@pytest.mark.parametrize("accumulate", [1, 3])
def test_float64_computes_in_double_precision(accumulate):
    task, model = Lines(torch.float64), nn.Linear(4, 1).double()
    learner = gradient(model, task, precision="float64", accumulate=accumulate, optimizer=adam, average=0.5)
    assert learner.step().values["loss"].dtype == torch.float64
    rows = slice(0, 8 * accumulate)
    assert learner.model.weight.dtype == torch.float64
    plain = nn.Linear(4, 1).double()
    plain.load_state_dict(model.state_dict())
    expected = (plain(task.x[rows]) - task.y[rows]).square().mean()
    fresh = gradient(plain, task, precision="float64", accumulate=accumulate, optimizer=adam, average=0.5)
    learner.load_state_dict(through_file(fresh.state_dict()))
    assert float(learner.step().values["loss"]) == pytest.approx(float(expected), rel=1e-14)


@pytest.mark.parametrize(("precision", "dtype"), [("float64", torch.float32), ("float32", torch.float64)])
def test_precision_of_learner_and_parameters_must_agree(precision, dtype):
    with pytest.raises(Mismatch) as error:
        gradient(network().to(dtype), Lines(dtype), precision=precision)
    assert error.value.code == "mismatch"


def test_rows_are_the_samples_of_a_split():
    assert Lines().rows("train") == ROWS == sum(len(Lines().batch("train", index)) for index in range(7))
