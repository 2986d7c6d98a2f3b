"""Source files of plug-in classes, found by static analysis of their imports: nothing is executed."""

import ast
import contextlib
import hashlib
import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from pathlib import Path
from types import ModuleType

from dlcli.config import notebook, trust
from dlcli.core.errors import UsageError

LIBRARIES = ("dlcli", "torch", "sklearn")
"""Packages whose version identifies their code: the source of their classes is not hashed."""
MAIN = "__main__"
_INSTALLED = {"site-packages", "dist-packages"}
_IMPORTERS = ("import_module", "__import__")


@dataclass(frozen=True)
class Source:
    """Source files that a class depends on.

    Args:
        files: content by POSIX path (`package/module.py`), with "\\n" as line end. The path follows from the name of
            the module, so that it does not depend on the folder.
        folder: the folder that contains the plug-in.
        installed: whether the folder belongs to the packages of a Python environment.
    """

    files: Mapping[str, bytes]
    folder: Path
    installed: bool

    @property
    def digest(self) -> str:
        """SHA-256 of paths and contents."""
        whole = hashlib.sha256()
        for name, content in sorted(self.files.items()):
            whole.update(f"{name}\0{sha256(content)}\0".encode())
        return whole.hexdigest()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def is_library(target: str) -> bool:
    """True if the class belongs to dlcli, torch or scikit-learn."""
    return target.partition(".")[0] in LIBRARIES


def source_of(target: str, plugins: Sequence[str] = ()) -> Source | None:
    """Files of a plug-in class: its module, parent packages, and what they import from the same package or folder.

    Imports are followed transitively, also those inside functions and `import_module` with a constant. Modules beside
    the plug-in count unless the plug-in is installed (site-packages); other plug-ins count wherever they are.

    Args:
        target: `module.Class`.
        plugins: top-level modules of all plug-ins of the configuration.

    Returns:
        None if there is no module of this name.

    Raises:
        UsageError: `no_source`, the class was defined in a session that does not keep its source.
    """
    module, _, name = target.rpartition(".")
    tree = _Tree.of(module, plugins)
    if tree is None:
        loaded = sys.modules.get(module)
        is_session = loaded is not None and (module == MAIN or loaded.__spec__ is None)
        return _of_session(loaded, name, plugins) if loaded is not None and is_session else None
    files = {path: content for path, content in _walk([module], tree).values() if path}
    return Source(files, tree.folder, tree.installed) if files else None


def _of_session(loaded: ModuleType, name: str, plugins: Sequence[str]) -> Source | None:
    """Source of a class that was defined in a notebook, and of the modules in the working folder that it uses."""
    if not hasattr(loaded, name):
        return None
    text, modules = notebook.definitions(loaded, name)
    if text is None:
        raise UsageError(
            "no_source",
            target=f"{loaded.__name__}.{name}",
            hint="Put the class into a file, mymodels.py, and use plugins=[mymodels] and mymodels." + name,
        )
    tree = _Tree({}, Path.cwd(), False, plugins)
    files = {path: content for path, content in _walk(modules, tree).values() if path}
    return Source({f"{loaded.__name__}.py": text.encode(), **files}, tree.folder, False)


@dataclass(frozen=True)
class _Place:
    """Where a module is: its file (None for a namespace package) and the folders of its submodules."""

    file: Path | None
    folders: tuple[Path, ...] = ()


