"""Keys of items, and counts of chunks."""

import numpy as np
import pytest

from dlcli.core.errors import UsageError
from dlcli.sketching.streams.chunk import Chunk, keys_of, name_of, value_of


def words(*items):
    return np.array(items, dtype=object)


def test_whole_numbers_have_keys_of_their_own():
    values = np.array([0, -1, 1, 7, -7, 2**60 - 1, -(2**60) + 1, 2**32, -(2**32)])
    assert len(set(keys_of(values).tolist())) == len(values)
    many = np.arange(-50_000, 50_000)
    assert keys_of(many).unique().numel() == len(many)


def test_both_zeros_are_one_number():
    keys = keys_of(np.array([0.0, -0.0, 1.5, -1.5, 1e-300])).tolist()
    assert keys[0] == keys[1]
    assert len(set(keys)) == 4


def test_words_are_hashed_alike_on_every_machine():
    assert keys_of(words("tcn")).tolist() == keys_of(words("lstm", "tcn")).tolist()[1:]
    assert keys_of(words("tcn")).item() == 946322523518140863


@pytest.mark.parametrize(
    "values",
    [
        np.array([3, 3, -5, 3]),
        np.array([3, 3, -(2**50), 3]),
        np.array([3.5, 3.5, -2.0, 3.5]),
        words("b", "b", "a", "b"),
    ],
)
def test_counts_of_distinct_items(values):
    counted = Chunk(values).counted
    assert dict(zip(counted.values.tolist(), counted.weights.tolist(), strict=True)) == {values[0]: 3.0, values[2]: 1.0}
    assert Chunk(values).keys.tolist() == keys_of(values).tolist()


def test_a_stream_of_vectors_is_their_sum():
    chunk = Chunk(np.arange(6.0), total=np.array([3.0, 5.0, 7.0]))
    keys, weights = chunk.vector
    assert keys.tolist() == keys_of(np.arange(3)).tolist()
    assert weights.tolist() == [3.0, 5.0, 7.0]


def test_what_a_user_writes_is_an_item():
    assert value_of("12", "integers")[0] == 12
    assert name_of(value_of("1.50", "numbers")[0]) == "1.5"
    with pytest.raises(UsageError, match="whole numbers"):
        value_of("cat", "integers")
