"""Source files of plug-in classes, collected by static analysis of their imports without executing them."""

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
        files: content by POSIX path (`package/module.py`), with newline line ends. The path is derived from the name
            of the module, so that it does not depend on the folder.
        folder: folder that contains the plug-in.
        installed: True if the folder belongs to the packages of a Python environment.
    """

    files: Mapping[str, bytes]
    folder: Path
    installed: bool

    @property
    def digest(self) -> str:
        """SHA-256 of paths and contents."""
        digest = hashlib.sha256()
        for name, content in sorted(self.files.items()):
            digest.update(f"{name}\0{sha256(content)}\0".encode())
        return digest.hexdigest()


def sha256(content: bytes) -> str:
    """Return the SHA-256 of a content, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def is_library(target: str) -> bool:
    """Return True if the class belongs to dlcli, torch or scikit-learn."""
    return target.partition(".")[0] in LIBRARIES


def source_of(target: str, plugins: Sequence[str] = ()) -> Source | None:
    """Collect the files of a plug-in class: its module, parent packages, and their imports from the same folder.

    Imports are followed transitively, including those inside functions and `import_module` with a constant. Modules in
    the folder of the plug-in are included unless it is installed (site-packages); other plug-ins in any folder are.

    Args:
        target: `module.Class`.
        plugins: top-level modules of all plug-ins of the configuration.

    Returns:
        None if the module does not exist.

    Raises:
        UsageError: `no_source`, the class was defined in a session that does not keep its source.
    """
    module, _, name = target.rpartition(".")
    tree = _Tree.of(module, plugins)
    if tree is None:
        loaded = sys.modules.get(module)
        is_session = loaded is not None and (module == MAIN or loaded.__spec__ is None)
        return _session_source(loaded, name, plugins) if loaded is not None and is_session else None
    files = {path: content for path, content in _walk([module], tree).values() if path}
    return Source(files, tree.folder, tree.installed) if files else None


def _session_source(loaded: ModuleType, name: str, plugins: Sequence[str]) -> Source | None:
    """Source of a class defined in a notebook, and of the modules in the working folder that it uses."""
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
class _Location:
    """File of a module (None for a namespace package) and folders of its submodules."""

    file: Path | None
    folders: tuple[Path, ...] = ()


class _Tree:
    """Modules of a plug-in: its top-level package, the other plug-ins, and the modules beside it.

    Args:
        known: locations of top-level modules.
        folder: folder that contains the plug-in.
        installed: True if other modules in the folder do not belong to the plug-in.
        plugins: top-level modules of all plug-ins.
    """

    def __init__(self, known: dict[str, _Location], folder: Path, installed: bool, plugins: Sequence[str]) -> None:
        self.folder, self.installed = folder, installed
        self._known, self._plugins = known, {plugin.partition(".")[0] for plugin in plugins}

    @classmethod
    def of(cls, module: str, plugins: Sequence[str]) -> "_Tree | None":
        """Locate the top-level package of a module; None if it does not exist."""
        top = module.partition(".")[0]
        location = _top_level_location(top)
        if location is None:
            return None
        file = location.file or location.folders[0] / "__init__.py"
        folder = file.parent.parent if location.folders else file.parent
        return cls({top: location}, folder, bool(_INSTALLED & set(folder.parts)), plugins)

    def locate(self, module: str) -> _Location | None:
        """Return the location of a module; None if it does not belong to the plug-in."""
        top, *rest = module.split(".")
        if top not in self._known and top not in (*LIBRARIES, *sys.stdlib_module_names):
            location = None if self.installed else _location_in(self.folder, top)
            if location is None and top in self._plugins:
                location = _top_level_location(top)
            if location is not None:
                self._known[top] = location
        location = self._known.get(top)
        for part in rest:
            if location is None:
                return None
            candidates = (_location_in(folder, part) for folder in location.folders)
            location = next((candidate for candidate in candidates if candidate is not None), None)
        return location

    def children(self, module: str) -> list[str]:
        """Return the submodules of a package, for `from package import *`."""
        location = self.locate(module)
        names = {path.stem for folder in location.folders for path in folder.glob("*.py")} if location else set()
        return [f"{module}.{name}" for name in sorted(names - {"__init__"})]


def _top_level_location(name: str) -> _Location | None:
    """Location of a top-level module on the import path, the working folder first."""
    if name == MAIN:
        file = getattr(sys.modules[MAIN], "__file__", None)
        return _Location(Path(file).resolve()) if file and Path(file).is_file() else None
    spec = _spec(name)
    if spec is None:
        return None
    folders = tuple(Path(folder).resolve() for folder in spec.submodule_search_locations or ())
    file = Path(spec.origin).resolve() if spec.origin and Path(spec.origin).is_file() else None
    return _Location(file, folders) if file or folders else None


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
    """The specification on the import path; `importlib.util.find_spec` returns that of a loaded module instead."""
    specs = (finder.find_spec(name, None) for finder in sys.meta_path if hasattr(finder, "find_spec"))
    return next((spec for spec in specs if spec is not None), None)


