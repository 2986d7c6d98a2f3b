"""Checkpoints: changed bytes are detected before anything is computed from them."""

import io
import zipfile

import pytest
import torch

from dlcli.core.errors import UsageError
from dlcli.engine.checkpoint import read_checkpoint, to_bytes


@pytest.mark.parametrize("count", [1, 40])
def test_read_checkpoint_refuses_flipped_bytes_of_a_tensor(count, tmp_path):
    weights = torch.arange(1000.0)
    content = to_bytes({"model": {"weight": weights}, "step": 3})
    start = content.index(weights.numpy().tobytes())
    damaged = bytearray(content)
    for offset in range(count):
        damaged[start + 8 * offset + 3] ^= 0x40
    path = tmp_path / "best.pt"
    path.write_bytes(damaged)
    assert not torch.equal(torch.load(path, weights_only=True)["model"]["weight"], weights)  # PyTorch says nothing
    with pytest.raises(UsageError) as error:
        read_checkpoint(path)
    assert (error.value.code, error.value.fields["path"]) == ("damaged", path)


def test_read_checkpoint_accepts_what_was_written(tmp_path):
    path = tmp_path / "best.pt"
    path.write_bytes(to_bytes({"model": {"weight": torch.ones(3)}}))
    assert torch.equal(read_checkpoint(path)["model"]["weight"], torch.ones(3))
    assert zipfile.ZipFile(io.BytesIO(path.read_bytes())).testzip() is None
