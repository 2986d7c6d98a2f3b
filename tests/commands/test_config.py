"""`dlcli config`: the resolved configuration, with the source of each value."""

import json

import pytest
import yaml
from typer.testing import CliRunner

from dlcli.cli.app import app
from dlcli.config import compose


def config(*words):
    result = CliRunner().invoke(app, ["config", *words])
    assert result.exit_code == 0, result.stderr
    return result.stdout


def line(text, start):
    (match,) = [line for line in text.splitlines() if line.strip().startswith(start)]
    return match


@pytest.mark.parametrize("words", [(), ("gru", "seed=3"), ("adding_tcn", "until={updates: 3}", "clip=null")])
def test_config_prints_the_resolved_configuration(words):
    (point,) = compose.expand("train", words)
    assert yaml.safe_load(config(*words).replace("1e-08", "1.0e-08")) == point.resolved()
    assert json.loads(config(*words, "--json")) == point.resolved()


def test_config_prints_the_source_of_each_value(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf/model").mkdir(parents=True)
    (tmp_path / "conf/model/mine.yaml").write_text("_target_: dlcli.models.sequence.tcn.TCN\nchannels: [3]\n")
    text = config("gru", "seed=3", "lr=0.25", "steps=7", "model.hidden=9", "until.updates=4")
    assert line(text, "hidden: 9").endswith("# command line")
    assert line(text, "lr: 0.25").endswith("# command line")
    assert line(text, "steps: 7").endswith("# command line")
    assert line(text, "updates: 4").endswith("# command line")
    assert line(text, "clip:").endswith("# dlcli: conf/experiment/train/gru.yaml")
    assert line(text, "layers:").endswith("# dlcli: conf/model/gru.yaml")
    assert line(text, "betas:").endswith("# dlcli: conf/optimizer/adam.yaml")
    assert line(config("task=adding", "model=mine"), "channels:").endswith("# conf/model/mine.yaml")
    bare = [row for row in text.splitlines() if not row.rstrip().endswith(":") and "#" not in row]
    assert bare == []


def test_config_prints_every_point():
    assert sum(row.startswith("seed: 0") for row in config("model=tcn,gru").splitlines()) == 2
