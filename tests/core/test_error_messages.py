"""Golden file of error messages: every code of `MESSAGES`, rendered with sample fields.

`make error-messages` writes tests/core/error_messages.txt again after a deliberate change.
"""

import os
from pathlib import Path
from string import Formatter

from dlcli.core.errors import MESSAGES, UsageError

GOLDEN = Path(__file__).with_name("error_messages.txt")
SAMPLES = {
    "key": "model.hidden", "must": "an integer of at least 1", "got": "x", "path": "data/sales.csv", "text": "lr=[1,",
    "problem": "row 8 has 3 columns, not 4", "kind": "model", "name": "tcm", "reason": "both limit the run",
    "requirement": "a model with a loss", "first": "steps=", "second": "until.steps=", "subject": "TCN",
    "feature": "precision=float64", "package": "gymnasium", "count": 3, "matches": "ab12, ab34, ab56",
    "target": "mymodels.Net",
}  # fmt: skip
"""Value by field; a field without a sample is rendered as its own name."""


def rendered(code: str) -> str:
    """Code and message, with a value for each field of the statement."""
    names = [name for _, name, _, _ in Formatter().parse(MESSAGES[code]) if name]
    return f"{code}\n    {UsageError(code, **{name: SAMPLES.get(name, name.upper()) for name in names})}\n"


def test_error_messages_match_golden_file():
    text = "\n".join(rendered(code) for code in MESSAGES)
    if os.environ.get("DLCLI_WRITE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8"), "run `make error-messages` if the change is deliberate"


def test_error_messages_fill_every_field():
    assert not [code for code in MESSAGES if {"{", "}"} & set(rendered(code))]
