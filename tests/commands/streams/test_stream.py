"""`dlcli sketch stream`: input formats, item types, saved sketches and usage errors."""

import bz2
import gzip
import json
import os
import threading

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from dlcli.cli.app import app
from dlcli.commands.streams import reader
from dlcli.commands.streams.reader import StreamSource
from dlcli.commands.streams.stream import StreamRequest, sketch
from dlcli.core.errors import Mismatch, Missing, UsageError

ALL = "hll,kll,countmin,countsketch,ams,fastams,frequent,entropy,jl,norms"


def dlcli(*args, **kwargs):
    return CliRunner().invoke(app, ["sketch", "stream", *(str(arg) for arg in args)], **kwargs)


def report(*args, **kwargs):
    result = dlcli(*args, "--json", **kwargs)
    assert result.exit_code == 0, (result.stderr, result.exception)
    return json.loads(result.stdout)


def estimates(*args, **kwargs):
    return {(row["question"], row["of"]): row for row in report(*args, **kwargs)["estimates"]}


def refused(*args, **kwargs):
    """Standard error of a command that fails with a usage error."""
    result = dlcli(*args, **kwargs)
    assert result.exit_code == 2, (result.stdout, result.stderr, result.exception)
    assert "Traceback" not in result.stderr
    assert len(result.stderr.splitlines()) <= 3
    return result.stderr


def error_of(path, options=None, expected=UsageError, **request):
    """The usage error of sketching a file."""
    source = None if path is None else StreamSource(str(path), **(options or {}))
    with pytest.raises(expected) as error:
        sketch(source, StreamRequest(show="none", **request))
    return error.value


@pytest.fixture
def table(tmp_path):
    """A CSV of 3,000 rows: labels, integers, floats."""
    draw = np.random.default_rng(0)
    rows = zip(draw.integers(0, 5, 3000), draw.zipf(1.5, 3000), draw.normal(size=3000), strict=True)
    path = tmp_path / "table.csv"
    path.write_text("label,count,score\n" + "".join(f"class {a},{b},{c}\n" for a, b, c in rows))
    return path


@pytest.fixture
def saved(table, tmp_path):
    path = tmp_path / "a.npz"
    report(table, "--column", "count", "--as", "integers", "--kind", "hll,countsketch,frequent", "--save", path)
    return path


def test_stream_every_kind_contains_exact_value(table):
    result = report(table, "--column", "count", "--as", "integers", "--kind", ALL, "--exact", "--top", 3)
    assert {row["kind"] for row in result["estimates"]} == set(ALL.split(","))
    assert all(row["within"] for row in result["estimates"])
    assert all(each["items"] == 3000 and each["values"] == "integers" for each in result["sketches"])


def test_stream_prints_table(table):
    result = dlcli(table, "--column", "label", "--kind", "hll,frequent,countmin", "--exact")
    assert result.exit_code == 0, result.stderr
    assert "standard error 1.62%" in result.stdout
    assert "count class 0" in result.stdout
    assert "NO" not in result.stdout
    assert "hll: 3,000 words; log2 12, seed 0" in result.stdout


def test_stream_quantiles_of_float_column(table):
    median = estimates(table, "--column", "score", "--as", "floats", "--kind", "kll", "--exact")["quantile", "0.5"]
    assert median["within"]
    assert abs(median["exact"]) < 0.1


