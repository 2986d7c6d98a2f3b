"""`dlcli sketch stream`: what is printed of files of every kind, saved sketches, and what is refused in words."""

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from dlcli.cli.app import app

ALL = "hll,kll,countmin,countsketch,ams,fastams,frequent,entropy,jl,norms"


def dlcli(*words, **more):
    return CliRunner().invoke(app, ["sketch", "stream", *(str(word) for word in words)], **more)


def told(*words, **more):
    result = dlcli(*words, "--json", **more)
    assert result.exit_code == 0, (result.stderr, result.exception)
    return json.loads(result.stdout)


def answers(*words, **more):
    return {(one["question"], one["of"]): one for one in told(*words, **more)["estimates"]}


def refused(*words, **more):
    result = dlcli(*words, **more)
    assert result.exit_code == 2, (result.stdout, result.stderr, result.exception)
    assert "Traceback" not in result.stderr
    assert len(result.stderr.splitlines()) <= 3
    return result.stderr


@pytest.fixture
def table(tmp_path):
    """A CSV of 3,000 rows: labels, whole numbers, numbers."""
    draw = np.random.default_rng(0)
    rows = zip(draw.integers(0, 5, 3000), draw.zipf(1.5, 3000), draw.normal(size=3000), strict=True)
    path = tmp_path / "table.csv"
    path.write_text("label,count,score\n" + "".join(f"class {a},{b},{c}\n" for a, b, c in rows))
    return path


@pytest.fixture
def saved(table, tmp_path):
    told(table, "--column", "count", "--kind", "hll,countsketch,frequent", "--save", tmp_path / "a.npz")
    return tmp_path / "a.npz"


def test_every_kind_beside_the_truth(table):
    found = told(table, "--column", "count", "--kind", ALL, "--exact", "--top", 3)
    assert {one["kind"] for one in found["estimates"]} == set(ALL.split(","))
    assert all(one["within"] for one in found["estimates"])
    assert all(one["items"] == 3000 and one["values"] == "integers" for one in found["sketches"])


def test_a_table_for_people(table):
    result = dlcli(table, "--column", "label", "--kind", "hll,frequent,countmin", "--exact")
    assert result.exit_code == 0, result.stderr
    assert "standard error 1.62%" in result.stdout
    assert "count class 0" in result.stdout
    assert "NO" not in result.stdout
    assert "hll: 3,000 words; log2 12, seed 0" in result.stdout


def test_numbers_of_a_column(table):
    found = answers(table, "--column", "score", "--kind", "kll", "--exact")
    assert found["quantile", "0.5"]["within"]
    assert abs(found["quantile", "0.5"]["exact"]) < 0.1


