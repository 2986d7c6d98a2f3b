"""Self-contained HTML page: inline style, script and data, with a content security policy that forbids loading."""

import base64
import hashlib
import html
import json
import re
from pathlib import Path
from typing import Any

from dlcli.report import output_file
from dlcli.report.comparison.comparison import Comparison, ComparisonOptions
from dlcli.report.comparison.experiments import Experiment, by_experiment
from dlcli.report.comparison.groups import group_rows
from dlcli.report.page import payload
from dlcli.runs.run import Run

_FOLDER = Path(__file__).parent
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


def write_comparison(path: Path, comparison: Comparison, question: ComparisonOptions, command: str) -> None:
    """Write the page of a comparison.

    Args:
        command: command line that the page shows.
    """
    tasks = list(dict.fromkeys(row.yardstick for row in comparison.groups))
    title = f"{len(comparison.groups)} group{'s' * (len(comparison.groups) != 1)} on {', '.join(tasks[:3])}"
    output_file.write(path, page(payload.build(comparison, title, command, question.x)).encode(), "--html")


def write_run(path: Path, run: Run) -> None:
    """Write the page of a single run, completed or not."""
    experiments, excluded = by_experiment([run], None, "test")
    experiments = experiments or [Experiment("", others=[(run, "")])]
    by_identity = {experiment.experiment: experiment for experiment in experiments}
    comparison = Comparison(group_rows(experiments, None, "test"), [], "", excluded, [], by_identity)
    title = f"{run.info.get('name') or run.info['label']} · {run.id}"
    output_file.write(path, page(payload.build(comparison, title, f"dlcli show {run.id}", None)).encode(), "--html")


def page(data: dict[str, Any]) -> str:
    """Render the page. The data are escaped so that no text can close the element that contains them."""
    style = _read("page.css")
    script = "(() => {\n'use strict';\n" + "\n".join(map(_read, _SCRIPTS)) + "\n})();\n"
    parts = {
        "title": html.escape(str(data["title"])),
        "style": style,
        "script": script,
        "style-hash": _hash(style),
        "script-hash": _hash(script),
        "data": _escaped_json(data),
    }
    return re.sub(r"\{\{([a-z-]+)\}\}", lambda match: parts[match[1]], _read("template.html"))


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _escaped_json(data: Any) -> str:
    text = json.dumps(data, separators=(",", ":"), allow_nan=False, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _hash(text: str) -> str:
    """Hash of an inline script or style, in the form of Content-Security-Policy."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
