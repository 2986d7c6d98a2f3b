"""Assertions on the code and the fields of usage errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from dlcli.core.errors import UsageError


@contextmanager
def usage_error(
    code: str | None = None, *, kind: type[UsageError] = UsageError, match: str | None = None, **fields: Any
) -> Iterator[pytest.ExceptionInfo[UsageError]]:
    """Require a usage error with a code and fields.

    Args:
        code: the error code; None: any.
        kind: class of the error.
        match: regular expression for the text of the error; None: any.
        fields: expected fields; a `path` may be given by its last part.
    """
    with pytest.raises(kind, match=match) as error:
        yield error
    assert code is None or error.value.code == code, str(error.value)
    for name, expected in fields.items():
        actual = error.value.fields[name]
        if name == "path":
            assert str(actual).endswith(str(expected))
        else:
            assert actual == expected or str(actual) == expected