def test_lines_tokens_and_standard_input(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("the cat\nthe dog 3\nthe cat\n")
    by_token = answers(path, "--tokens", "--kind", "frequent,hll")
    assert by_token["count", "the"]["estimate"] == 3
    assert round(by_token["distinct", ""]["estimate"]) == 4
    by_line = answers(path, "--kind", "frequent")
    assert by_line["count", "the cat"]["estimate"] == 2
    piped = answers("-", "--kind", "frequent", input="5\n5\n7\n")
    assert piped["count", "5"]["estimate"] == 2
    csv = answers("-", "--column", "b", "--kind", "frequent", input="a,b\n1,x\n2,x\n")
    assert csv["count", "x"]["estimate"] == 2


def test_pieces_do_not_matter(tmp_path, monkeypatch):
    from dlcli.commands.streams import reader

    path = tmp_path / "text.txt"
    path.write_text("".join(f"größe{i % 37}\n" for i in range(2000)))
    whole = told(path, "--kind", "hll,countsketch,frequent", "--item", "größe3")
    monkeypatch.setattr(reader, "_BYTES", 100)
    assert told(path, "--kind", "hll,countsketch,frequent", "--item", "größe3") == whole


def test_arrays(tmp_path):
    x = np.random.default_rng(0).normal(size=(500, 8)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "x.npz", x=x, labels=np.arange(500) % 10)
    torch.save({"labels": torch.arange(500) % 10, "x": torch.from_numpy(x).bfloat16()}, tmp_path / "x.pt")
    found = answers(tmp_path / "x.npy", "--kind", "jl,kll", "--exact")
    assert found["L2", ""]["exact"] == pytest.approx(float(np.linalg.norm(x.astype(float).sum(0))))
    assert found["L2", ""]["within"]
    assert told(tmp_path / "x.npy", "--kind", "jl")["sketches"][0]["items"] == 500
    for name in ("x.npz", "x.pt"):
        assert answers(tmp_path / name, "--column", "labels", "--kind", "hll")["distinct", ""]["estimate"] > 9.9
    assert "which array? --column NAME, one of x, labels" in refused(tmp_path / "x.npz")
    assert 'did you mean "labels"' in refused(tmp_path / "x.npz", "--column", "label")


def test_saved_sketches_are_asked_merged_and_subtracted(saved, table, tmp_path):
    one = answers(saved, "--kind", "countsketch", "--item", "1")["count", "1"]["estimate"]
    two = answers(table, "--column", "count", "--kind", "countsketch", "--merge", saved, "--item", "1")
    assert two["count", "1"]["estimate"] == 2 * one
    gone_on = answers(table, "--column", "count", "--load", saved, "--item", "1")
    assert gone_on["count", "1"]["estimate"] == 2 * one
    assert answers(saved, "--kind", "countsketch", "--subtract", saved, "--item", "1")["count", "1"]["estimate"] == 0
    assert answers("--load", saved, "--kind", "hll") == answers(saved, "--kind", "hll")


def test_what_does_not_fit_is_not_put_together(saved, table):
    words = (table, "--column", "count", "--merge", saved)
    assert "seed 1, the other 0" in refused(*words, "--kind", "countsketch", "--seed", 1)
    assert "width 512, the other 2048" in refused(*words, "--kind", "countsketch", "width=512")
    assert "has no ams sketch" in refused(*words, "--kind", "ams")
    assert "not linear" in refused(saved, "--kind", "hll", "--subtract", saved)
    assert "integers" in refused(table, "--column", "score", "--load", saved)
    assert "PATH alone" in refused(*words, "--kind", "countsketch", "--exact")


def test_damaged_sketches_are_told(saved, tmp_path):
    content = saved.read_bytes()
    for place, part in enumerate((content[:100], content[: len(content) // 2], b"")):
        broken = tmp_path / f"broken{place}.npz"
        broken.write_bytes(part)
        assert "damaged" in refused("--load", broken)
        assert "damaged" in refused(broken)
    assert "no such file" in refused("--load", tmp_path / "none.npz")


def test_nothing_is_half_written(table, tmp_path):
    before = sorted(tmp_path.iterdir())
    refused(table, "--column", "label", "--kind", "hll,kll", "--save", tmp_path / "b.npz")
    assert sorted(tmp_path.iterdir()) == before
    assert "in a folder that is there" in refused(table, "--column", "label", "--save", tmp_path / "none" / "b.npz")


@pytest.mark.parametrize(
    ("content", "words", "message"),
    [
        ("", (), "no item"),
        ("1\n\n2\n", (), "row 2 is empty"),
        ("1\nnan\n2\n", (), "row 2 is 'nan', which is no item"),
        ("1\ncat\n2\n", (), "row 2 is 'cat', and there are numbers too, such as '1': mixed types"),
        ("1\n2.5\n", ("--as", "integers"), "--as numbers"),
        (f"{2**63}\n{2**63 + 1}\n", (), "row 1 is 9223372036854775808, a whole number to be rounded"),
        ("1.5\n9007199254740993\n", (), "row 2 is 9007199254740993, a whole number to be rounded"),
        ("1.5\n1e400\n", (), "row 2 is 1e400, more than a number can be"),
        ("cat\ndog\n", ("--kind", "kll"), "kll sketches numbers"),
        ("cat\n", ("--as", "word"), 'did you mean "words"'),
        ("cat\n", ("--kind", "hyperll"), "All: hll, kll"),
        ("cat\n", ("--kind", "cuntmin"), 'did you mean "countmin"'),
        ("cat\n", ("--column", "a"), "--column is of tables"),
        ("1\n", ("--kind", "countmin", "--item", "cat"), "the stream is one of whole numbers"),
        ("1\n", ("--kind", "countsketch", "width=1000"), "power of two"),
        ("1\n", ("--kind", "countsketch", "widht=1024"), 'did you mean "width"'),
        ("1\n", ("--kind", "hll", "log2=90"), "7 to 21"),
    ],
)
def test_what_is_refused_of_lines(tmp_path, content, words, message):
    path = tmp_path / "items.txt"
    path.write_text(content)
    assert message in refused(path, *words)


def test_what_is_refused_of_tables_and_arrays(table, tmp_path):
    assert "there is no column 'lable' (did you mean \"label\"?)" in refused(table, "--column", "lable")
    assert "which column? --column NAME, one of label, count, score" in refused(table)
    (tmp_path / "gap.csv").write_text("a,b\n1,2\n,3\n")
    assert "row 2 is empty" in refused(tmp_path / "gap.csv", "--column", "a")
    (tmp_path / "head.csv").write_text("a,b\n")
    assert "no item" in refused(tmp_path / "head.csv", "--column", "a")
    (tmp_path / "empty.csv").write_text("")
    assert "no item" in refused(tmp_path / "empty.csv", "--column", "a")
    np.save(tmp_path / "nan.npy", np.array([1.0, np.nan]))
    assert "value 2 is nan" in refused(tmp_path / "nan.npy")
    np.save(tmp_path / "complex.npy", np.array([1j]))
    assert "complex128" in refused(tmp_path / "complex.npy")
    np.save(tmp_path / "objects.npy", np.array(["a", 1], dtype=object))
    assert "plain arrays" in refused(tmp_path / "objects.npy")
    np.save(tmp_path / "empty.npy", np.zeros((0, 3)))
    assert "no item" in refused(tmp_path / "empty.npy")
    assert "no such file" in refused(tmp_path / "none.csv")
    assert "nothing to sketch" in refused()


def test_whole_numbers_are_never_taken_for_one_another(tmp_path, monkeypatch):
    from dlcli.commands.streams import reader

    path = tmp_path / "items.txt"
    path.write_text("".join(f"{2**64 + number}\n" for number in range(500)))
    found = answers(path, "--as", "words", "--kind", "hll", "--exact")["distinct", ""]
    assert found["exact"] == 500
    assert found["within"]
    np.save(tmp_path / "words.npy", np.array(["a", "b", "a"]))
    assert answers(tmp_path / "words.npy", "--kind", "hll", "--exact")["distinct", ""]["exact"] == 2
    np.save(tmp_path / "large.npy", np.array([2**63 + 1], dtype=np.uint64))
    assert "9223372036854775809" in refused(tmp_path / "large.npy")
    monkeypatch.setattr(reader, "_BYTES", 4)  # fractions first, the long number in a later piece
    path.write_text("1.5\n9007199254740993\n9007199254740992\n")
    assert "rounded" in refused(path)


def test_a_later_piece_of_another_type_is_told(tmp_path, monkeypatch):
    from dlcli.commands.streams import reader

    monkeypatch.setattr(reader, "_BYTES", 4)
    path = tmp_path / "items.txt"
    path.write_text("1\n2\n3\n4\n5.5\n6\n")
    assert "--as numbers reads all of it so" in refused(path)
    assert told(path, "--as", "numbers")["sketches"][0]["values"] == "numbers"
    path.write_text("1\n2\n3\n4\ncat\ndog\n")
    assert "--as words" in refused(path)
