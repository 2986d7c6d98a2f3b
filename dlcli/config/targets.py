"""Classes that a `_target_` may name, and type checks of their keyword arguments."""

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import torch
from beartype import BeartypeConf
from beartype.door import is_bearable
from beartype.roar import BeartypeDecorHintException
from hydra.errors import InstantiationException
from hydra.utils import instantiate

from dlcli.config import source
from dlcli.config.schema import METADATA
from dlcli.core.errors import Missing, UsageError

_OURS = ("dlcli.", "torch.")
_ESTIMATORS = "sklearn."  # subclasses of BaseEstimator only
_BEARTYPE = BeartypeConf(is_pep484_tower=True)  # an integer is accepted where a float is annotated
CONSTRUCTION_ERRORS = (
    ValueError,
    TypeError,
    RuntimeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
)
_TYPE_NAMES = {int: "an integer", float: "a number", str: "text", bool: "true or false", type(None): "null"}
_PLURALS = {int: "integers", float: "numbers", str: "texts"}


def factory(node: Any, config: Mapping[str, Any], node_key: str) -> Callable[..., Any]:
    """Return the factory that a configuration node describes.

    Args:
        node: mapping with a `_target_` and keyword arguments.
        config: complete configuration; its `plugins` are allowed packages.
        node_key: dotted key of the node, for messages.

    Raises:
        UsageError: the class does not exist or is not allowed, or a keyword is unknown or has the wrong type.
    """
    if not isinstance(node, dict) or "_target_" not in node:
        raise UsageError("required", key=f"{node_key}._target_", hint="It names the class: package.module.Class")
    node, plugins = without_metadata(node), config.get("plugins") or ()
    for key, part in class_nodes(node, node_key):
        _check(part, key, plugins)
    try:
        constructor = instantiate(_with_partials(node, plugins), _partial_=True, _convert_="all")
    except InstantiationException as error:
        raise _unwrapped(error, node_key) from error
    return _guarded(constructor, node_key)


def without_metadata(node: Any, keys: Sequence[str] = METADATA) -> Any:
    """Return the configuration node without the metadata keys, nested nodes included."""
    if isinstance(node, dict):
        return {key: without_metadata(value, keys) for key, value in node.items() if key not in keys}
    return node


def _with_partials(node: Any, plugins: Sequence[str]) -> Any:
    """Add `_partial_` to each keyword for which the constructor expects a factory of the class.

    A keyword annotated `Callable[[Task], Objective]` takes a factory of objectives: its node must not be called with
    the keywords of the YAML alone. A `Callable[..., Tensor]` is an object that is called itself.
    """
    if isinstance(node, list):
        return [_with_partials(value, plugins) for value in node]
    if not isinstance(node, dict):
        return node
    parts = {key: _with_partials(value, plugins) for key, value in node.items()}
    hints = _hints(class_of(node["_target_"], "", plugins)) if "_target_" in node else {}
    return {key: _as_factory(value, hints[key], plugins) if key in hints else value for key, value in parts.items()}


def _as_factory(value: Any, hint: Any, plugins: Sequence[str]) -> Any:
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (UnionType, Union):
        return next((new for part in parts if (new := _as_factory(value, part, plugins)) != value), value)
    if isinstance(value, dict) and "_target_" in value:
        if origin is Callable and _returns(class_of(value["_target_"], "", plugins), parts[-1]):
            return {"_partial_": True, **value}
        return value
    if isinstance(value, dict) and origin is Mapping:
        return {key: _as_factory(part, parts[-1], plugins) for key, part in value.items()}
    if isinstance(value, list) and origin is Sequence:
        return [_as_factory(part, parts[0], plugins) for part in value]
    return value


def _returns(cls: type, annotation: Any) -> bool:
    """True if an instance of the class satisfies the return annotation of a `Callable`."""
    if annotation is Any or getattr(annotation, "_is_protocol", False):
        return True
    return isinstance(annotation, type) and issubclass(cls, annotation)


def _hints(cls: type) -> dict[str, Any]:
    """The annotations of a constructor; empty if they cannot be resolved."""
    try:
        return get_type_hints(getattr(cls, "__init__"))  # noqa: B009 - mypy takes cls.__init__ for an instance's
    except (ValueError, TypeError, NameError):
        return {}


def _guarded(constructor: Callable[..., Any], node_key: str) -> Callable[..., Any]:
    """Wrap a constructor so that its exceptions are raised as `UsageError`."""

    def construct(*args: Any, **kwargs: Any) -> Any:
        try:
            return constructor(*args, **kwargs)
        except UsageError:
            raise
        except InstantiationException as error:
            raise _unwrapped(error, node_key) from error
        except CONSTRUCTION_ERRORS as error:
            check_memory(error)
            raise _construction_error(error, node_key) from error

    return construct


def check_memory(error: BaseException) -> None:
    """Raise MemoryError if a PyTorch error reports that memory could not be allocated."""
    if isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error):
        raise MemoryError from error


def _unwrapped(error: InstantiationException, node_key: str) -> UsageError:
    """The error for the exception that caused Hydra's."""
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    if isinstance(cause, UsageError):
        return cause
    check_memory(cause)
    return _construction_error(cause, node_key)


