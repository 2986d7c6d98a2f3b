"""`--where 'task=adding and model.hidden>20'`: read as a condition on a run's facts, never run as code."""

import ast
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from dlcli.core.errors import UsageError
from dlcli.report.comparison.filter_values import ABSENT, holds

Facts = Callable[[str], Any]
Test = Callable[[Facts], bool]

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
    """What `--where` says.

    Args:
        text: as it was typed.
        keys: that it asks about.
        holds: whether it is true of a run.
    """

    text: str
    keys: tuple[str, ...]
    holds: Test


def parse(text: str) -> Condition:
    """The condition that an expression states.

    Raises:
        UsageError: it is no expression, or one that does more than compare.
    """
    if len(text) > _LONGEST:
        raise UsageError(f"--where: {len(text):,} characters are too many ({_LONGEST:,} at most)")
    plain = _SINGLE.sub(lambda match: match[1] or "==", text.strip().replace("\n", " "))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(plain, mode="eval").body
            return Condition(text, tuple(dict.fromkeys(_keys(tree))), _test(tree))
    except UsageError as error:
        raise UsageError(f"--where {text!r}: {error}") from None
    except SyntaxError as error:
        raise UsageError(f"--where {text!r}: {_trouble(plain, error)}\n{_EXAMPLE}") from None
    except (ValueError, RecursionError, MemoryError):
        raise UsageError(f"--where {text[:80]!r}: this cannot be read\n{_EXAMPLE}") from None


_EXAMPLE = "Write it like: --where 'task=adding and model.hidden>20 and seed in [0, 1, 2]'"


def _trouble(plain: str, error: SyntaxError) -> str:
    """Where reading stopped, and what people usually meant."""
    for wrong, right in (("&&", "and"), ("||", "or"), (" AND ", "and"), (" OR ", "or"), ("!", "not")):
        if wrong in plain.replace("!=", ""):
            return f"{wrong.strip()!r} is written {right!r}"
    place = (error.offset or 1) - 1
    rest = plain[place : place + 20].strip().replace("==", "=")
    if not rest or _UNFINISHED.search(plain):
        return "something is missing at its end"
    return f"it cannot be read from {rest!r} on"


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
        raise UsageError("'is' compares nothing here: write = or !=")
    return _OPS[type(op)]


def _sides(left: ast.expr, sign: str, right: ast.expr) -> tuple[str, str, Any]:
    """(key, sign, wanted): the left name is the key, and the right one a word, unless only that way makes sense."""
    named = [isinstance(side, ast.Name | ast.Attribute) for side in (left, right)]
    if named[1] and (not named[0] or sign in ("in", "not in")):
        return _key(right), _MIRROR[sign], _wanted(left)
    if not named[0]:
        if isinstance(left, ast.Constant):
            raise UsageError(f"{ast.unparse(left)} {sign} {ast.unparse(right)} asks about no key")
        raise _refusal(left)
    if sign in ("in", "not in") and not isinstance(right, ast.List | ast.Tuple | ast.Set):
        raise UsageError(f"{sign!r} wants a list, [1, 2, 3], not {ast.unparse(right)}")
    return _key(left), sign, _wanted(right)


def _comparison(left: ast.expr, sign: str, right: ast.expr) -> Test:
    key, sign, wanted = _sides(left, sign, right)

    def test(facts: Facts) -> bool:
        value = facts(key)
        if value is ABSENT:
            return sign in ("!=", "not in", "has not")
        return holds(key, value, sign, wanted)

    return test


def _key(node: ast.expr) -> str:
    """`model.hidden`, `learner.players.model`: names with dots between them."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=inner, attr=name):
            return f"{_key(inner)}.{name}"
    raise _refusal(node)


def _wanted(node: ast.expr) -> Any:
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
            return [_wanted(part) for part in parts]
    raise _refusal(node)


def _refusal(node: ast.expr) -> UsageError:
    shown = ast.unparse(node)[:60]
    kind = {ast.Call: "a call", ast.BinOp: "arithmetic (or a word that wants quotes)", ast.Subscript: "a subscript"}
    words = kind.get(type(node), "more than keys and values")
    return UsageError(f"{shown} is {words}; only keys, values, = != < <= > >= and or not in are read")


def _keys(node: ast.expr) -> Iterator[str]:
    """Every key that is asked about."""
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
