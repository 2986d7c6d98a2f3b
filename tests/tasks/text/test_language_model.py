"""Language: every token scored once, memory carried and reset where it should be, vocabularies."""

import logging
import math
from collections import Counter

import pytest
import torch
import torch.nn.functional as F
from helpers.errors import usage_error
from torch import nn

from dlcli.core.errors import Missing, UsageError
from dlcli.core.evaluation import predict, score
from dlcli.core.spec import IGNORED
from dlcli.data.vocabulary import UNKNOWN, Vocabulary, unit_named
from dlcli.tasks.text.language_model import LanguageModeling
from dlcli.tasks.text.penn_treebank import PennTreebank
from dlcli.tasks.text.text_file import TextFile
from dlcli.tasks.text.token_streams import TokenStreams

CORPUS = "the quick brown fox jumps over the lazy dog\nand runs away from the five boxing wizards\n" * 4


def language(batch=3, context=4, length=5, valid=CORPUS[7:151], **other):
    corpora = {"train": CORPUS, "valid": valid, "test": CORPUS[:90]}
    return LanguageModeling(corpora, unit_named("char"), batch=batch, context=context, length=length, **other)


class Convolution(nn.Module):
    """Sees a token and the two before it."""

    def __init__(self, spec):
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(spec.inputs[0].count, 8)
        self.conv = nn.Conv1d(8, spec.target.count, 3)

    def forward(self, x):
        return self.conv(F.pad(self.embedding(x).transpose(1, 2), (2, 0)))


class Recurrence(nn.Module):
    """Remembers everything since its carry began; `read` collects how much that was before each call."""

    def __init__(self, spec):
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(spec.inputs[0].count, 8)
        self.rnn = nn.GRU(8, 8, batch_first=True)
        self.linear = nn.Linear(8, spec.target.count)
        self.read = []

    def start(self, batch):
        return torch.zeros(batch, 8), torch.zeros(batch)

    def forward(self, x, carry=None):
        state, seen = self.start(len(x)) if carry is None else carry
        self.read.append(seen.tolist())
        hidden, after = self.rnn(self.embedding(x), state[None])
        output = self.linear(hidden).transpose(1, 2)
        return output if carry is None else (output, (after[0], seen + x.shape[1]))


def whole_pass(model, task, text):
    """The mean cost of a text read in one go."""
    tokens, _ = task.vocabulary.encode(text)
    with torch.no_grad():
        return F.cross_entropy(model(tokens[None, :-1]), tokens[None, 1:]).item()


@pytest.mark.parametrize("count", [2, 5, 6, 7, 61, 100])
@pytest.mark.parametrize("streams", [1, 3, 8])
@pytest.mark.parametrize("context", [0, 2, 9])
def test_every_token_but_the_first_is_scored_once(count, streams, context):
    tokens = torch.arange(count)
    layout = TokenStreams(tokens, streams=streams, context=context, length=5)
    scored = []
    for place in range(layout.size):
        number, x, target = layout.window(place)
        assert x.shape == target.shape == (layout.streams, context + 5)
        counted = target != IGNORED
        assert torch.equal(target[counted], x[counted] + 1)
        first = [row[mask][0].item() for row, mask in zip(x, counted, strict=True) if mask.any()]
        assert first == [5 * window for window in number.tolist()[: len(first)]]
        reach = [row[0].item() for row in x][: len(first)]
        assert reach == [max(0, begin - context) for begin in first]
        scored += target[counted].tolist()
    assert sorted(scored) == list(range(1, count))


@pytest.mark.parametrize("batch", [1, 3, 50])
@pytest.mark.parametrize("length", [3, 5, 200])
def test_with_enough_context_windows_score_as_the_whole_text(batch, length):
    task = language(batch, context=2, length=length)
    model = Convolution(task.spec).eval()
    assert score(model, task, "valid")["nll"] == pytest.approx(whole_pass(model, task, CORPUS[7:151]), rel=1e-5)
    batches = [task.batch("train", i) for i in range(task.size("train"))]
    losses = [task.loss(model, batch) for batch in batches]
    total = sum(loss.value.item() * int(loss.weight) for loss in losses)
    assert sum(int(loss.weight) for loss in losses) == len(CORPUS) - 1
    assert total / (len(CORPUS) - 1) == pytest.approx(whole_pass(model, task, CORPUS), rel=1e-5)


