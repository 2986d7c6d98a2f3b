"""Runtime checks of the array shapes in signatures, for the functions that state some.

jaxtyping's own import hook wraps every function and dataclass of the package and checks parameters twice: importing
dlcli takes seven times as long and small tensor code two to three times. This hook wraps the functions and dataclasses
with array annotations only, and checks each of them once; mypy checks all other annotations.
"""

import ast
import functools
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from typing import Any

from beartype import BeartypeConf, beartype
from jaxtyping import jaxtyped

_PACKAGE = "dlcli"
_MARK = "from jaxtyping import"
_check = beartype(conf=BeartypeConf(violation_type=TypeError))  # as jaxtyping's own errors: dlcli catches TypeError


def check_function(function: Any) -> Any:
    """Check parameters and return value; equal axis names stand for equal lengths within one call."""
    checked = _check(function)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with jaxtyped("context"):
            return checked(*args, **kwargs)

    return call


check_class = jaxtyped(typechecker=_check)
"""Check the fields of a dataclass when it is constructed."""


def install() -> None:
    """Check shapes in all modules of dlcli that are imported from now on."""
    sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname.partition(".")[0] != _PACKAGE:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or not isinstance(spec.loader, SourceFileLoader):
            return None
        if _MARK not in Path(spec.loader.path).read_text(encoding="utf-8"):
            return None
        spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    def get_code(self, fullname: str) -> Any:
        """Compile the source always: the cache of bytecode belongs to the modules without checks."""
        return self.source_to_code(self.get_data(self.path), self.path)

    def source_to_code(self, data: Any, path: Any, **_: Any) -> Any:
        """Compile with decorators at the functions and classes that state shapes."""
        tree = ast.fix_missing_locations(_Decorate().visit(ast.parse(data, path)))
        return compile(tree, path, "exec", dont_inherit=True)


class _Decorate(ast.NodeTransformer):
    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
        if _states_shapes([argument.annotation for argument in arguments if argument] + [node.returns]):
            node.decorator_list.append(_decorator("check_function", node))  # innermost: others may drop annotations
        return self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        if _states_shapes([part.annotation for part in node.body if isinstance(part, ast.AnnAssign)]):
            node.decorator_list.insert(0, _decorator("check_class", node))  # outermost: after @dataclass
        return self.generic_visit(node)


def _states_shapes(annotations: list[ast.expr | None]) -> bool:
    """Whether an annotation contains `Name[..., "axes"]`."""
    parts = [part for annotation in annotations if annotation is not None for part in ast.walk(annotation)]
    tuples = [part.slice for part in parts if isinstance(part, ast.Subscript) and isinstance(part.slice, ast.Tuple)]
    return any(isinstance(axes.elts[-1], ast.Constant) and isinstance(axes.elts[-1].value, str) for axes in tuples)


def _decorator(name: str, node: ast.AST) -> ast.expr:
    decorator = ast.parse(f"__import__('sys').modules[{__name__!r}].{name}", mode="eval").body
    return ast.copy_location(decorator, node)
