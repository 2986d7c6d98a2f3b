"""What all kinds of sketches share: guarantees, merging, subtracting, saving, and what they refuse."""

import io
import zipfile

import numpy as np
import pytest
from scipy.stats import norm

from dlcli.core.errors import Mismatch, UsageError
from dlcli.sketching.streams.chunk import Chunk
from dlcli.sketching.streams.exact import Exact
from dlcli.sketching.streams.kinds import KINDS, make
from dlcli.sketching.streams.saved import decode, encode
from dlcli.sketching.streams.sketch import Asked, tail

ASKED = Asked(("1", "2", "77"), 3)
LINEAR = [name for name, kind in KINDS.items() if kind.linear]
MERGING = [name for name in KINDS if name != "entropy"]
SMALL = {"copies": 64, "width": 256, "components": 128, "projections": 64, "samples": 256, "size": 64, "log2": 10}


def stream(seed, size=30_000):
    return np.random.default_rng(seed).zipf(1.3, size) % 100_000


def made(name, *parts, seed=0):
    sketch = make(name, seed, SMALL)
    for part in parts:
        sketch.update(Chunk(part))
    return sketch


def values(sketch):
    return [one.value for one in sketch.estimates(ASKED)]


def test_hll_is_within_its_standard_error():
    """Over 200 streams: unbiased, and two thirds within one standard error, 95 % within two."""
    error, wrong = 1.04 / 2**5, []
    for seed in range(200):
        sketch = make("hll", seed, {"log2": 10})
        sketch.update(Chunk(np.arange(20_000)))
        wrong.append(sketch.estimates(Asked())[0].value / 20_000 - 1)
    found = np.array(wrong)
    assert found.std() < 1.1 * error
    assert abs(found.mean()) < 4 * error / np.sqrt(200)
    assert (np.abs(found) < 2 * error).mean() > norm.cdf(2) - norm.cdf(-2) - 0.04


def test_kll_ranks_are_within_its_error():
    told, wrong = 0.0133, []
    for seed in range(30):
        draw = np.random.default_rng(seed).normal(size=50_000)
        sketch = make("kll", 0, {})
        sketch.update(Chunk(draw))
        ordered = np.sort(draw)
        for one in sketch.estimates(Asked()):
            wrong.append(abs(np.searchsorted(ordered, one.value, "right") / len(draw) - float(one.of)))
    assert np.mean(np.array(wrong) < told) > 0.98


@pytest.mark.parametrize("name", KINDS)
def test_the_truth_lies_where_the_guarantee_says(name):
    inside = []
    for seed in range(8):
        parts = np.array_split(stream(seed), 3)
        exact = Exact()
        for part in parts:
            exact.update(Chunk(part))
        for one in made(name, *parts, seed=seed).estimates(ASKED):
            inside.append(one.low <= exact.answer(one.question, one.of, True) <= one.high)
    assert np.mean(inside) > 0.9, inside


@pytest.mark.parametrize("name", MERGING)
def test_a_merge_is_the_sketch_of_both_streams(name):
    """To the last digits where it is linear; else what it promises holds of both, as often as it says."""
    inside = []
    for seed in range(0, 2 if name in LINEAR else 16, 2):
        parts = stream(seed), stream(seed + 1)
        one, other, exact = made(name, parts[0]), made(name, parts[1]), Exact()
        one.merge(other)
        assert one.items == 60_000
        if name in LINEAR:
            assert values(one) == pytest.approx(values(made(name, *parts)), rel=1e-9)
        for part in parts:
            exact.update(Chunk(part))
        for found in one.estimates(ASKED):
            inside.append(found.low <= exact.answer(found.question, found.of, True) <= found.high)
    assert np.mean(inside) > 0.8, inside


@pytest.mark.parametrize("name", LINEAR)
def test_a_difference_is_the_sketch_of_what_is_left(name):
    whole, left = made(name, stream(0), stream(1)), made(name, stream(0))
    whole.subtract(made(name, stream(1)))
    assert values(whole) == pytest.approx(values(left), rel=1e-6)
    whole.subtract(left)
    assert values(whole) == pytest.approx([0.0] * len(values(whole)), abs=1e-5)
    assert whole.items == 0


@pytest.mark.parametrize("name", [name for name in KINDS if name not in LINEAR])
def test_what_is_not_linear_is_not_subtracted(name):
    with pytest.raises(UsageError, match="not linear"):
        made(name, stream(0)).subtract(made(name, stream(0)))


@pytest.mark.parametrize("name", KINDS)
def test_a_saved_sketch_is_the_sketch(name):
    sketch = made(name, stream(0))
    (loaded,) = decode(encode([sketch]), "file")
    assert values(loaded) == values(sketch)
    assert loaded.about() == sketch.about()
    sketch.update(Chunk(stream(1)))
    loaded.update(Chunk(stream(1)))
    if name != "kll":  # its coins cannot be seeded
        assert values(loaded) == values(sketch)


@pytest.mark.parametrize("name", KINDS)
def test_an_empty_sketch_is_saved_and_asked(name):
    (loaded,) = decode(encode([made(name)]), "file")
    assert loaded.items == 0
    assert all(one.value == 0 for one in loaded.estimates(Asked()))


def test_only_equals_are_put_together():
    one = made("countsketch", stream(0))
    with pytest.raises(Mismatch, match="seed 0, the other 1"):
        one.merge(made("countsketch", stream(0), seed=1))
    with pytest.raises(Mismatch, match="width 256, the other 512"):
        one.merge(make("countsketch", 0, {"width": 512}))
    with pytest.raises(Mismatch, match="fastams"):
        one.merge(made("fastams", stream(0)))
    with pytest.raises(Mismatch, match="numbers cannot be added to a sketch of integers"):
        one.merge(made("countsketch", stream(0).astype(float)))
    with pytest.raises(Mismatch, match="words"):
        one.update(Chunk(np.array(["a"], dtype=object)))


def test_quantiles_are_of_numbers():
    with pytest.raises(UsageError, match="numbers"):
        make("kll", 0, {}).update(Chunk(np.array(["a"], dtype=object)))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.99])
def test_a_truncated_file_is_told(share):
    content = encode([made("countsketch", stream(0)), made("hll", stream(0))])
    with pytest.raises(UsageError, match=r"x\.npz: is no file of saved sketches, or is damaged"):
        decode(content[: int(share * len(content))], "x.npz")


def test_a_flipped_bit_is_told():
    content = bytearray(encode([made("countsketch", stream(0))]))
    content[len(content) // 2] ^= 1
    with pytest.raises(UsageError, match="damaged"):
        decode(bytes(content), "x.npz")


def test_arrays_are_no_sketches():
    file = io.BytesIO()
    np.savez(file, a=np.zeros(3))
    assert zipfile.is_zipfile(file)
    with pytest.raises(UsageError, match="no sketches"):
        decode(file.getvalue(), "x.npz")


def test_the_median_of_rows_fails_seldom():
    assert tail(1, 1 / 8) == pytest.approx(1 / 8)
    assert tail(3, 1 / 8) == pytest.approx(3 * (1 / 8) ** 2 * 7 / 8 + (1 / 8) ** 3)


def test_a_wrong_kind_or_size():
    with pytest.raises(UsageError, match='did you mean "countsketch"'):
        make("countskecth", 0, {})
    with pytest.raises(UsageError, match="must be at least 1"):
        make("ams", 0, {"copies": 0})
