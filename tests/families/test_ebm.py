"""An energy-based model, whose samples follow its own gradient, also while it is scored under `no_grad`."""

import pytest
import torch
from helpers.families import CONF, build_untrained, evaluate, evaluation, steps, transfer_state

import dlcli
from dlcli.core.evaluation import score
from dlcli.core.rng import generator
from dlcli.core.sampling import draw


@pytest.mark.parametrize("seed", [0, 1])
def test_ebm_samples_approach_the_ring(seed):
    built = build_untrained("ring_ebm", seed=seed)
    before = score(built.model, built.task, "test")["radius_error"]
    steps(built.learner, 120)
    assert score(built.model, built.task, "test")["radius_error"] < before / 4


def test_ebm_is_scored_with_gradients_inside_no_grad():
    built = build_untrained("ring_ebm")
    task, model = built.task, built.model
    points = [model.sample(len(task.batch("valid", index)), generator(index)) for index in range(task.size("valid"))]
    error = (torch.cat(points).norm(dim=1) - 1).abs().mean()
    assert score(model, task, "valid")["radius_error"] == pytest.approx(error.item(), rel=1e-6)
    assert all(value.grad is None for value in model.parameters())
    assert model.training


def test_ebm_scoring_between_steps_changes_nothing():
    plain, scored = build_untrained("ring_ebm"), build_untrained("ring_ebm")
    transfer_state(plain.learner, scored.learner)
    rows = []
    for _ in range(3):
        rows += steps(scored.learner, 1)
        score(scored.model, scored.task, "valid")
        draw(scored.model, 3, seed=0)
    assert rows == steps(plain.learner, 3)


def test_ebm_chains_are_saved_with_the_learner():
    first, second = build_untrained("ring_ebm"), build_untrained("ring_ebm")
    steps(first.learner, 2)
    assert steps(transfer_state(first.learner, second.learner), 2) == steps(first.learner, 2)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("ebm")
    return dlcli.train("ring_ebm", steps=3, out=out, config_dir=CONF, progress="none", threads=1)


@pytest.mark.parametrize("word", ["steps_per_sample=2", "model.steps_per_sample=2"])
def test_eval_changes_a_test_time_key_and_records_it(run, word):
    result = evaluate(run, word)
    assert result.exit_code == 0, result.stderr
    path, info = evaluation(run)
    assert "steps_per_sample: 2" in (path / "config.yaml").read_text()
    assert info["metrics"]["test"] != run.info["metrics"]["test"]
    assert "steps_per_sample: 60" in (run.path / "config.yaml").read_text()


@pytest.mark.parametrize("word", ["hidden=3", "model.hidden=3", "model.step_size=0.5", "seed=1", "steps_per_sampl=2"])
def test_eval_refuses_other_keys_and_names_those_that_may_change(run, word):
    result = evaluate(run, word)
    assert result.exit_code == 2
    assert "steps_per_sample" in result.stderr
    assert word.partition("=")[0] in result.stderr


def test_list_of_test_time_keys_is_not_in_the_signature(tmp_path):
    words = {"steps": 3, "out": tmp_path, "config_dir": CONF, "progress": "none", "threads": 1}
    plain = dlcli.train("ring_ebm", **words)
    other = dlcli.train("ring_ebm", "model.eval_keys=[noise]", **words)
    assert plain.info["signature"] == other.info["signature"]
