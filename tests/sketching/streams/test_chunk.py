"""Item keys and counts of distinct items."""

import numpy as np
import pytest

from dlcli.core.errors import UsageError
from dlcli.sketching.streams.chunk import Chunk, format_item, item_keys, parse_item


def words(*items):
    return np.array(items, dtype=object)


def test_item_keys_of_integers_are_distinct():
    values = np.array([0, -1, 1, 7, -7, 2**60 - 1, -(2**60) + 1, 2**32, -(2**32)])
    assert len(set(item_keys(values).tolist())) == len(values)
    values = np.arange(-50_000, 50_000)
    assert item_keys(values).unique().numel() == len(values)


def test_item_keys_of_signed_zeros_are_equal():
    keys = item_keys(np.array([0.0, -0.0, 1.5, -1.5, 1e-300])).tolist()
    assert keys[0] == keys[1]
    assert len(set(keys)) == 4


def test_item_keys_of_words_are_stable():
    assert item_keys(words("tcn")).tolist() == item_keys(words("lstm", "tcn")).tolist()[1:]
    assert item_keys(words("tcn")).item() == 946322523518140863


@pytest.mark.parametrize(
    "values",
    [
        np.array([3, 3, -5, 3]),
        np.array([3, 3, -(2**50), 3]),
        np.array([3.5, 3.5, -2.0, 3.5]),
        words("b", "b", "a", "b"),
    ],
)
def test_chunk_counts_distinct_items(values):
    counts = Chunk(values).item_counts
    assert dict(zip(counts.values.tolist(), counts.weights.tolist(), strict=True)) == {values[0]: 3.0, values[2]: 1.0}
    assert Chunk(values).keys.tolist() == item_keys(values).tolist()


def test_chunk_of_vectors_is_their_sum():
    chunk = Chunk(np.arange(6.0), total=np.array([3.0, 5.0, 7.0]))
    keys, weights = chunk.vector
    assert keys.tolist() == item_keys(np.arange(3)).tolist()
    assert weights.tolist() == [3.0, 5.0, 7.0]


def test_parse_item():
    assert parse_item("12", "integers")[0] == 12
    assert format_item(parse_item("1.50", "numbers")[0]) == "1.5"
    with pytest.raises(UsageError) as error:
        parse_item("cat", "integers")
    assert (error.value.code, error.value.fields["got"]) == ("invalid_value", "cat")