class _Tree:
    """Modules of a plug-in: its top-level package, the other plug-ins, and the modules beside it.

    Args:
        known: places of top-level modules.
        folder: contains the plug-in.
        installed: modules beside the plug-in do not belong to it.
        plugins: top-level modules of all plug-ins.
    """

    def __init__(self, known: dict[str, _Place], folder: Path, installed: bool, plugins: Sequence[str]) -> None:
        self.folder, self.installed = folder, installed
        self._known, self._plugins = known, {plugin.partition(".")[0] for plugin in plugins}

    @classmethod
    def of(cls, module: str, plugins: Sequence[str]) -> "_Tree | None":
        top = module.partition(".")[0]
        place = _place_of_top(top)
        if place is None:
            return None
        inside = place.file or place.folders[0] / "__init__.py"
        folder = inside.parent.parent if place.folders else inside.parent
        return cls({top: place}, folder, bool(_INSTALLED & set(folder.parts)), plugins)

    def locate(self, module: str) -> _Place | None:
        """The place of a module; None if it does not belong to the plug-in."""
        top, *rest = module.split(".")
        if top not in self._known and top not in (*LIBRARIES, *sys.stdlib_module_names):
            beside = None if self.installed else _place_in(self.folder, top)
            place = beside or (_place_of_top(top) if top in self._plugins else None)
            if place is not None:
                self._known[top] = place
        place = self._known.get(top)
        for part in rest:
            if place is None:
                return None
            found = (_place_in(folder, part) for folder in place.folders)
            place = next((one for one in found if one is not None), None)
        return place

    def children(self, module: str) -> list[str]:
        """Submodules of a package, for `from package import *`."""
        place = self.locate(module)
        names = {path.stem for folder in place.folders for path in folder.glob("*.py")} if place else set()
        return [f"{module}.{name}" for name in sorted(names - {"__init__"})]


def _place_of_top(name: str) -> _Place | None:
    """Place of a top-level module on the import path, the working folder first."""
    if name == MAIN:
        file = getattr(sys.modules[MAIN], "__file__", None)
        return _Place(Path(file).resolve()) if file and Path(file).is_file() else None
    spec = _spec(name)
    if spec is None:
        return None
    folders = tuple(Path(folder).resolve() for folder in spec.submodule_search_locations or ())
    file = Path(spec.origin).resolve() if spec.origin and Path(spec.origin).is_file() else None
    return _Place(file, folders) if file or folders else None


def _spec(name: str) -> ModuleSpec | None:
    if "" not in sys.path:
        sys.path.insert(0, "")
    with contextlib.suppress(ValueError, ImportError):
        spec = _find(name)
        if spec is None:
            importlib.invalidate_caches()
            spec = _find(name)
        return spec
    return None


def _find(name: str) -> ModuleSpec | None:
    """What the import system finds now; `importlib.util.find_spec` answers with a module in memory first."""
    specs = (finder.find_spec(name, None) for finder in sys.meta_path if hasattr(finder, "find_spec"))
    return next((spec for spec in specs if spec is not None), None)


def _place_in(folder: Path, name: str) -> _Place | None:
    """Place of a module or package directly inside a folder, in the order of Python's import system."""
    package = folder / name
    if (package / "__init__.py").is_file():
        return _Place(package / "__init__.py", (package,))
    for suffix in (*EXTENSION_SUFFIXES, ".py"):
        if (file := folder / f"{name}{suffix}").is_file():
            return _Place(file)
    return _Place(None, (package,)) if name.isidentifier() and package.is_dir() else None


def _walk(start: Sequence[str], tree: _Tree) -> dict[str, tuple[str, bytes]]:
    """Path and content by module of all that the modules import, themselves included; the path of a namespace is ""."""
    found: dict[str, tuple[str, bytes]] = {}
    pending = list(start)
    while pending:
        module = pending.pop()
        if module in found:
            continue
        if module.endswith(".*"):
            pending += tree.children(module[:-2])
            continue
        place = tree.locate(module)
        if place is None:
            continue
        content = place.file.read_bytes() if place.file else b""
        if place.file is not None and place.file.suffix == ".py":
            content = content.replace(b"\r\n", b"\n")
        found[module] = (_path(module, place), content)
        pending += [module.rpartition(".")[0]] if "." in module else []
        if place.file is not None and place.file.suffix == ".py":
            pending += _imported(content, module, bool(place.folders))
    return found


