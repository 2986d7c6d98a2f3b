"""The store of a run of sketches, found again."""

from dataclasses import dataclass

from dlcli.core.errors import Missing, UsageError
from dlcli.disk import replace_file
from dlcli.run import Run
from dlcli.sketching.store import Store, decode

_FILE = "store.npz"


@dataclass(frozen=True)
class Sketched:
    """A run of sketches and its store.

    Args:
        name: of the run, for people.
        source: the run whose network was read.
    """

    run: Run
    store: Store

    @property
    def name(self) -> str:
        return self.run.id

    @property
    def source(self) -> str:
        return str(self.run.info["source"])


def open_store(run: Run) -> Sketched:
    """The store of a run.

    Raises:
        UsageError: the run is of another verb, or its store is damaged.
        Missing: it has none.
    """
    if run.info["verb"] != "sketch":
        raise UsageError(
            f"run {run.id} is of dlcli {run.info['verb']}, and has no sketches: dlcli sketch from={run.id} makes them"
        )
    path = run.path / _FILE
    try:
        return Sketched(run, decode(path.read_bytes(), str(path)))
    except FileNotFoundError:
        raise Missing(f"run {run.id} has no {_FILE}: it {_why(run)}") from None


def _why(run: Run) -> str:
    return "is a bench, which keeps no sketches" if "bench" in run.info else f"is {run.status}"


def write_store(run: Run, store: Store) -> int:
    """Put the store into the run's directory, whole or not at all; its bytes."""
    content = store.encode()
    replace_file(run.path / _FILE, content)
    return len(content)
