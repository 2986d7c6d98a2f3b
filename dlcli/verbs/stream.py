"""`dlcli sketch stream`: classical sketches of a stream of items."""

from dlcli.core.errors import UsageError


def main(path: str, as_json: bool) -> int:
    """Sketch the items of a file."""
    raise UsageError("dlcli sketch stream is not there yet")
