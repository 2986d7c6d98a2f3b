"""Parser of `--where 'task=adding and model.hidden>20'`: conditions on keys of a run, never executed as code."""

import ast
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from dlcli.core.errors import UsageError
from dlcli.report.comparison.filter_values import ABSENT, holds
from dlcli.report.sanitize import one_line

KeyLookup = Callable[[str], Any]
Test = Callable[[KeyLookup], bool]

_SINGLE = re.compile(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?<![=!<>:])=(?!=)""")
_WORDS = {"true": True, "false": False, "null": None, "none": None}
_OPS: dict[type[ast.cmpop], str] = {
    ast.Eq: "=", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.In: "in",
    ast.NotIn: "not in",
}  # fmt: skip
_MIRROR = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!=", "in": "has", "not in": "has not"}
_UNFINISHED = re.compile(r"(?:\b(?:and|or|not|in)|[=<>!(\[,.])\s*$")
_LONGEST = 2_000


@dataclass(frozen=True)
class Condition:
    """Parsed condition of `--where`.

    Args:
        text: the source text.
        keys: keys that the condition refers to.
        holds: predicate that takes a lookup of keys and returns whether the condition is true.
    """

    text: str
    keys: tuple[str, ...]
    holds: Test


def parse(text: str) -> Condition:
    """Parse a condition.

    Raises:
        UsageError: the text is not an expression, or contains more than keys, values and comparisons.
    """
    if len(text) > _LONGEST:
        must = f"at most {_LONGEST:,} characters long"
        raise UsageError("invalid_value", key="--where", must=must, got=f"{len(text):,} characters")
    plain = _SINGLE.sub(lambda match: match[1] or "==", text.strip().replace("\n", " "))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(plain, mode="eval").body
            return Condition(text, tuple(dict.fromkeys(_keys(tree))), _test(tree))
    except UsageError:
        raise
    except SyntaxError as error:
        raise _unreadable(text, f"{_diagnosis(plain, error)}\n{_EXAMPLE}") from None
    except (ValueError, RecursionError, MemoryError):
        raise _unreadable(text, _EXAMPLE) from None


_EXAMPLE = "Example: --where 'task=adding and model.hidden>20 and seed in [0, 1, 2]'"


def _unreadable(text: str, hint: str) -> UsageError:
    return UsageError("unreadable", text=f"--where {text!r}", hint=hint)


def _diagnosis(plain: str, error: SyntaxError) -> str:
    """Sentence on a foreign operator, or on the position of the syntax error."""
    for wrong, right in (("&&", "and"), ("||", "or"), (" AND ", "and"), (" OR ", "or"), ("!", "not")):
        if wrong in plain.replace("!=", ""):
            return f"Write {right!r} instead of {wrong.strip()!r}."
    position = (error.offset or 1) - 1
    rest = plain[position : position + 20].strip().replace("==", "=")
    if not rest or _UNFINISHED.search(plain):
        return "The expression is incomplete."
    return f"Syntax error at {one_line(repr(rest))}."


def _test(node: ast.expr) -> Test:
    match node:
        case ast.BoolOp(op=op, values=values):
            tests, every = [_test(value) for value in values], all if isinstance(op, ast.And) else any
            return lambda facts: every(test(facts) for test in tests)
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            test = _test(inner)
            return lambda facts: not test(facts)
        case ast.Compare(left=left, ops=ops, comparators=others):
            signs = [_sign(op) for op in ops]
            parts = [_comparison(a, sign, b) for sign, (a, b) in zip(signs, pairwise([left, *others]), strict=True)]
            return lambda facts: all(part(facts) for part in parts)
        case ast.Name() | ast.Attribute():
            key = _key(node)
            return lambda facts: facts(key) is not ABSENT and bool(facts(key))
    raise _refusal(node)


def _sign(op: ast.cmpop) -> str:
    if type(op) not in _OPS:
        raise UsageError("unsupported", subject="--where", feature="the operator 'is'", hint="Use = or != instead.")
    return _OPS[type(op)]


def _sides(left: ast.expr, sign: str, right: ast.expr) -> tuple[str, str, Any]:
    """Return (key, operator, operand).

    The key is the name on the left; it is on the right for a constant or list on the left, and for `in`.
    """
    named = [isinstance(side, ast.Name | ast.Attribute) for side in (left, right)]
    if named[1] and (not named[0] or sign in ("in", "not in")):
        return _key(right), _MIRROR[sign], _operand(left)
    if not named[0]:
        if isinstance(left, ast.Constant):
            comparison = f"{ast.unparse(left)} {sign} {ast.unparse(right)}"
            raise UsageError("invalid_value", key="--where", must="a condition on a key", got=comparison)
        raise _refusal(left)
    if sign in ("in", "not in") and not isinstance(right, ast.List | ast.Tuple | ast.Set):
        key = f"--where: the right side of {sign!r}"
        raise UsageError("invalid_value", key=key, must="a list such as [1, 2, 3]", got=ast.unparse(right))
    return _key(left), sign, _operand(right)


def _comparison(left: ast.expr, sign: str, right: ast.expr) -> Test:
    key, sign, operand = _sides(left, sign, right)

    def test(facts: KeyLookup) -> bool:
        value = facts(key)
        if value is ABSENT:
            return sign in ("!=", "not in", "has not")
        return holds(key, value, sign, operand)

    return test


def _key(node: ast.expr) -> str:
    """Dotted key of a name or attribute, for example `model.hidden`."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=inner, attr=name):
            return f"{_key(inner)}.{name}"
    raise _refusal(node)


def _operand(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=value) if value is None or isinstance(value, str | int | float):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.UnaryOp(op=ast.UAdd(), operand=ast.Constant(value=int() | float() as number)):
            return number
        case ast.Name(id=name) if name.casefold() in _WORDS:
            return _WORDS[name.casefold()]
        case ast.Name() | ast.Attribute():
            return _key(node)
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            return [_operand(part) for part in parts]
    raise _refusal(node)


def _refusal(node: ast.expr) -> UsageError:
    kinds = {ast.Call: "function calls", ast.BinOp: "arithmetic", ast.Subscript: "subscripts"}
    feature = f"{kinds.get(type(node), 'this expression')}: {ast.unparse(node)[:60]}"
    hint = "Use keys, values and = != < <= > >= and or not in. Quote text that contains operators, such as 'my-run'."
    return UsageError("unsupported", subject="--where", feature=feature, hint=hint)


def _keys(node: ast.expr) -> Iterator[str]:
    """Keys that a condition refers to."""
    match node:
        case ast.BoolOp(values=parts):
            for part in parts:
                yield from _keys(part)
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            yield from _keys(inner)
        case ast.Compare(left=left, ops=ops, comparators=others):
            for op, (a, b) in zip(ops, pairwise([left, *others]), strict=True):
                yield _sides(a, _sign(op), b)[0]
        case ast.Name() | ast.Attribute():
            yield _key(node)
        case _:
            raise _refusal(node)
