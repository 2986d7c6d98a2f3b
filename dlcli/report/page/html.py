"""One self-contained page: style, script and data inline; its own policy forbids it to load anything."""

import base64
import hashlib
import html
import json
import re
from pathlib import Path
from typing import Any

from dlcli.report import output_file
from dlcli.report.comparison.comparison import Comparison, Question
from dlcli.report.comparison.experiments import Bunch, bunch
from dlcli.report.comparison.groups import rows
from dlcli.report.page import payload
from dlcli.runs.run import Run

_HERE = Path(__file__).parent
_SCRIPTS = (
    "base.js",
    "scale.js",
    "table.js",
    "curves.js",
    "forest.js",
    "classes.js",
    "parallel.js",
    "runs.js",
    "main.js",
)


def write(path: Path, answer: Comparison, asked: Question, command: str) -> None:
    """The page of a comparison."""
    tasks = list(dict.fromkeys(row.yardstick for row in answer.groups))
    title = f"{len(answer.groups)} group{'s' * (len(answer.groups) != 1)} on {', '.join(tasks[:3])}"
    output_file.write(path, page(payload.of(answer, title, command, asked.x)).encode(), "--html")


def write_run(path: Path, run: Run) -> None:
    """The page of a single run, finished or not."""
    found, left = bunch([run], None, "test")
    own = found or [Bunch("", others=[(run, "")])]
    answer = Comparison(rows(own, None, "test"), [], "", left, [], {one.experiment: one for one in own})
    title = f"{run.info.get('name') or run.info['label']} · {run.id}"
    output_file.write(path, page(payload.of(answer, title, f"dlcli show {run.id}", None)).encode(), "--html")


def page(data: dict[str, Any]) -> str:
    """The whole page; no text of the data can end the element that holds it."""
    style = _read("page.css")
    script = "(() => {\n'use strict';\n" + "\n".join(map(_read, _SCRIPTS)) + "\n})();\n"
    parts = {
        "title": html.escape(str(data["title"])),
        "style": style,
        "script": script,
        "style-hash": _hash(style),
        "script-hash": _hash(script),
        "data": _embedded(data),
    }
    return re.sub(r"\{\{([a-z-]+)\}\}", lambda match: parts[match[1]], _read("template.html"))


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _embedded(data: Any) -> str:
    text = json.dumps(data, separators=(",", ":"), allow_nan=False, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _hash(text: str) -> str:
    """As Content-Security-Policy names what may run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
