"""`dlcli compare runs`: formats, filters and invalid options."""

import csv
import io
import json
import os
import subprocess
import sys

import pytest
from made_runs import make_groups, make_run
from typer.testing import CliRunner

from dlcli.cli.app import app

ODD = "a|b, \"c\" 'd'\n<script>alert(1)</script> & 50% $x_1$ \\cmd{} [bold]x[/bold]\x1b[31m"


def compare(out, *words):
    return CliRunner().invoke(app, ["compare", "runs", *map(str, words), "--out", str(out)])


def good(out, *words):
    result = compare(out, *words)
    assert result.exit_code == 0, (result.stderr, result.exception)
    return result.stdout


def refused(out, *words):
    result = compare(out, *words)
    assert result.exit_code == 2, (result.stdout, result.exception)
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.stdout == ""
    assert 1 <= len(result.stderr.splitlines()) <= 5
    return result.stderr


@pytest.fixture
def out(tmp_path):
    make_groups(tmp_path, {"tcn": [0.9, 0.92, 0.97]})
    make_groups(tmp_path, {"gru": [0.8, 0.7, 0.75]}, keys={"model.hidden": 16})
    make_groups(tmp_path, {"gru": [0.1, 0.2, 0.3]}, keys={"model.hidden": 64})
    make_groups(tmp_path, {"lstm": [3.0, 2.0]}, task="adding", metric="mse")
    return tmp_path


def groups(out, *words):
    return [row["name"] for row in json.loads(good(out, "--json", *words))["groups"]]


def test_compare_prints_groups_pairs_and_conclusion(out):
    text = good(out)
    assert all(word in text for word in ("group", "mean", "95 % CI", "[", "p corrected", "0.9300"))
    assert "not significant" in text
    assert "With 3 paired seeds the smallest attainable p is 0.25" in text
    assert "at least 6 seeds are needed" in text


def test_compare_json_has_four_keys(out):
    assert list(json.loads(good(out, "--json"))) == ["groups", "pairs", "sentence", "left_out"]


@pytest.mark.parametrize("form", ["--json", "--csv", "--md", "--latex", "--precision=2"])
def test_compare_formats_contain_every_group(out, form):
    text = good(out, form)
    assert all(name in text for name in ("tcn", "gru", "lstm", "64"))


def test_compare_rejects_two_formats(out):
    assert "--json and --latex" in refused(out, "--latex", "--json")


def test_compare_filters_by_condition_age_and_status(out):
    assert groups(out, "--where", "task=adding") == ["lstm"]
    assert groups(out, "--where", "task=digits", "--where", "model.hidden>20") == ["gru"]
    assert groups(out, "--where", "task=digits and hidden>20 or seed=0 and model=lstm") == ["lstm", "gru"]
    assert groups(out, "--since", "2025-12-31", "--status", "completed", "1:2") == ["lstm"]
    assert "of 11 selected" in refused(out, "--since", "2h")
    assert "of 11 selected" in refused(out, "--status", "failed,lost")


@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        (["--where", "__import__('os').system('id')"], "__import__('os')"),
        (["--where", "task=adding and"], "'task=adding and'"),
        (["--where", "model.hiden > 3"], "hidden"),
        (["--where", "task > 3"], "--where: task"),
        (["--since", "soon"], "--since"),
        (["--status", "complete"], '"completed"'),
        (["--metric", "acuracy"], '"accuracy"'),
        (["--baseline", "tnc"], '"tcn"'),
        (["--baseline", "gru"], "'gru'"),
        (["--interval", "tt"], '--interval'),
        (["--interval", "z"], "auto"),
        (["--x", "sampels"], '"samples"'),
        (["--sort", "maen"], '"mean"'),
        (["--limit", "0"], "at least 1"),
        (["--precision", "0"], "--precision must be"),
        (["--precision", "many"], "--precision"),
        (["--plot", "curves.pgn"], ".png"),
        (["--plot", "no/such/folder/a.png"], "no/such/folder"),
        (["--html", "no/such/folder/a.html"], "no/such/folder"),
        (["nosuch"], "nosuch"),
    ],
)  # fmt: skip
def test_compare_rejects_invalid_options(out, words, fragment):
    assert fragment in refused(out, *words)


def test_compare_without_runs_names_the_train_command(tmp_path):
    assert "dlcli train" in refused(tmp_path)
    assert "dlcli train" in refused(tmp_path / "nowhere", "--json")


def test_compare_writes_plot_and_page(out, tmp_path):
    pytest.importorskip("matplotlib")
    result = compare(out, "--plot", tmp_path / "a.svg", "--html", tmp_path / "a.html", "--x", "samples", "--json")
    assert result.exit_code == 0, result.exception
    json.loads(result.stdout)
    assert (tmp_path / "a.svg").stat().st_size > 1000
    assert "<!doctype html>" in (tmp_path / "a.html").read_text()
    assert "written" in result.stderr


def test_compare_reports_unreadable_runs(tmp_path):
    make_groups(tmp_path, {"tcn": [0.9, 0.8]})
    for place, text in enumerate(("{", '{"schema": 99}', "[]", "")):
        (make_run(tmp_path, seed=9, identity=f"broken{place}") / "run.json").write_text(text)
    (make_run(tmp_path, identity="halfhalf") / "run.json").unlink()
    make_run(
        tmp_path, seed=5, identity="lostlost", info={"status": "running", "host": __import__("socket").gethostname()}
    )
    result = compare(tmp_path, "--json")
    found = json.loads(result.stdout)
    assert [row["n"] for row in found["groups"]] == [2]
    assert len(found["left_out"]) == 6
    assert {one["status"] for one in found["left_out"]} == {"damaged", "lost"}
    assert all(f"broken{place}" in result.stderr for place in range(4))
    assert all(name in result.stderr for name in ("halfhalf", "lostlost", "newer dlcli"))


