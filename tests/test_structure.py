"""Structure of the package: sizes of files and folders, unique class names."""

import ast
from collections import defaultdict
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "dlcli"
FILES = sorted(PACKAGE.rglob("*.py"))
SAME_NAME = {"Run"}  # `dlcli.Run` is the run directory of `dlcli.runs.run` with methods for notebooks


def test_no_file_has_more_than_400_lines():
    assert not [str(path) for path in FILES if len(path.read_text().splitlines()) > 400]


def test_no_folder_has_more_than_25_modules():
    modules = defaultdict(list)
    for path in FILES:
        if path.stem != "__init__":
            modules[str(path.parent)].append(path.name)
    assert not {folder: len(names) for folder, names in modules.items() if len(names) > 25}


def test_no_public_class_name_occurs_twice():
    places = defaultdict(list)
    for path in FILES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(path))
    assert not {name: found for name, found in places.items() if len(found) > 1 and name not in SAME_NAME}