def _location_in(folder: Path, name: str) -> _Location | None:
    """Location of a module or package directly inside a folder, in the order of Python's import system."""
    package = folder / name
    if (package / "__init__.py").is_file():
        return _Location(package / "__init__.py", (package,))
    for suffix in (*EXTENSION_SUFFIXES, ".py"):
        if (file := folder / f"{name}{suffix}").is_file():
            return _Location(file)
    return _Location(None, (package,)) if name.isidentifier() and package.is_dir() else None


def _walk(start: Sequence[str], tree: _Tree) -> dict[str, tuple[str, bytes]]:
    """Path and content, by module, of the modules and of their transitive imports; the path of a namespace is ""."""
    files: dict[str, tuple[str, bytes]] = {}
    pending = list(start)
    while pending:
        module = pending.pop()
        if module in files:
            continue
        if module.endswith(".*"):
            pending += tree.children(module[:-2])
            continue
        location = tree.locate(module)
        if location is None:
            continue
        content = location.file.read_bytes() if location.file else b""
        is_python = location.file is not None and location.file.suffix == ".py"
        if is_python:
            content = content.replace(b"\r\n", b"\n")
        files[module] = (_path(module, location), content)
        pending += [module.rpartition(".")[0]] if "." in module else []
        if is_python:
            pending += _imported(content, module, bool(location.folders))
    return files


def _path(module: str, location: _Location) -> str:
    if location.file is None:
        return ""
    base = module.replace(".", "/")
    return f"{base}/__init__.py" if location.folders else base + "".join(location.file.suffixes[-1:])


@lru_cache(maxsize=1024)
def _imported(content: bytes, module: str, is_package: bool) -> tuple[str, ...]:
    """Names that a file may import as modules; names of other objects are included."""
    try:
        nodes = list(ast.walk(ast.parse(content)))
    except (SyntaxError, ValueError, RecursionError):
        return ()
    package = module if is_package else module.rpartition(".")[0]
    return tuple(dict.fromkeys(name for node in nodes for name in _names(node, package)))


def _names(node: ast.AST, package: str) -> Iterator[str]:
    """Names of modules in an import statement, or in a call of `import_module` with a constant."""
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
    """The absolute name of a module whose name may start with dots, relative to a package."""
    level = len(name) - len(name.lstrip("."))
    if not level:
        return name
    parents = package.split(".")[: max(0, len(package.split(".")) - level + 1)]
    return ".".join([*parents, *filter(None, [name[level:]])])


_IMPORTED: dict[str, tuple[ModuleSpec, str]] = {}
"""Import specification and SHA-256 of each plug-in module at the time of its import by this process."""


def load(module: str, plugins: Sequence[str] = ()) -> ModuleType:
    """Import the module of a class; import a plug-in again if one of its files has changed since its last import.

    The imported code is therefore always the hashed code, also after edits between two runs of a notebook.

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
        imported = importlib.import_module(module)
    except (ImportError, UsageError):
        raise
    except Exception as error:
        path = getattr(error, "filename", None) or module
        raise UsageError("invalid_data", path=path, problem=f"{type(error).__name__}: {error}") from error
    for name, digest in digests.items():
        spec = getattr(sys.modules.get(name), "__spec__", None)
        if spec is not None and (name not in _IMPORTED or _IMPORTED[name][0] is not spec):
            _IMPORTED[name] = (spec, digest)
    return imported


def _is_stale(name: str, digest: str, location: _Location | None) -> bool:
    """True if the loaded module comes from another file, or from another content of the file.

    `importlib.reload` creates a new specification.
    """
    loaded = getattr(sys.modules.get(name), "__file__", None)
    file = location.file if location is not None else None
    if loaded is not None and file is not None and Path(loaded).resolve() != file:
        return True
    spec, old_digest = _IMPORTED.get(name, (None, None))
    return spec is not None and getattr(sys.modules.get(name), "__spec__", None) is spec and old_digest != digest


def _forget(name: str) -> None:
    """Remove a module and its cached bytecode, whose time stamp may equal that of the changed file."""
    module = sys.modules.pop(name, None)
    if cached := getattr(module, "__cached__", None):
        with contextlib.suppress(OSError):
            Path(cached).unlink(missing_ok=True)


def folder_of(module: str) -> Path | None:
    """Return the folder that contains a top-level module, without importing it; None if there is no such module."""
    tree = _Tree.of(module, ())
    return tree.folder if tree else None
