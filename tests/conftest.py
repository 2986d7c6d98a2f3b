"""Runtime shape checks are on for the whole package; tests run on one thread."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.pop("COLUMNS", None)  # set by pytest-xdist; pipes get whole lines

os.environ.setdefault("DLCLI_TRUSTED", os.sep)  # plug-ins of tests lie in temporary folders; see test_trust.py

from helpers import shapes

shapes.install()

import pytest
import torch

from dlcli.data.files import data_folder

torch.set_num_threads(1)


@pytest.fixture
def real_data():
    """Path of a real data file by data set and name, or the test skips with the reason."""

    def find(dataset, name):
        path = data_folder() / dataset / name
        if not path.is_file():
            pytest.skip(f"real data: {dataset}/{name} is not under DLCLI_DATA ({data_folder()})")
        return path

    return find
