"""A GAN on a ring: two players, samples as files and arrays."""

import io

import numpy as np
import pytest
import torch
from helpers.families import (
    CONF,
    build_untrained,
    changed_modules,
    copy_parameters,
    evaluate,
    evaluation,
    steps,
    transfer_state,
)
from PIL import Image

import dlcli
from dlcli.commands.eval.draw import encode
from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.evaluation import score


@pytest.mark.parametrize("seed", [0, 1])
def test_gan_training_reduces_distance_to_the_ring(seed):
    built = build_untrained("ring_gan", seed=seed)
    before = score(built.model, built.task, "test")["radius_error"]
    parameters = copy_parameters(built.model)
    rows = steps(built.learner, 200)
    assert changed_modules(parameters, built.model) == {"generator", "critic"}
    assert {"critic_loss", "generator_loss"} <= rows[0].keys()
    assert score(built.model, built.task, "test")["radius_error"] < before / 2


@pytest.mark.parametrize(("removed", "left"), [("generator", "critic"), ("critic", "generator")])
def test_gan_player_changes_only_its_own_parameters(removed, left):
    built = build_untrained("ring_gan", f"~learner.players.{removed}")
    parameters = copy_parameters(built.model)
    steps(built.learner, 3)
    assert changed_modules(parameters, built.model) == {left}


def test_gan_resume_is_exact():
    first, second = build_untrained("ring_gan"), build_untrained("ring_gan")
    steps(first.learner, 2)
    assert steps(transfer_state(first.learner, second.learner), 2) == steps(first.learner, 2)


def test_gan_is_scored_without_a_loss_and_refused_by_the_supervised_objective():
    with pytest.raises(Mismatch) as error:
        build_untrained("ring_gan", "learner=gradient")
    assert error.value.code == "mismatch"
    assert error.value.fields["requirement"] == "a task with a loss"
    assert error.value.fields["got"] == "Ring"
    assert "environment" not in error.value.fields["hint"]


def test_ring_refuses_a_model_that_cannot_sample():
    with pytest.raises(Mismatch) as error:
        build_untrained("ring_gan", "model=mlp", "learner=gradient")
    assert error.value.code == "mismatch"
    assert (error.value.fields["subject"], error.value.fields["got"]) == ("Ring", "MLP")
    assert error.value.fields["requirement"] == "a model with sample"


def test_gan_objective_names_the_missing_members():
    with pytest.raises(Mismatch) as error:
        build_untrained("ring_gan", "model=ebm", "learner.players.critic.parts=null")
    assert error.value.fields["requirement"] == "a model with critic, generator, noise"
    assert error.value.fields["hint"] == "EBM lacks critic, generator."


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("gan")
    return dlcli.train("ring_gan", steps=5, seed=3, out=out, config_dir=CONF, progress="none", threads=1)


def test_draw_is_a_function_of_the_seed(run):
    samples = run.sample(6)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    assert torch.equal(run.sample(6), samples)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(run.sample(6, seed=3), samples)
    assert not torch.equal(run.sample(6, seed=4), samples)
    assert samples.shape == (6, 2)
    assert not samples.requires_grad


def test_eval_draws_the_samples_of_the_seed_into_npz(run, tmp_path):
    for number, words in enumerate(([], ["--seed", 9])):
        path = tmp_path / f"{number}.npz"
        result = evaluate(run, "--draw", 6, "--to", path, *words)
        assert result.exit_code == 0, result.output
        assert str(path) in result.output
        assert evaluation(run)[1]["metrics"] == {}
        assert np.array_equal(np.load(path)["samples"], run.sample(6, seed=9 if words else None).numpy())
    assert evaluation(run)[1]["drawn"] == {"samples": 6, "seed": 9, "path": str(path)}


def test_eval_scores_a_split_beside_the_samples_on_request(run, tmp_path):
    result = evaluate(run, "--draw", 2, "--to", tmp_path / "x.npz", "--split", "valid")
    assert result.exit_code == 0, result.output
    assert {*evaluation(run)[1]["metrics"]} == {"valid"}


def test_eval_draws_points_as_a_scatter_plot(run, tmp_path):
    assert evaluate(run, "--draw", 50, "--to", tmp_path / "ring.png").exit_code == 0
    pixels = np.asarray(Image.open(tmp_path / "ring.png"))
    assert 0.0005 < (pixels != 255).any(2).mean() < 0.5


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--draw", 0, "--to", "x.png"], "--draw must be at least 1"),
        (["--draw", 3], "--draw requires --to"),
        (["--to", "x.png"], "--to requires --draw"),
        (["--seed", 3], "--seed requires --draw"),
        (["--draw", 3, "--to", "x.gif"], "--to must be a .png or .npz file"),
        (["--draw", 3, "--to", "/no/such/x.png"], "/no/such"),
    ],
)
def test_draw_rejects_invalid_options_before_a_run_exists(run, words, expected):
    before = len(list(run.path.parents[2].rglob("run.json")))
    result = evaluate(run, *words)
    assert result.exit_code == 2
    assert expected in result.stderr
    assert len(list(run.path.parents[2].rglob("run.json"))) == before


def test_draw_requires_a_generative_model(tmp_path):
    predictor = dlcli.train("largest_pointer", out=tmp_path, config_dir=CONF, steps=1, threads=1, progress="none")
    with pytest.raises(Mismatch) as error:
        predictor.sample(3)
    assert error.value.fields["got"] == "Pointer"
    assert evaluate(predictor, "--draw", 3, "--to", tmp_path / "x.png").exit_code == 2
    assert not (tmp_path / "x.png").exists()


def test_draw_encodes_images_as_a_grid():
    images = torch.zeros(3, 1, 8, 8)
    images[1] = 1
    picture = np.asarray(Image.open(io.BytesIO(encode(images, ".png"))))
    side = 8 * 16
    assert picture.shape == (2 * side + 3, 2 * side + 3, 3)
    assert (picture[1 : side + 1, 1 : side + 1] == 0).all()
    assert (picture[1 : side + 1, side + 2 : 2 * side + 2] == 255).all()


def test_draw_rejects_samples_of_other_shapes():
    with pytest.raises(UsageError) as error:
        encode(torch.zeros(4, 7), ".png")
    assert error.value.code == "unsupported"
    assert ".npz" in error.value.fields["hint"]