def _path(module: str, place: _Place) -> str:
    if place.file is None:
        return ""
    base = module.replace(".", "/")
    return f"{base}/__init__.py" if place.folders else base + "".join(place.file.suffixes[-1:])


@lru_cache(maxsize=1024)
def _imported(content: bytes, module: str, is_package: bool) -> tuple[str, ...]:
    """Names of modules that a file may import; names that are no modules are among them."""
    try:
        nodes = list(ast.walk(ast.parse(content)))
    except (SyntaxError, ValueError, RecursionError):
        return ()
    package = module if is_package else module.rpartition(".")[0]
    return tuple(dict.fromkeys(name for node in nodes for name in _names(node, package)))


def _names(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = _absolute("." * node.level + (node.module or ""), package)
        if base:
            yield base
        yield from (f"{base}.{alias.name}" if base else alias.name for alias in node.names)
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = getattr(node.func, "attr", getattr(node.func, "id", None))
        if called in _IMPORTERS and isinstance(node.args[0].value, str):
            yield _absolute(node.args[0].value, package)


def _absolute(name: str, package: str) -> str:
    """A name that may begin with dots, as seen from a package."""
    level = len(name) - len(name.lstrip("."))
    if not level:
        return name
    above = package.split(".")[: max(0, len(package.split(".")) - level + 1)]
    return ".".join([*above, *filter(None, [name[level:]])])


_IMPORTED: dict[str, tuple[ModuleSpec, str]] = {}
"""Import specification and SHA-256 of each plug-in module, as of its import by this process."""


def load(module: str, plugins: Sequence[str] = ()) -> ModuleType:
    """Import the module of a class; import a plug-in again if one of its files has changed since its last import.

    A notebook can therefore edit a plug-in and train again: the code that runs is the code that is hashed.

    Raises:
        UsageError: the file of a plug-in cannot be executed.
    """
    tree = None if is_library(module) or module == MAIN else _Tree.of(module, plugins)
    if tree is None:
        return importlib.import_module(module)
    if not tree.installed:
        trust.check(module, tree.folder)
    digests = {name: sha256(content) for name, (path, content) in _walk([module], tree).items() if path}
    if any(_is_stale(name, digest, tree.locate(name)) for name, digest in digests.items()):
        for name in digests:
            _forget(name)
        importlib.invalidate_caches()
    try:
        made = importlib.import_module(module)
    except (ImportError, UsageError):
        raise
    except Exception as error:
        where = getattr(error, "filename", None) or module
        raise UsageError("invalid_data", path=where, problem=f"{type(error).__name__}: {error}") from error
    for name, digest in digests.items():
        spec = getattr(sys.modules.get(name), "__spec__", None)
        if spec is not None and (name not in _IMPORTED or _IMPORTED[name][0] is not spec):
            _IMPORTED[name] = (spec, digest)
    return made


def _is_stale(name: str, digest: str, place: _Place | None) -> bool:
    """True if the module in memory was made from another file, or from another content of it.

    `importlib.reload` makes a new specification.
    """
    loaded = getattr(sys.modules.get(name), "__file__", None)
    if loaded is not None and place is not None and place.file is not None and Path(loaded).resolve() != place.file:
        return True
    spec, known = _IMPORTED.get(name, (None, None))
    return spec is not None and getattr(sys.modules.get(name), "__spec__", None) is spec and known != digest


def _forget(name: str) -> None:
    """Remove a module and its bytecode, whose time stamp may be that of the changed file."""
    module = sys.modules.pop(name, None)
    if cached := getattr(module, "__cached__", None):
        with contextlib.suppress(OSError):
            Path(cached).unlink(missing_ok=True)


def folder_of(module: str) -> Path | None:
    """Return the folder that contains a top-level module, without importing it; None if there is no such module."""
    tree = _Tree.of(module, ())
    return tree.folder if tree else None
