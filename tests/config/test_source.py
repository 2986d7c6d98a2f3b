"""Source files of plug-in classes."""

import itertools
import linecache
import sys
import types

import pytest

from dlcli.config.source import load, source_of
from dlcli.core.errors import UsageError

FILES = {
    "mine.py": "import json, torch\nimport beside\n\nclass Net:\n    pass\n",
    "beside.py": "from deep.inner import value\nfrom deep import *\n\nraise RuntimeError('never executed')\n",
    "unused.py": "x = 1\n",
    "json.py": "x = 1\n",
    "deep/__init__.py": "",
    "deep/inner.py": (
        "def value():\n    import importlib\n    from . import sibling\n"
        "    importlib.import_module('.late', __package__)\n"
    ),
    "deep/sibling.py": "from .. import nothing\n",
    "deep/late.py": "",
    "deep/starred.py": "",
    "pack/__init__.py": "",
    "pack/nets/__init__.py": "from pack.nets.cells import Cell as Net\n",
    "pack/nets/cells.py": "from ..blocks import Block\n\nclass Cell:\n    pass\n",
    "pack/blocks.py": "Block = 1\n",
    "pack/unused.py": "",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A function that writes files into a new folder, the only one with plug-ins."""
    before = set(sys.modules)

    def write(files, name="one"):
        root = tmp_path / name
        root.mkdir()
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        monkeypatch.chdir(root)
        return root

    yield write
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("mine", "beside", "pack", "deep"):
            del sys.modules[name]


def test_source_follows_imports_inside_the_folder(folder):
    folder(FILES)
    source = source_of("mine.Net", ["mine"])
    assert set(source.files) == {
        "mine.py", "beside.py", "deep/__init__.py", "deep/inner.py", "deep/sibling.py", "deep/late.py",
        "deep/starred.py",
    }  # fmt: skip
    assert not source.installed


def test_source_of_a_package_has_parents_and_reexported_modules(folder):
    folder(FILES)
    source = source_of("pack.nets.Net", ["pack"])
    assert set(source.files) == {"pack/__init__.py", "pack/nets/__init__.py", "pack/nets/cells.py", "pack/blocks.py"}
    assert "pack" not in sys.modules


def test_digest_depends_on_content_and_not_on_the_folder(folder):
    folder(FILES, "one")
    first = source_of("mine.Net").digest
    folder({path: text.replace("\n", "\r\n") for path, text in FILES.items()}, "two")
    assert source_of("mine.Net").digest == first
    folder(FILES | {"unused.py": "x = 2\n"}, "three")
    assert source_of("mine.Net").digest == first
    folder(FILES | {"deep/late.py": "x = 2\n"}, "four")
    assert source_of("mine.Net").digest != first


def test_source_of_an_installed_plugin_has_no_modules_beside_it(folder, monkeypatch):
    root = folder(FILES, "site-packages")
    source = source_of("mine.Net", ["mine"])
    assert (set(source.files), source.installed, source.folder) == ({"mine.py"}, True, root)
    assert set(source_of("mine.Net", ["mine", "beside"]).files) == {"mine.py", "beside.py"}


def test_source_with_a_syntax_error_has_a_digest(folder):
    folder({"mine.py": "class Net(:\n"})
    assert set(source_of("mine.Net").files) == {"mine.py"}


def test_source_of_a_missing_module_is_none(folder):
    folder({})
    assert source_of("mine.Net", ["mine"]) is None


def test_load_imports_an_edited_plugin_again(folder):
    root = folder({"mine.py": "from beside import size\n", "beside.py": "size = 1\n"})
    first = load("mine", ["mine"])
    assert load("mine", ["mine"]) is first
    (root / "beside.py").write_text("size = 2\n")  # same length, same second: the bytecode is not reused
    second = load("mine", ["mine"])
    assert (first.size, second.size) == (1, 2)


@pytest.mark.parametrize(("text", "kind"), [("class Net(:\n", "SyntaxError"), ("1 / 0\n", "ZeroDivisionError")])
def test_load_reports_a_plugin_that_cannot_be_executed(folder, text, kind):
    folder({"mine.py": text})
    with pytest.raises(UsageError) as error:
        load("mine", ["mine"])
    assert error.value.code == "invalid_data"
    assert error.value.fields["problem"].startswith(kind)


CELL = """
import beside
WIDTH = 3

def scaled(x):
    return x * WIDTH

def unused(x):
    return x

class Net:
    def forward(self, x):
        return beside.size * scaled(x)
"""


@pytest.fixture
def session(folder, monkeypatch):
    """Digest of a class that is defined in a notebook cell."""

    numbers = itertools.count()

    def run(text, beside="size = 1\n", *, keeps_source=True):
        folder({"beside.py": beside}, f"folder_{next(numbers)}")
        sys.modules.pop("beside", None)
        module = types.ModuleType("cells")
        monkeypatch.setitem(sys.modules, "cells", module)
        lines = text.splitlines(keepends=True)
        monkeypatch.setitem(linecache.cache, "<cell>", (len(text), None, lines if keeps_source else [], "<cell>"))
        exec(compile(text, "<cell>", "exec"), vars(module))
        return source_of("cells.Net", ["cells"]).digest

    return run


def test_digest_of_a_notebook_class_covers_what_the_class_uses(session):
    first = session(CELL)
    assert session("\n\n" + CELL) == first
    assert session(CELL.replace("    return x\n", "    return 2\n")) == first
    assert session(CELL.replace("WIDTH = 3", "WIDTH = 4")) != first
    assert session(CELL.replace("x * WIDTH", "x + WIDTH")) != first
    assert session(CELL.replace("beside.size *", "beside.size +")) != first
    assert session(CELL, "size = 2\n") != first


def test_notebook_class_without_source_raises_usage_error(session):
    with pytest.raises(UsageError) as error:
        session(CELL, keeps_source=False)
    assert (error.value.code, error.value.fields["target"]) == ("no_source", "cells.Net")
