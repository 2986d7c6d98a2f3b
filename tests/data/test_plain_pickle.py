"""Pickles of strangers: data are read, nothing is run, damage is said."""

import io
import os
import pickle

import numpy as np
import pytest
from helpers.errors import usage_error

from dlcli.core.errors import UsageError
from dlcli.data.plain_pickle import read_pickle

PIXELS = np.arange(24, dtype=np.uint8).reshape(2, 12)

# What Python 2 wrote: {'data': array([[7, 9]], dtype=uint8), 'labels': [3], 'name': 'cat'}, text as byte strings.
PYTHON_2 = (
    b"\x80\x02}q\x01(U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85U\x01b\x87R"
    b"(K\x01K\x01K\x02\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    b"\x89U\x02\x07\x09tbU\x06labels]K\x03aU\x04nameU\x03catu."
)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL))
def test_dictionaries_of_arrays_and_lists_are_read(protocol):
    made = read_pickle(pickle.dumps({"data": PIXELS, "labels": [3, 9], "names": ["a", b"b"]}, protocol), "here")
    assert made["data"].dtype == np.uint8
    assert np.array_equal(made["data"], PIXELS)
    assert made["labels"] == [3, 9]
    assert made["names"] == ["a", b"b"]


def test_columns_first_is_read_as_it_was_written():
    assert np.array_equal(read_pickle(pickle.dumps({"x": np.asfortranarray(PIXELS)}, 2), "here")["x"], PIXELS)


def test_python_2_wrote_bytes_for_text():
    made = read_pickle(PYTHON_2, "here")
    assert made["data"].tolist() == [[7, 9]]
    assert made["labels"] == [3]
    assert made["name"] == b"cat"


class Hostile:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("call", "name"),
    [
        ((os.system, ("touch {path}",)), "posix.system"),
        ((eval, ("open({path!r}, 'w')",)), "builtins.eval"),
        ((getattr, (os, "system")), "builtins.getattr"),
        ((np.load, ("{path}",)), "numpy.load"),
    ],
)
def test_what_is_not_data_is_named_and_never_run(tmp_path, call, name):
    path = tmp_path / "ran"
    function, given = call
    given = tuple(part.format(path=str(path)) if isinstance(part, str) else "os" for part in given)
    with usage_error("invalid_data", path="batch 1") as error:
        read_pickle(pickle.dumps({"data": Hostile(function, given)}), "batch 1")
    assert name in error.value.fields["problem"]
    assert not path.exists()


@pytest.mark.parametrize("kept", [0, 1, 10, 100, -1])
def test_a_cut_pickle_is_said(kept):
    with usage_error("damaged", path="here"):
        read_pickle(pickle.dumps({"data": PIXELS, "labels": [1, 2]}, 2)[:kept], "here")


def test_every_cut_and_every_changed_byte_is_an_error_in_words_or_data():
    whole, random = pickle.dumps({"data": PIXELS, "labels": [1, 2]}, 2), np.random.default_rng(0)
    said = []
    for place in range(len(whole)):
        broken = bytearray(whole)
        broken[place] = random.integers(256)
        for content in (whole[:place], bytes(broken)):
            try:
                read_pickle(content, "here")
            except UsageError as error:
                said.append(str(error))
    assert len(said) > len(whole)
    assert all(text.startswith("here") for text in said)


def test_room_is_made_for_what_is_there_and_not_for_what_is_claimed():
    memo = b"\x80\x02}" + b"r" + (0x7FFFFFFF).to_bytes(4, "little") + b"."
    assert read_pickle(memo, "here") == {}
    long = b"\x80\x04\x8e" + (1 << 62).to_bytes(8, "little") + b"ab."
    with usage_error("damaged", path="here"):
        read_pickle(long, "here")
    huge = PYTHON_2.replace(b"(K\x01K\x01K\x02\x86", b"(K\x01J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86")
    with usage_error("invalid_data", path="here"):
        read_pickle(huge, "here")


def test_the_readers_own_functions_cannot_be_changed():
    content = b"\x80\x02c_codecs\nencode\n}U\x0c__defaults__K\x01sb."
    with usage_error("invalid_data", path="here"):
        read_pickle(content, "here")


@pytest.mark.parametrize("array", [PIXELS.astype(np.int32), PIXELS.astype(object), PIXELS.astype("S1")])
def test_arrays_of_anything_but_bytes_are_refused(array):
    with usage_error("invalid_data", path="here"):
        read_pickle(pickle.dumps({"data": array}, 2), "here")


def test_what_is_no_dictionary():
    with usage_error("mismatch", subject="here", got="list"):
        read_pickle(pickle.dumps([1]), "here")
    with usage_error("damaged", path="here"):
        read_pickle(io.BytesIO(b"GIF89a").read(), "here")
