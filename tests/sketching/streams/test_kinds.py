"""Properties of all kinds of sketches: guarantees, merge, subtract, save, and usage errors."""

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
from dlcli.sketching.streams.sketch import ItemQuery, median_failure_probability

ASKED = ItemQuery(("1", "2", "77"), 3)
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
    return [each.value for each in sketch.estimates(ASKED)]


def test_hll_standard_error():
    """Over 200 seeds: unbiased, and 95 % of the estimates within two standard errors."""
    error, errors = 1.04 / 2**5, []
    for seed in range(200):
        sketch = make("hll", seed, {"log2": 10})
        sketch.update(Chunk(np.arange(20_000)))
        errors.append(sketch.estimates(ItemQuery())[0].value / 20_000 - 1)
    errors = np.array(errors)
    assert errors.std() < 1.1 * error
    assert abs(errors.mean()) < 4 * error / np.sqrt(200)
    assert (np.abs(errors) < 2 * error).mean() > norm.cdf(2) - norm.cdf(-2) - 0.04


def test_kll_rank_error():
    bound, errors = 0.0133, []
    for seed in range(30):
        draw = np.random.default_rng(seed).normal(size=50_000)
        sketch = make("kll", 0, {})
        sketch.update(Chunk(draw))
        ordered = np.sort(draw)
        for each in sketch.estimates(ItemQuery()):
            errors.append(abs(np.searchsorted(ordered, each.value, "right") / len(draw) - float(each.of)))
    assert np.mean(np.array(errors) < bound) > 0.98


@pytest.mark.parametrize("name", KINDS)
def test_interval_contains_exact_value(name):
    inside = []
    for seed in range(8):
        parts = np.array_split(stream(seed), 3)
        exact = Exact()
        for part in parts:
            exact.update(Chunk(part))
        for each in made(name, *parts, seed=seed).estimates(ASKED):
            inside.append(each.low <= exact.answer(each.question, each.of, True) <= each.high)
    assert np.mean(inside) > 0.9, inside


@pytest.mark.parametrize("name", MERGING)
def test_merge_is_the_sketch_of_the_concatenated_streams(name):
    """Equal up to rounding if linear; otherwise the guarantee holds for the concatenation."""
    inside = []
    for seed in range(0, 2 if name in LINEAR else 16, 2):
        parts = stream(seed), stream(seed + 1)
        merged, other, exact = made(name, parts[0]), made(name, parts[1]), Exact()
        merged.merge(other)
        assert merged.items == 60_000
        if name in LINEAR:
            assert values(merged) == pytest.approx(values(made(name, *parts)), rel=1e-9)
        for part in parts:
            exact.update(Chunk(part))
        for each in merged.estimates(ASKED):
            inside.append(each.low <= exact.answer(each.question, each.of, True) <= each.high)
    assert np.mean(inside) > 0.8, inside


@pytest.mark.parametrize("name", LINEAR)
def test_subtract_is_the_sketch_of_the_difference(name):
    sketch, rest = made(name, stream(0), stream(1)), made(name, stream(0))
    sketch.subtract(made(name, stream(1)))
    assert values(sketch) == pytest.approx(values(rest), rel=1e-6)
    sketch.subtract(rest)
    assert values(sketch) == pytest.approx([0.0] * len(values(sketch)), abs=1e-5)
    assert sketch.items == 0


@pytest.mark.parametrize("name", [name for name in KINDS if name not in LINEAR])
def test_subtract_requires_linear_sketch(name):
    with pytest.raises(UsageError) as error:
        made(name, stream(0)).subtract(made(name, stream(0)))
    assert (error.value.code, error.value.fields["subject"]) == ("unsupported", name)


@pytest.mark.parametrize("name", KINDS)
def test_saved_sketch_round_trip(name):
    sketch = made(name, stream(0))
    (loaded,) = decode(encode([sketch]), "file")
    assert values(loaded) == values(sketch)
    assert loaded.about() == sketch.about()
    sketch.update(Chunk(stream(1)))
    loaded.update(Chunk(stream(1)))
    if name != "kll":  # its random bits cannot be seeded
        assert values(loaded) == values(sketch)


@pytest.mark.parametrize("name", KINDS)
def test_empty_sketch_round_trip(name):
    (loaded,) = decode(encode([made(name)]), "file")
    assert loaded.items == 0
    assert all(each.value == 0 for each in loaded.estimates(ItemQuery()))


def test_merge_requires_equal_settings_and_types():
    sketch = made("countsketch", stream(0))
    for other, got in (
        (made("countsketch", stream(0), seed=1), 1),
        (make("countsketch", 0, {"width": 512}), 512),
        (made("fastams", stream(0)), "fastams"),
        (made("countsketch", stream(0).astype(float)), "numbers"),
    ):
        with pytest.raises(Mismatch) as error:
            sketch.merge(other)
        assert (error.value.code, error.value.fields["got"]) == ("mismatch", got)
    with pytest.raises(Mismatch) as error:
        sketch.update(Chunk(np.array(["a"], dtype=object)))
    assert error.value.fields["got"] == "words"


def test_kll_requires_numbers():
    with pytest.raises(UsageError) as error:
        make("kll", 0, {}).update(Chunk(np.array(["a"], dtype=object)))
    assert (error.value.code, error.value.fields["key"]) == ("requires", "kll")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.99])
def test_decode_rejects_truncated_file(share):
    content = encode([made("countsketch", stream(0)), made("hll", stream(0))])
    with pytest.raises(UsageError) as error:
        decode(content[: int(share * len(content))], "x.npz")
    assert (error.value.code, error.value.fields["path"]) == ("damaged", "x.npz")


def test_decode_rejects_flipped_bit():
    content = bytearray(encode([made("countsketch", stream(0))]))
    content[len(content) // 2] ^= 1
    with pytest.raises(UsageError) as error:
        decode(bytes(content), "x.npz")
    assert error.value.code == "damaged"


def test_decode_rejects_plain_arrays():
    file = io.BytesIO()
    np.savez(file, a=np.zeros(3))
    assert zipfile.is_zipfile(file)
    with pytest.raises(UsageError) as error:
        decode(file.getvalue(), "x.npz")
    assert error.value.code == "invalid_data"


def test_median_failure_probability():
    assert median_failure_probability(1, 1 / 8) == pytest.approx(1 / 8)
    assert median_failure_probability(3, 1 / 8) == pytest.approx(3 * (1 / 8) ** 2 * 7 / 8 + (1 / 8) ** 3)


def test_make_rejects_unknown_kind_and_size():
    with pytest.raises(UsageError) as error:
        make("countskecth", 0, {})
    assert (error.value.code, error.value.fields["name"]) == ("unknown_name", "countskecth")
    with pytest.raises(UsageError) as error:
        make("ams", 0, {"copies": 0})
    assert (error.value.code, error.value.fields["key"]) == ("invalid_value", "copies")
