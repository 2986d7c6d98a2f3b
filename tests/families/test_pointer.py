"""A target that is a position among the inputs, and inputs of any length."""

import pytest
from helpers.families import CONF, build_untrained, evaluate, evaluation

import dlcli
from dlcli.core.errors import Mismatch


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("pointer")
    return dlcli.train("largest_pointer", out=out, config_dir=CONF, progress="none", threads=1)


def test_pointer_finds_the_largest_number(run):
    assert run.info["metrics"]["test"]["accuracy"] > 0.9
    assert run.info["spec"]["target"] == {"kind": "Places", "width": None, "axes": 0, "source": 0}


def test_pointer_is_evaluated_on_longer_lists_than_in_training(run):
    result = evaluate(run, "task.length=20")
    assert result.exit_code == 0, result.stderr
    assert evaluation(run)[1]["metrics"]["test"]["accuracy"] > 0.8


def test_model_with_a_fixed_number_of_outputs_is_refused():
    with pytest.raises(Mismatch) as error:
        build_untrained("largest_pointer", "model=tcn", "model.channels=[4]")
    assert error.value.code == "mismatch"
    assert error.value.fields["requirement"] == "a target of known width"
    assert error.value.fields["got"] == "Places(any)"


LENGTHS = ("task=adding", "task.length=12", "task.train=64", "task.valid=16", "task.test=16", "learner=gradient")
TRAINED = {"steps": 2, "progress": "none", "threads": 1}


def test_eval_accepts_a_longer_input_where_the_model_does(tmp_path):
    run = dlcli.train("tcn", *LENGTHS, "model.channels=[4,4]", out=tmp_path, **TRAINED)
    result = evaluate(run, "task.length=30")
    assert result.exit_code == 0, result.stderr


def test_eval_refuses_a_longer_input_where_the_model_cannot_read_it(tmp_path):
    run = dlcli.train("mlp", *LENGTHS, out=tmp_path, **TRAINED)
    result = evaluate(run, "task.length=30")
    assert result.exit_code == 2
    assert "data of the same shape" in result.stderr