def _construction_error(error: BaseException, node_key: str) -> UsageError:
    first_line = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return UsageError("construction_failed", key=node_key, problem=first_line[:300])


def class_nodes(node: Any, node_key: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Iterate over (dotted key, node) of every nested node with a `_target_`."""
    if isinstance(node, dict):
        if "_target_" in node:
            yield node_key, node
        for key, value in node.items():
            yield from class_nodes(value, f"{node_key}.{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from class_nodes(value, f"{node_key}.{index}")


def _check(node: Mapping[str, Any], node_key: str, plugins: Sequence[str]) -> None:
    """Check the keywords of a node and, for classes of dlcli, the types of their values.

    Raises:
        UsageError: the class is not allowed, a keyword is unknown, or a value has the wrong type.
    """
    cls = class_of(node["_target_"], node_key, plugins)
    try:
        parameters = inspect.signature(cls).parameters
        hints = get_type_hints(getattr(cls, "__init__"))  # noqa: B009 - mypy takes cls.__init__ for an instance's
    except (ValueError, TypeError, NameError):
        return
    has_kwargs = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    for key, value in node.items():
        if key.startswith("_") or isinstance(value, dict):
            continue
        if key not in parameters and not has_kwargs:
            known = [f"{node_key}.{name}" for name in parameters]
            hint = f"{cls.__name__} has no such keyword"
            raise UsageError("unknown_key", key=f"{node_key}.{key}", known=known, hint=hint)
        if cls.__module__.startswith("dlcli.") and key in hints and not _fits(value, hints[key]):
            raise UsageError("invalid_value", key=f"{node_key}.{key}", must=_type_name(hints[key]), got=value)


def class_of(target: Any, node_key: str, plugins: Sequence[str]) -> type:
    """Import the class of a `_target_`.

    Args:
        target: `package.module.Class`.
        node_key: dotted key of the node, for messages.
        plugins: packages that are allowed beside dlcli, torch and scikit-learn.

    Raises:
        UsageError: it is outside the allowed packages, does not exist, or is not a class.
        Missing: the module imports a package that is not installed.
    """
    key = f"{node_key}._target_"
    allowed = (*_OURS, _ESTIMATORS, *(f"{plugin}." for plugin in plugins))
    must = "a class of dlcli, torch or a package in plugins=[...]"
    if not isinstance(target, str) or not target.startswith(allowed):
        raise UsageError("invalid_value", key=key, must=must, got=target)
    module, _, name = target.rpartition(".")
    try:
        cls = getattr(source.load(module, plugins), name)
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name and not module.startswith(error.name):
            hint = f"pip install {error.name}"
            raise Missing("missing_package", feature=target, package=error.name, hint=hint) from None
        raise UsageError("not_found", kind="module", name=module, hint=f"It is named by {key}={target}") from None
    except AttributeError:
        known = [key for key in vars(sys.modules[module]) if key[:1].isupper()]
        raise UsageError("unknown_name", kind=f"class of {module}", name=name, known=known) from None
    if not isinstance(cls, type):
        raise UsageError("invalid_value", key=key, must="a class", got=target)
    if not f"{cls.__module__}.".startswith(allowed):
        hint = f"{module} imports it from {cls.__module__}"
        raise UsageError("invalid_value", key=key, must=must, got=target, hint=hint)
    if cls.__module__.startswith(_ESTIMATORS):
        _check_estimator(cls, target, key)
    return cls


def takes_keyword(node: Mapping[str, Any], name: str, config: Mapping[str, Any]) -> bool:
    """Return True if the constructor of a node's class has the keyword.

    Raises:
        UsageError: the class does not exist or is not allowed.
    """
    cls = class_of(node.get("_target_"), "task", config.get("plugins") or ())
    return name in inspect.signature(cls).parameters


def _check_estimator(cls: type, target: str, key: str) -> None:
    """Raise UsageError if a class of scikit-learn is not an estimator."""
    from sklearn.base import BaseEstimator

    if not issubclass(cls, BaseEstimator):
        raise UsageError("invalid_value", key=key, must="an estimator of scikit-learn", got=target)


def _fits(value: Any, hint: Any) -> bool:
    try:
        return is_bearable(value, hint, conf=_BEARTYPE) and not (isinstance(value, bool) and hint in (int, float))
    except BeartypeDecorHintException:
        return True


def _type_name(hint: Any) -> str:
    """Description of a type annotation, as in "a list of integers or null"."""
    if hint in _TYPE_NAMES:
        return _TYPE_NAMES[hint]
    parts = get_args(hint)
    if get_origin(hint) is Literal:
        return " or ".join(map(str, parts))
    if isinstance(hint, UnionType) or get_origin(hint) is Union:
        return " or ".join(_type_name(part) for part in parts)
    if get_origin(hint) is Sequence and parts:
        return f"a list of {_PLURALS[parts[0]]}" if parts[0] in _PLURALS else f"a list of: {_type_name(parts[0])}"
    return str(hint).replace("typing.", "").replace("collections.abc.", "")
