"""Word list: expressions that the project's style does not use, in code, configuration and documents."""

import re
import subprocess
import tokenize
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

FORBIDDEN = {
    r"(?<!there )\b(is|are|was|were) none\b": "is missing; is not one",
    r"\b(is|are|was|be) told\b": "is reported; is passed",
    r"\b(tells|telling|tell) (of|whose|which|what|when|how|the user)\b": "reports; states",
    r"\bgo(es|ne|ing)? on with\b": "continues; resumes",
    r"\bcame to\b": "result",
    r"\bso many\b": "N; the number of",
    r"\banew\b": "again; reinitialized",
    r"\bfor want of\b": "without; missing",
    r"\bwhoever\b": "any caller",
    r"\bwhatever happens\b": "always",
    r"\bin words\b": "as text",
    r"\bhand(s|ed|ing)? (over|on)\b": "pass",
    r"\bbe asked\b": "be queried",
    r"\bis no (number|time|category|word|value|file|run|table|folder|tensor|recipe|override)\b": "is not a",
    r"\bnobody\b": "no caller; no process",
    r"\bsomebody\b": "a process; the user",
    r"\bthe luckiest\b": "maximum",
    r"\bkeep(s|ing)? house\b": "delete, tag and prune",
    r"\b(colour|behaviour|optimis|normalis|regularis|standardis|initialis|minimis|maximis|labell|centre)\w*": "US",
}
IDENTIFIERS = re.compile(
    r"\b(optimiser|regularised_evolution|RegularisedEvolution|centre(s|_norm)?|behaviour|colour)\b|--anew|--randomised|\"anew\""
    r"|`init_from.anew`"
)
"""Old names of keys and options, which stay as aliases, and names that runs have stored."""
SUFFIXES = (".py", ".yaml", ".md", ".toml")
EXEMPT = ("tests/", "docs/claims/", "LICENSE", "dlcli/claims/verdicts/")


def files():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    return [name for name in listed if name.endswith(SUFFIXES) and not name.startswith(EXEMPT)]


def prose(path):
    """Line numbers and text: comments and strings of Python files, all of other files."""
    if path.suffix != ".py":
        yield from enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        return
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type in (tokenize.STRING, tokenize.COMMENT):
                for offset, line in enumerate(token.string.splitlines()):
                    yield token.start[0] + offset, line


def test_style_has_no_expression_of_the_word_list():
    any_of = re.compile("|".join(f"(?:{expression})" for expression in FORBIDDEN))
    found = []
    for name in files():
        text = (ROOT / name).read_text(encoding="utf-8")
        if any_of.search(text):  # most files need not be tokenized
            lines = ((number, IDENTIFIERS.sub("", line)) for number, line in prose(ROOT / name))
            found += [f"{name}:{number}: {line.strip()[:100]}" for number, line in lines if any_of.search(line)]
    assert not found, "see FORBIDDEN for what to write\n" + "\n".join(found)
