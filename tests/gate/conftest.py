"""Small files that stand for a user's own data."""

import pytest
from helpers import recipes


@pytest.fixture(scope="session", autouse=True)
def _user_data(tmp_path_factory):
    recipes.keep_user_data_in(tmp_path_factory.mktemp("user"))