def test_a_carried_state_scores_as_the_whole_text():
    task = language(context=0, length=13)
    model = Recurrence(task.spec).eval()
    carried = score(model, task, "valid")["nll"]
    assert carried == pytest.approx(whole_pass(model, task, CORPUS[7:151]), rel=1e-5)
    without = score(model, language(context=3, length=13), "valid")["nll"]
    assert without != pytest.approx(carried, rel=1e-4)


def test_a_carried_state_starts_anew_only_when_a_pass_begins():
    task = language(batch=4, context=0, length=10)
    model, size, carry = Recurrence(task.spec), task.size("train"), None
    for index in range(2 * size):
        batch = task.batch("train", index)
        assert batch.epoch == index // size
        assert batch.first.tolist() == [index % size == 0] * 4
        carry = task.loss(model, batch, carry).carry
    assert model.read == [[10.0 * (index % size)] * 4 for index in range(2 * size)]


def test_each_stream_goes_on_where_its_last_window_ended():
    task = language(batch=4, context=0, length=10)
    before, after = task.batch("train", 2), task.batch("train", 3)
    assert torch.equal(before.target[:, -1], after.inputs[0][:, 0])
    assert torch.equal(after.index, before.index + 1)


def test_with_a_context_every_window_starts_anew():
    task = language(batch=4, context=6, length=10)
    model, carry = Recurrence(task.spec), None
    for index in range(3):
        batch = task.batch("train", index)
        assert batch.first.all()
        carry = task.loss(model, batch, carry).carry
    assert model.read == [[0.0] * 4] * 3


def test_the_score_does_not_depend_on_the_streams_of_training():
    model = Recurrence(language().spec).eval()
    found = {score(model, language(batch, context=0, valid=CORPUS * 9), "valid")["nll"] for batch in (1, 7, 30)}
    assert len(found) == 1


@pytest.mark.parametrize(("unit", "bits"), [("char", "bits_per_character"), ("word", "bits_per_word")])
def test_guessing_has_the_vocabulary_as_its_perplexity(unit, bits):
    tokens = unit_named(unit).split(CORPUS, "<eos>")
    splits = {"train": tokens, "valid": tokens, "test": tokens}
    task = LanguageModeling(splits, unit_named(unit), batch=2, context=1, length=4)

    class Uniform(nn.Module):
        def forward(self, x):
            return torch.zeros(len(x), task.spec.target.count, x.shape[1])

    found = score(Uniform(), task, "test")
    count = len(set(tokens))
    assert found["nll"] == pytest.approx(math.log(count), rel=1e-5)
    assert found["perplexity"] == pytest.approx(count, rel=1e-5)
    assert found[bits] == pytest.approx(math.log2(count), rel=1e-5)
    assert task.main.metric in found
    assert task.main.direction == "min"


def test_the_vocabulary_is_the_training_text_by_frequency():
    made = Vocabulary.fit("abbcccd", min_count=1, reserved=())
    assert made.symbols == ["c", "b", "a", "d"]
    assert made.encode("cab")[0].tolist() == [0, 2, 1]
    rare = Vocabulary.fit("abbcccd", min_count=2, reserved=(UNKNOWN,))
    assert rare.symbols == ["c", "b", UNKNOWN]
    numbers, unknown = rare.encode("cxd")
    assert (numbers.tolist(), unknown) == ([0, 2, 2], 2)
    with pytest.raises(UsageError, match="'x' is not among the 4 tokens"):
        made.encode("cx")


def text_file(path, **other):
    settings = {
        "unit": "char",
        "newline": "\n",
        "fractions": [0.8, 0.1, 0.1],
        "min_count": 1,
        "batch": 3,
        "context": 4,
        "length": 5,
        "fitted": None,
    }
    return TextFile(path=None if path is None else str(path), **settings | other)


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "own.txt"
    file.write_text(CORPUS, encoding="utf-8")
    return file


def read(task, split):
    batches = (task.batch(split, i) for i in range(task.size(split)))
    table = predict(Convolution(task.spec), task, batches)
    rows = sorted(zip(table["window"], table["text"], table["tokens"], table["nll"], strict=True))
    assert all(nll > 0 for *_, nll in rows)
    return table, [text for _, text, _, _ in rows]


def test_a_text_is_cut_in_the_order_of_the_file(path):
    task = text_file(path)
    first, second = round(len(CORPUS) * 0.8), round(len(CORPUS) * 0.9)
    parts = {"train": CORPUS[:first], "valid": CORPUS[first:second], "test": CORPUS[second:], "all": CORPUS}
    for split, text in parts.items():
        table, windows = read(task, split)
        assert "".join(windows) == text[1:]
        assert sum(table["tokens"]) == len(text) - 1


