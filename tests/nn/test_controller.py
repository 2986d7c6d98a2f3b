"""Controllers: probabilities, sampling, logit adjustments."""

import math

import pytest
import torch

from dlcli.core.errors import UsageError
from dlcli.core.space import Decision, Graph, all_architectures, as_tensor
from dlcli.nn.supernet.controller import Controller, UniformController, max_probability
from dlcli.nn.supernet.logit_adjustments import ChoiceBonus, DistancePenalty, SkipSparsity, Temperature


class Toy:
    """Two operations of three, a skip, and a node that reads one of four."""

    decisions = (
        Decision("layer 1 operation", ("a", "b", "c")),
        Decision("layer 2 operation", ("a", "b", "c")),
        Decision("layer 2 reads layer 1", ("no", "yes")),
        Decision("node 4 from", ("0", "1", "2", "3")),
    )

    def graph(self, architecture):
        return Graph((), ())


def controller(**other):
    usual = {"hidden": 16, "tanh": 1.5, "temperature": 1.0, "initial": 0.1, "shapings": {}, "priors": {}}
    torch.manual_seed(0)
    return Controller(Toy(), **(usual | other))


def certain(made, place, choice):
    """The controller with one head saturated."""
    with torch.no_grad():
        made.heads[place].bias.fill_(-1e3)[choice] = 1e3
    return made


def probability(made, place, choice):
    """Of a choice of the first decision that is not the place's."""
    with torch.no_grad():
        return made._logits(place, torch.zeros(1, 16)).softmax(1)[0, choice].item()


def test_controller_probabilities_sum_to_one():
    made = controller(initial=1.0)
    said = made(as_tensor(list(all_architectures(Toy()))))
    assert said.log_prob.exp().sum().item() == pytest.approx(1, abs=1e-5)
    weight = said.log_prob.exp()
    torch.testing.assert_close((weight * said.entropy).sum(), -(weight * said.log_prob).sum())


def test_controller_samples_match_probabilities():
    made = controller(initial=1.0)
    everything = list(all_architectures(Toy()))
    wanted = made(as_tensor(everything)).log_prob.exp()
    drawn = made.sample(20_000).tuples()
    found = torch.tensor([drawn.count(one) for one in everything]) / len(drawn)
    assert (found - wanted).abs().max() < 4 * math.sqrt(0.25 / len(drawn))


def test_controller_sample_matches_forward_and_is_reproducible():
    made = controller(initial=1.0)
    torch.manual_seed(3)
    first = made.sample(5)
    torch.manual_seed(3)
    again = made.sample(5)
    assert torch.equal(first.architectures, again.architectures)
    torch.testing.assert_close(made(first.architectures).log_prob, first.log_prob)
    assert first.log_prob.requires_grad


def test_controller_best_is_greedy():
    made = controller(initial=2.0)
    everything = list(all_architectures(Toy()))
    weight = dict(zip(everything, made(as_tensor(everything)).log_prob.exp().tolist(), strict=True))
    best = made.best()
    for place, decision in enumerate(Toy.decisions):
        begun = [(*best[:place], choice) for choice in range(len(decision.choices))]
        mass = [sum(weight[one] for one in everything if one[: place + 1] == begin) for begin in begun]
        assert mass[best[place]] == max(mass)


@pytest.mark.parametrize(
    ("choices", "tanh", "published"), [(6, 1.5, 0.801), (2, 1.5, 0.953), (5, 0.44, 0.376), (4, 2.25, 0.968)]
)
def test_max_probability_of_published_settings(choices, tanh, published):
    assert max_probability(choices, tanh) == pytest.approx(published, abs=5e-4)


def test_controller_probabilities_do_not_exceed_maximum():
    assert probability(certain(controller(), 0, 1), 0, 1) == pytest.approx(max_probability(3, 1.5))
    assert probability(certain(controller(temperature=5.0), 3, 2), 3, 2) == pytest.approx(max_probability(4, 1.5))
    assert probability(certain(controller(tanh=None), 0, 1), 0, 1) == pytest.approx(1) == max_probability(3, None)


def test_logit_adjustments_apply_to_named_decisions_only():
    reduced = certain(controller(shapings={"reduce": Temperature(where="operation", by=2.5)}), 0, 1)
    assert probability(reduced, 0, 1) == pytest.approx(max_probability(3, 0.6))
    assert probability(certain(reduced, 2, 1), 2, 1) == pytest.approx(max_probability(2, 1.5))
    near = controller(shapings={"near": DistancePenalty(where="from", scale=6.0)})._logits(3, torch.zeros(1, 16))
    plain = controller()._logits(3, torch.zeros(1, 16))
    torch.testing.assert_close(plain - near, torch.tensor([[16.0, 9.0, 4.0, 1.0]]) / 6)
    liked = controller(shapings={"b": ChoiceBonus(where="operation", choice="b", by=0.25)})._logits(
        0, torch.zeros(1, 16)
    )
    plain = controller()._logits(0, torch.zeros(1, 16))
    torch.testing.assert_close(liked - plain, torch.tensor([[-0.25, 0.25, -0.25]]))


def test_skip_sparsity_is_kl_divergence():
    prior = SkipSparsity(where="reads", target=0.4, weight=0.8)
    at = torch.tensor([[0.6, 0.4], [0.5, 0.5]]).log()
    wanted = 0.8 * (0.5 * math.log(0.5 / 0.6) + 0.5 * math.log(0.5 / 0.4))
    torch.testing.assert_close(prior(Toy.decisions[2], at), torch.tensor([0.0, wanted]), atol=1e-6, rtol=0)
    made = controller(priors={"skips": prior})
    optimizer = torch.optim.Adam(made.parameters(), lr=0.05)
    for _ in range(100):
        optimizer.zero_grad()
        made.sample(10).penalty.mean().backward()
        optimizer.step()
    assert made.sample(4_000).architectures[:, 2].double().mean().item() == pytest.approx(0.4, abs=0.03)


def test_uniform_controller_has_equal_probabilities():
    torch.manual_seed(0)
    drawn = UniformController(Toy()).sample(4_000)
    assert drawn.architectures.double().mean(0).tolist() == pytest.approx([1, 1, 0.5, 1.5], abs=0.06)
    assert drawn.log_prob.exp().tolist() == pytest.approx([1 / 72] * 4_000)
    assert UniformController(Toy()).best() == (0, 0, 0, 0)


def test_controller_rejects_zero_temperature():
    with pytest.raises(UsageError) as raised:
        controller(temperature=0.0)
    assert raised.value.fields["key"] == "model.controller.temperature"