def test_compare_requires_a_readable_run(tmp_path):
    (make_run(tmp_path) / "run.json").write_text("{")
    assert "is damaged" in refused(tmp_path)


@pytest.mark.parametrize("form", ["--json", "--csv", "--md", "--latex", "--precision=3"])
def test_compare_escapes_names_in_every_format(tmp_path, form):
    for seed in (0, 1):
        make_run(tmp_path, seed=seed, value=0.5 + seed / 10, info={"name": ODD}, keys={"model.words": ODD})
        make_run(tmp_path, "gru", seed, 0.7, keys={"model.words": "plain"})
    text = good(tmp_path, form)
    if form == "--json":
        assert ODD in [row["name"] for row in json.loads(text)["groups"]]
        return
    if form == "--csv":
        assert ODD in [row["name"] for row in csv.DictReader(io.StringIO(text))]
        return
    assert "\x1b" not in text
    lines = [line for line in text.splitlines() if line.startswith(("a|b", "a\\|b", "| a", "  a"))]
    assert lines
    assert "[bold]" in text.replace("\\[", "[").replace("\\]", "]").replace("{[}", "[").replace("{]}", "]")


def test_compare_limits_printed_exclusions(tmp_path):
    for number in range(12):
        make_run(tmp_path, seed=0, identity=f"again{number:02d}")
    result = compare(tmp_path)
    assert result.exit_code == 0
    assert all(f"again{number:02d}" in result.stderr for number in range(11))
    assert "newer run again11" in result.stderr


def test_compare_prints_complete_long_tables(tmp_path):
    make_groups(tmp_path, {f"m{number:03d}": [number / 100] for number in range(70)})
    text = good(tmp_path)
    assert all(f"m{number:03d} " in text for number in range(70))
    assert groups(tmp_path, "--sort", "name", "--limit", "2") == ["m000", "m001"]
    assert "68 more groups" in compare(tmp_path, "--limit", "2").stderr


def test_compare_imports_neither_torch_nor_hydra_nor_pandas(out):
    script = (
        "import sys\nfrom dlcli.cli.app import app\n"
        f"try: app(['compare', 'runs', '--out', {str(out)!r}])\n"
        "except SystemExit as end: assert not end.code\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ)
    loaded = set(done.stderr.splitlines()[-1].split())
    assert not loaded & {"torch", "hydra", "omegaconf", "pandas", "scipy", "matplotlib"}
    assert "tcn" in done.stdout


def test_compare_writes_the_page_despite_a_closed_pipe(out, tmp_path):
    command = f"{sys.executable} -m dlcli compare runs --out {out} --html {tmp_path}/a.html"
    command += " | true; exit ${PIPESTATUS[0]}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (tmp_path / "a.html").exists()
    assert "Traceback" not in done.stderr


def test_compare_all_pairs_csv_equals_json(out):
    pairs = json.loads(good(out, "--all-pairs", "--json"))["pairs"]
    rows = list(csv.DictReader(io.StringIO(good(out, "--all-pairs", "--csv"))))
    assert [row["name"] for row in rows if row["row"] == "group"] == groups(out)
    found = [row for row in rows if row["row"] == "pair"]
    assert [(row["name"], row["against"]) for row in found] == [(pair["a"], pair["b"]) for pair in pairs]
    for row, pair in zip(found, pairs, strict=True):
        assert (float(row["p"]), float(row["difference"])) == (pair["p"], pair["difference"])
        assert (row["test"], row["paired"], row["pairs"]) == (pair["test"], str(pair["paired"]), str(pair["n"]))


def test_compare_csv_names_the_test(out):
    rows = list(csv.DictReader(io.StringIO(good(out, "--csv", "--where", "task=digits"))))
    assert [(row["against"], row["test"], row["paired"], row["pairs"]) for row in rows] == [
        ("", "", "", ""), *[("tcn", "sign-flip, exact", "True", "3")] * 2
    ]  # fmt: skip
    assert "row" not in rows[0]


@pytest.mark.parametrize("option", ["--html", "--plot"])
def test_compare_html_follows_links_and_rejects_special_files(out, tmp_path, option):
    pytest.importorskip("matplotlib")
    link, fifo, target = (tmp_path / f"{name}.svg" for name in ("link", "fifo", "target"))
    link.symlink_to(target)
    good(out, option, link)
    assert link.is_symlink()
    assert target.stat().st_size > 1000
    os.mkfifo(fifo)
    assert f"{option} {fifo}" in refused(out, option, fifo)
    assert fifo.is_fifo()


def test_compare_html_rejects_a_folder(out, monkeypatch):
    monkeypatch.chdir(out)
    for name in (".", "..", "train"):
        assert f"--html {name}" in refused(out, "--html", name)


@pytest.mark.parametrize("width", [30, 60, 80, 100, 140])
def test_compare_numbers_are_never_wrapped(out, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    text = good(out, "--where", "task=digits")
    for number in ("0.9300", "0.7500", "-0.1800", "0.75", "not significant"):
        assert number in text
    assert ("[0.6258, 0.8742]" in text) == (width >= 30)
    assert ("sign-flip, exact" in text) == (width >= 140)


def test_compare_intervals_are_complete_or_hidden(out, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = good(out, "--where", "task=digits")
    lines = [line for line in text.splitlines() if "[" in line]
    assert all(line.count("[") == line.count("]") for line in lines)
    assert "hidden columns (terminal too narrow): test, effect" in text
