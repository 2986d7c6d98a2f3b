"""Reading the resolved configuration: config.json, and YAML of older runs."""

import json
import math
import time

import yaml
from hypothesis import given
from hypothesis import strategies as st
from made_runs import make_run

from dlcli.report.configuration import flatten, read_settings
from dlcli.runs.run import Run

SCALARS = st.one_of(st.integers(), st.floats(allow_nan=False), st.booleans(), st.none(), st.text(max_size=8))
TREES = st.dictionaries(
    st.from_regex(r"[a-z_]{1,6}", fullmatch=True),
    st.recursive(
        st.one_of(SCALARS, st.lists(SCALARS, max_size=3)),
        lambda inner: st.dictionaries(st.from_regex(r"[a-z_]{1,6}", fullmatch=True), inner, max_size=3),
    ),
    min_size=1,
    max_size=4,
)


@given(tree=TREES)
def test_settings_written_by_a_run_are_read_back(tmp_path_factory, tree):
    run = Run.create(tmp_path_factory.mktemp("out"), "train", "tcn", yaml.safe_dump(tree), tree)
    run.close()
    by_json = read_settings(run.path)
    (run.path / "config.json").unlink()
    assert by_json == read_settings(run.path) == json.loads(json.dumps(_words(tree)))


def _words(node):
    if isinstance(node, dict):
        return {key: _words(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_words(value) for value in node]
    return str(node) if isinstance(node, float) and not math.isfinite(node) else node


def test_configure_replaces_both_files_and_never_leaves_a_stale_one(tmp_path):
    run = Run.create(tmp_path, "train", "tcn", "model: {hidden: 3}\n", {"model": {"hidden": 3}})
    run.configure("model: {hidden: 5}\n", {"model": {"hidden": 5}})
    assert read_settings(run.path) == {"model": {"hidden": 5}}
    run.configure("model: {hidden: 7}\n", None)
    assert not (run.path / "config.json").exists()
    assert read_settings(run.path) == {"model": {"hidden": 7}}
    run.close()


def test_damaged_json_falls_back_to_yaml(tmp_path):
    path = make_run(tmp_path, keys={"model.hidden": 4})
    (path / "config.json").write_text("{")
    assert read_settings(path)["model"]["hidden"] == 4


def test_alias_bomb_is_unreadable_within_bounded_time(tmp_path):
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    path = make_run(tmp_path)
    (path / "config.yaml").write_text("\n".join(levels))
    begin = time.process_time()
    assert read_settings(path) == {}
    assert time.process_time() - begin < 2


def test_aliases_are_read(tmp_path):
    path = make_run(tmp_path)
    (path / "config.yaml").write_text("a: &x {b: 1}\nc: *x\n")
    assert dict(flatten(read_settings(path))) == {"a.b": 1, "c.b": 1}