def test_stream_reads_lines_tokens_and_standard_input(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("the cat\nthe dog 3\nthe cat\n")
    by_token = estimates(path, "--tokens", "--kind", "frequent,hll")
    assert by_token["count", "the"]["estimate"] == 3
    assert round(by_token["distinct", ""]["estimate"]) == 4
    assert estimates(path, "--kind", "frequent")["count", "the cat"]["estimate"] == 2
    assert estimates("-", "--kind", "frequent", input="5\n5\n7\n")["count", "5"]["estimate"] == 2
    csv = estimates("-", "--column", "b", "--kind", "frequent", input="a,b\n1,x\n2,x\n")
    assert csv["count", "x"]["estimate"] == 2


def test_stream_is_independent_of_chunk_size(tmp_path, monkeypatch):
    path = tmp_path / "text.txt"
    path.write_text("".join(f"größe{i % 37}\n" for i in range(2000)))
    expected = report(path, "--kind", "hll,countsketch,frequent", "--item", "größe3")
    monkeypatch.setattr(reader, "_BYTES", 100)
    assert report(path, "--kind", "hll,countsketch,frequent", "--item", "größe3") == expected


def test_stream_reads_arrays(tmp_path):
    x = np.random.default_rng(0).normal(size=(500, 8)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "x.npz", x=x, labels=np.arange(500) % 10)
    torch.save({"labels": torch.arange(500) % 10, "x": torch.from_numpy(x).bfloat16()}, tmp_path / "x.pt")
    norm = estimates(tmp_path / "x.npy", "--kind", "jl,kll", "--exact")["L2", ""]
    assert norm["exact"] == pytest.approx(float(np.linalg.norm(x.astype(float).sum(0))))
    assert norm["within"]
    assert report(tmp_path / "x.npy", "--kind", "jl")["sketches"][0]["items"] == 500
    for name in ("x.npz", "x.pt"):
        assert estimates(tmp_path / name, "--column", "labels", "--kind", "hll")["distinct", ""]["estimate"] > 9.9
    error = error_of(tmp_path / "x.npz")
    assert (error.code, error.fields["key"]) == ("required", "--column NAME")
    error = error_of(tmp_path / "x.npz", {"column": "label"})
    assert error.code == "unknown_name"
    assert "labels" in error.fields["known"]


@pytest.mark.parametrize(
    ("texts", "item", "distinct", "count"),
    [
        (["02134", "02134", "2134", "02139"], "2134", 3, 1),  # postal codes
        (["1.1", "1.10", "1.10", "2.0", "2"], "1.10", 4, 2),  # versions
        (["1e5", "100000", "10e4", "12e3", "12000"], "12e3", 5, 1),  # hexadecimal hashes
        (["NA", "NA", "null", "US"], "NA", 3, 2),
        ([str(2**53), str(2**53 + 1)], str(2**53), 2, 1),
    ],
)
def test_stream_never_merges_different_texts(tmp_path, texts, item, distinct, count):
    path = tmp_path / "codes.csv"
    path.write_text("code\n" + "".join(f"{text}\n" for text in texts))
    result = report(path, "--kind", "hll,frequent,countmin", "--item", item, "--exact")
    assert all(each["values"] == "words" for each in result["sketches"])
    exact = {(row["question"], row["of"]): row["exact"] for row in result["estimates"]}
    assert exact["distinct", ""] == distinct
    assert exact["count", item] == count
    assert all(row["within"] for row in result["estimates"])


def test_stream_item_types_on_request(tmp_path):
    path = tmp_path / "codes.txt"
    path.write_text("02134\n2134\n2134\n7\n")
    assert estimates(path, "--as", "integers", "--kind", "hll", "--exact")["distinct", ""]["exact"] == 2
    for name in ("floats", "numbers"):  # numbers is an alias
        assert report(path, "--as", name, "--kind", "kll")["sketches"][0]["values"] == "numbers"
    assert estimates(path, "--kind", "hll", "--exact")["distinct", ""]["exact"] == 3


@pytest.mark.parametrize(("suffix", "compress"), [(".gz", gzip.compress), (".bz2", bz2.compress)])
def test_stream_decompresses(tmp_path, suffix, compress):
    content = "a,b\n" + "".join(f"{i % 7},x{i % 3}\n" for i in range(1000))
    path = tmp_path / f"table.csv{suffix}"
    path.write_bytes(compress(content.encode()))
    assert estimates(path, "--column", "b", "--kind", "frequent")["count", "x0"]["estimate"] == 334
    text = tmp_path / f"items.txt{suffix}"
    text.write_bytes(compress(b"cat\ndog\ncat\n"))
    assert estimates(text, "--kind", "frequent")["count", "cat"]["estimate"] == 2
    text.write_bytes(compress(b"cat\ndog\ncat\n" * 5000)[:-20])
    assert error_of(text).code == "damaged"


def test_stream_zst_requires_zstandard(tmp_path):
    path = tmp_path / "items.txt.zst"
    try:
        import zstandard
    except ImportError:
        path.write_bytes(b"")
        error = error_of(path, expected=Missing)
        assert (error.code, error.fields["package"]) == ("missing_package", "zstandard")
    else:
        path.write_bytes(zstandard.ZstdCompressor().compress(b"cat\ndog\ncat\n"))
        assert estimates(path, "--kind", "frequent")["count", "cat"]["estimate"] == 2


def test_stream_reads_named_pipe(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=("cat\ndog\ncat\n",))
    writer.start()
    assert estimates(path, "--kind", "frequent")["count", "cat"]["estimate"] == 2
    writer.join()


def test_stream_skip_empty(tmp_path):
    path = tmp_path / "items.txt"
    path.write_text("cat\n\ndog\n\n\ncat\n")
    assert report(path, "--skip-empty", "--kind", "hll")["sketches"][0]["items"] == 3
    path.write_text("\n\n1\nx\n")
    error = error_of(path, {"values": "integers", "skip_empty": True})
    assert (error.code, error.fields["row"]) == ("invalid_data", 4)


def test_stream_shortens_long_items(tmp_path):
    path = tmp_path / "items.txt"
    path.write_text("x" * 100_000 + "\n")
    result = dlcli(path, "--kind", "frequent")
    assert result.exit_code == 0
    assert len(result.stdout) < 2000


def test_saved_sketches_load_merge_and_subtract(saved, table):
    column = (table, "--column", "count", "--as", "integers")
    once = estimates(saved, "--kind", "countsketch", "--item", "1")["count", "1"]["estimate"]
    merged = estimates(*column, "--kind", "countsketch", "--merge", saved, "--item", "1")
    assert merged["count", "1"]["estimate"] == 2 * once
    continued = estimates(*column, "--load", saved, "--item", "1")
    assert continued["count", "1"]["estimate"] == 2 * once
    assert estimates(saved, "--kind", "countsketch", "--subtract", saved, "--item", "1")["count", "1"]["estimate"] == 0
    assert estimates("--load", saved, "--kind", "hll") == estimates(saved, "--kind", "hll")


def test_saved_sketches_mismatch(saved, table):
    column = {"column": "count", "values": "integers"}
    error = error_of(table, column, Mismatch, merge=[saved], kinds="countsketch", seed=1)
    assert (error.code, error.fields["got"]) == ("mismatch", 0)
    error = error_of(table, column, Mismatch, merge=[saved], kinds="countsketch", sizes=["width=512"])
    assert error.fields["got"] == 2048
    assert error_of(table, column, merge=[saved], kinds="ams").code == "mismatch"
    error = error_of(saved, kinds="hll", subtract=saved)
    assert (error.code, error.fields["feature"]) == ("unsupported", "subtraction")
    error = error_of(table, {"column": "score"}, Mismatch, load=saved)
    assert (error.fields["requirement"], error.fields["got"]) == ("integers", "words")
    error = error_of(table, column, merge=[saved], kinds="countsketch", exact=True)
    assert (error.code, error.fields["first"]) == ("conflict", "--exact")
    assert error_of(saved, kinds="ams").code == "not_found"
    assert error_of(saved, sizes=["log2=9"]).code == "conflict"


def test_saved_sketches_damaged(saved, tmp_path):
    content = saved.read_bytes()
    for index, part in enumerate((content[:100], content[: len(content) // 2], b"")):
        path = tmp_path / f"broken{index}.npz"
        path.write_bytes(part)
        assert error_of(None, load=path).code == "damaged"
        assert error_of(path).code == "damaged"
    assert error_of(None, expected=Missing, load=tmp_path / "none.npz").code == "missing_file"


def test_save_writes_nothing_on_error(table, tmp_path):
    before = sorted(tmp_path.iterdir())
    refused(table, "--column", "label", "--kind", "hll,kll", "--save", tmp_path / "b.npz")
    assert sorted(tmp_path.iterdir()) == before
    assert "--save" in refused(table, "--column", "label", "--save", tmp_path / "none" / "b.npz")


@pytest.mark.parametrize(
    ("content", "kind", "row"),
    [
        ("1\n\n2\n", "words", 2),
        ("1\n\n2\n", "integers", 2),
        ("1\nnan\n2\n", "floats", 2),
        ("1\n-inf\n2\n", "floats", 2),
        ("1\ncat\n2\n", "integers", 2),
        ("1\ncat\n2\n", "floats", 2),
        ("1\n2\n1e5\n", "integers", 3),
        (f"{2**63 - 1}\n{2**63}\n", "integers", 2),
        ("1.5\n1e400\n", "floats", 2),
    ],
)
def test_stream_rejects_rows(tmp_path, content, kind, row, monkeypatch):
    path = tmp_path / "items.txt"
    path.write_text(content)
    for size in (1 << 22, 2):  # also in a later chunk
        monkeypatch.setattr(reader, "_BYTES", size)
        error = error_of(path, {"values": kind})
        assert (error.code, error.fields["row"]) == ("invalid_data", row)


@pytest.mark.parametrize(
    ("content", "args", "code", "shown"),
    [
        ("", (), "invalid_data", "empty"),
        ("cat\ndog\n", ("--kind", "kll"), "requires", "kll"),
        ("cat\n", ("--as", "word"), "unknown_name", "words"),
        ("cat\n", ("--kind", "hyperll"), "unknown_name", "hll"),
        ("cat\n", ("--kind", "cuntmin"), "unknown_name", "countmin"),
        ("cat\n", ("--column", "a"), "requires", "--column"),
        ("1\n", ("--kind", "countmin", "--item", "cat", "--as", "integers"), "invalid_value", "--item"),
        ("1\n", ("--kind", "countsketch", "width=1000"), "invalid_value", "width"),
        ("1\n", ("--kind", "countsketch", "width=many"), "invalid_value", "width"),
        ("1\n", ("--kind", "countmin", "width=2"), "invalid_value", "width"),
        ("1\n", ("--kind", "countsketch", "widht=1024"), "unknown_name", "width"),
        ("1\n", ("--kind", "hll", "log2=90"), "invalid_value", "log2"),
    ],
)
def test_stream_usage_errors(tmp_path, content, args, code, shown, monkeypatch):
    path = tmp_path / "items.txt"
    path.write_text(content)
    assert shown in refused(path, *args)
    codes = []
    init = UsageError.__init__

    def record(self, code, /, **fields):
        codes.append(code)
        init(self, code, **fields)

    monkeypatch.setattr(UsageError, "__init__", record)
    refused(path, *args)
    assert codes == [code]


def test_stream_rejects_tables_and_arrays(table, tmp_path):
    error = error_of(table, {"column": "lable"})
    assert (error.code, error.fields["known"]) == ("unknown_name", ["label", "count", "score"])
    assert error_of(table).code == "required"
    (tmp_path / "gap.csv").write_text("a,b\n1,2\n,3\n")
    assert error_of(tmp_path / "gap.csv", {"column": "a"}).fields["row"] == 2
    for name, content in (("head.csv", "a,b\n"), ("empty.csv", "")):
        (tmp_path / name).write_text(content)
        error = error_of(tmp_path / name, {"column": "a"})
        assert (error.code, error.fields["problem"]) == ("invalid_data", "is empty")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    assert error_of(tmp_path / "latin.txt").code == "invalid_data"
    np.save(tmp_path / "nan.npy", np.array([1.0, np.nan]))
    assert error_of(tmp_path / "nan.npy").fields["row"] == 2
    np.save(tmp_path / "complex.npy", np.array([1j]))
    assert "complex128" in error_of(tmp_path / "complex.npy").fields["problem"]
    np.save(tmp_path / "objects.npy", np.array(["a", 1], dtype=object))
    assert error_of(tmp_path / "objects.npy").code == "damaged"
    np.save(tmp_path / "empty.npy", np.zeros((0, 3)))
    assert error_of(tmp_path / "empty.npy").fields["problem"] == "is empty"
    assert error_of(tmp_path / "none.csv", expected=Missing).code == "missing_file"
    assert error_of(None).code == "required"


def test_stream_rejects_values_that_do_not_fit_the_type(tmp_path):
    np.save(tmp_path / "words.npy", np.array(["a", "b", "a"]))
    assert estimates(tmp_path / "words.npy", "--kind", "hll", "--exact")["distinct", ""]["exact"] == 2
    assert error_of(tmp_path / "words.npy", {"values": "integers"}).code == "requires"
    np.save(tmp_path / "floats.npy", np.array([1.5, 2.5]))
    assert error_of(tmp_path / "floats.npy", {"values": "integers"}).code == "requires"
    np.save(tmp_path / "large.npy", np.array([2**63 + 1], dtype=np.uint64))
    assert "9223372036854775809" in error_of(tmp_path / "large.npy").fields["problem"]