def test_words_and_ends_of_lines(path):
    _, windows = read(text_file(path, unit="word", newline="<eos>"), "all")
    assert " ".join(windows).startswith("quick brown fox jumps over the lazy dog <eos> and runs")


def test_another_text_is_scored_with_the_vocabulary_of_the_run(path, tmp_path, caplog):
    run = text_file(path)
    other = tmp_path / "other.txt"
    other.write_text("zé the ßox", encoding="utf-8")
    with caplog.at_level(logging.INFO, logger="dlcli"):
        task = text_file(other, fitted=run.fitted)
    assert task.spec == run.spec
    assert run.fitted["vocabulary"][-1] == UNKNOWN
    assert "all: 2 of 10 tokens are not in the vocabulary" in caplog.text
    _, windows = read(task, "all")
    assert "".join(windows) == f"{UNKNOWN} the {UNKNOWN}ox"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", {"code": "invalid_data", "path": "bad.txt"}),
        (b"caf\xe9 au lait", {"code": "invalid_data", "path": "bad.txt"}),
        (b"short", {"code": "mismatch", "subject": "a window (task.context + task.length + 1)", "got": 4}),
    ],
)
def test_a_text_that_cannot_be_used(tmp_path, content, expected):
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    with usage_error(**expected):
        text_file(path)


def test_what_is_wrong_is_said(path, tmp_path):
    with usage_error("required", key="task.path"):
        text_file(None)
    with usage_error("missing_file", path="none.txt"):
        text_file(tmp_path / "none.txt")
    with usage_error("invalid_data", path="test_what_is_wrong_is_said0"):
        text_file(tmp_path)
    with pytest.raises(UsageError, match=r"task\.unit must be .*char.*, got 'chars'"):
        text_file(path, unit="chars")
    with usage_error("invalid_value", key="task.fractions", got="[0.8, 0.1]"):
        text_file(path, fractions=[0.8, 0.1])
    with usage_error("not_found", name="test"):
        text_file(path, fractions=[0.8, 0.2, 0.0]).size("test")
    with pytest.raises(UsageError, match="a vocabulary was wanted"):
        text_file(path, fitted={"mean": 0.0})
    for key, least in {"batch": 1, "length": 1, "min_count": 1, "context": 0}.items():
        with pytest.raises(UsageError) as error:
            text_file(path, **{key: least - 1})
        assert f"task.{key}" in str(error.value)


def test_line_ends_of_other_systems_and_a_byte_order_mark_change_nothing(path):
    there = read(text_file(path), "all")[1]
    path.write_bytes(b"\xef\xbb\xbf" + CORPUS.replace("\n", "\r\n").encode())
    assert read(text_file(path), "all")[1] == there


def treebank(unit, newline):
    return PennTreebank(unit=unit, newline=newline, batch=16, context=40, length=40, fitted=None)


def test_the_treebank_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setenv("DLCLI_DATA", str(tmp_path))
    with usage_error("missing_file", kind=Missing, path="ptb.train.txt"):
        treebank("word", "<eos>")


@pytest.mark.parametrize(
    ("unit", "newline", "symbols", "counts"),
    [
        ("word", "<eos>", 10_000, (929_589, 73_760, 82_430)),
        ("char", "\n", 50, (5_101_618, 399_782, 449_945)),
        ("char", "<eos>", 49, (5_269_890, 413_262, 464_989)),
    ],
)
def test_the_treebank_has_its_published_counts(real_data, caplog, unit, newline, symbols, counts):
    for split in ("train", "valid", "test"):
        real_data("ptb", f"ptb.{split}.txt")
    with caplog.at_level(logging.INFO, logger="dlcli"):
        task = treebank(unit, newline)
    assert not caplog.records
    assert task.spec.inputs[0].count == len(task.fitted["vocabulary"]) == symbols
    tokens = [task._split(split).tokens for split in ("train", "valid", "test")]
    assert tuple(map(len, tokens)) == counts
    frequency = Counter(tokens[0].tolist())
    assert [frequency[i] for i in range(symbols)] == sorted(frequency.values(), reverse=True)
    assert task.size("train") == math.ceil(math.ceil((counts[0] - 1) / 40) / 16)
