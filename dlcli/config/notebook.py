"""Source text of classes defined in an interactive session, read from `linecache`, where IPython stores its cells."""

import ast
import inspect
import linecache
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

_PLAIN = (bool, int, float, complex, str, bytes, type(None))


def definitions(module: ModuleType, name: str) -> tuple[str | None, list[str]]:
    """Return the text of a class and of the functions, classes and constants of the session that it uses.

    Returns:
        the text, or None if part of it is not available; and the names of the modules that it uses.
    """
    texts: dict[str, str] = {}
    modules: set[str] = set()
    pending = [name]
    while pending:
        used = pending.pop()
        value = vars(module).get(used)
        if used in texts or used not in vars(module):
            continue
        if isinstance(value, type | FunctionType) and value.__module__ == module.__name__:
            text = _text(value)
            if text is None:
                return None, []
            texts[used] = text
            pending += sorted(_names(text))
        elif _is_constant(value):
            texts[used] = f"{used} = {value!r}"
        else:
            modules.add(value.__name__ if isinstance(value, ModuleType) else str(getattr(value, "__module__", "")))
    return "\n\n".join(texts[used] for used in sorted(texts)), sorted(filter(None, modules))


def _is_constant(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return all(map(_is_constant, value))
    return isinstance(value, _PLAIN)


def _names(text: str) -> set[str]:
    """Names that the text refers to, global or not."""
    return {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}


def _text(value: type | FunctionType) -> str | None:
    """The text of a definition in its cell, decorators included; None if no cell contains it."""
    for code in _codes(value):
        lines = linecache.getlines(code.co_filename)
        try:
            nodes = list(ast.walk(ast.parse("".join(lines))))
        except SyntaxError:
            continue
        for node in nodes:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == value.__name__:
                first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                last = node.end_lineno or node.lineno
                if first <= code.co_firstlineno <= last:
                    return inspect.cleandoc("\n" + "".join(lines[first - 1 : last]))
    return None


def _codes(value: type | FunctionType) -> Iterator[CodeType]:
    """Code objects of a function, or of the methods of a class."""
    members = [value] if isinstance(value, FunctionType) else list(vars(value).values())
    for member in members:
        inner = getattr(member, "fget", getattr(member, "__func__", member))
        inner = inspect.unwrap(inner) if callable(inner) else inner
        if isinstance(inner, FunctionType):
            yield inner.__code__
