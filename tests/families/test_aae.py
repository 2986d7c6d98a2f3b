"""An adversarial autoencoder on a ring: three players, two of which share the encoder."""

import pytest
import torch
from helpers.families import build_untrained, changed_modules, copy_parameters, steps

from dlcli.core.evaluation import score


@pytest.mark.parametrize("seed", [0, 1])
def test_aae_reconstructs_and_matches_the_prior(seed):
    built = build_untrained("ring_aae", seed=seed)
    model, (x,) = built.model, built.task.batch("test", 0).inputs
    before, parameters = score(model, built.task, "test")["radius_error"], copy_parameters(model)
    error = (model(x) - x).square().mean()
    rows = steps(built.learner, 150)
    assert changed_modules(parameters, model) == {"encoder", "decoder", "discriminator"}
    assert {"autoencoder_loss", "discriminator_loss", "prior_loss"} <= rows[0].keys()
    assert (model(x) - x).square().mean() < error / 10
    assert score(model, built.task, "test")["radius_error"] < 0.8 * before
    code = model.encoder(x).detach()
    assert 0.3 < code.std(0).mean() < 3


@pytest.mark.parametrize(
    ("player", "parts"),
    [("autoencoder", {"encoder", "decoder"}), ("discriminator", {"discriminator"}), ("prior", {"encoder"})],
)
def test_aae_player_changes_only_its_own_parameters(player, parts):
    others = {"autoencoder", "discriminator", "prior"} - {player}
    built = build_untrained("ring_aae", *(f"~learner.players.{name}" for name in others))
    parameters = copy_parameters(built.model)
    steps(built.learner, 3)
    assert changed_modules(parameters, built.model) == parts


def test_aae_samples_are_decoded_from_the_prior():
    model = build_untrained("ring_aae").model
    codes = torch.randn(5, 2, generator=torch.Generator().manual_seed(1))
    assert torch.equal(model.sample(5, torch.Generator().manual_seed(1)), model.decoder(codes))
