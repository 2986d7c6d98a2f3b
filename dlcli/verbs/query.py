"""`dlcli sketch query`: what the sketches of a run answer."""

from collections.abc import Sequence
from pathlib import Path

from dlcli.complete import QUESTIONS
from dlcli.core.errors import UsageError, nearest


def main(selector: str, question: str, words: Sequence[str], out: Path, quiet: bool, as_json: bool) -> int:
    """Ask, and print the answer."""
    if question not in QUESTIONS:
        raise UsageError(f"no question {question!r}{nearest(question, QUESTIONS)}\nThere are: {', '.join(QUESTIONS)}")
    return 0
