"""The laboratory that settles by measurement which deep learning model is best for a problem.

The verbs of the command line are functions here, imported when they are first used:
`dlcli.train("model=tcn", seed=1)`, `dlcli.evolve`, `dlcli.search`, `dlcli.sketch`, `dlcli.query`, `dlcli.evaluate`,
`dlcli.compare`, `dlcli.find`.
"""

import os
from typing import TYPE_CHECKING, Any

# MKL's conditional numerical reproducibility: without it a product depends on the alignment of its operands on some
# processors, and so on the batch around a row. MKL reads the variable at its first call.
os.environ.setdefault("MKL_CBWR", "AUTO")

if TYPE_CHECKING:
    from dlcli.api import Run, compare, evaluate, evolve, find, query, search, sketch, train

__all__ = ["Run", "compare", "evaluate", "evolve", "find", "query", "search", "sketch", "train"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from dlcli import api

        return getattr(api, name)
    raise AttributeError(f"module 'dlcli' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
