"""Sweeps: values that give several runs, by commas, `range()`, `choice()`, `glob()`, `--zip`, `--seeds`, `--over`."""

import itertools
import math
import re
from collections.abc import Iterator, Sequence

from hydra.core.override_parser.types import Glob, IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException

from dlcli.config import catalogue
from dlcli.config.overrides import Folders, check_override, key_of, parse, quoted, renamed, value_of
from dlcli.core.errors import UsageError

_MAX_RUNS = 10_000  # of one command
_LOG_RATIO = 10  # ratio of the ends of an interval from which it is sampled on a logarithmic scale
_NEXT_WORD = re.compile(r"\s+(?=[+~]*[A-Za-z_][\w.@/\[\]-]*=)")


def values(word: str, extra: Folders) -> list[str]:
    """Return one override for each value of a sweep; the override itself if it is not a sweep.

    Raises:
        UsageError: the sweep has no values, or is an interval.
    """
    override = parse(word)
    if not override.is_sweep_override():
        return [word]
    key = word.partition("=")[0]
    if override.is_interval_sweep():
        must = "a list of values: a,b, range(A,B) or choice(A,B)"
        raise UsageError("invalid_value", key=key, must=must, got=value_of(word))
    try:
        is_glob = isinstance(override.value(), Glob)
        iterator = _matching_members(override, extra) if is_glob else override.sweep_string_iterator()
        texts = list(itertools.islice(iterator, _MAX_RUNS + 1))
    except UsageError:
        raise
    except (HydraException, ValueError, TypeError) as error:
        hint = "".join(str(error).strip().splitlines()[:1])
        raise UsageError("invalid_value", key=key, must="a valid sweep", got=value_of(word), hint=hint) from None
    return [f"{key}={text}" for text in texts]


def _matching_members(override: Override, extra: Folders) -> Iterator[str]:
    """The members of a group that a `glob()` matches."""
    group, value = override.key_or_group, override.value()
    known = list(catalogue.members(group, extra))
    if not known:
        raise UsageError("mismatch", subject="glob()", requirement="a configuration group", got=group)
    assert isinstance(value, Glob)
    if not (names := value.filter(known)):
        raise UsageError("unknown_name", kind=group, name=value_of(str(override.input_line)), known=known)
    return iter(names)


def product(choices: Sequence[Sequence[tuple[str, ...]]]) -> Iterator[tuple[str, ...]]:
    """Iterate over the Cartesian product of the choices; the last one changes fastest.

    Raises:
        UsageError: it is empty or has more than 10,000 elements.
    """
    check_count(math.prod(map(len, choices)))
    return (tuple(itertools.chain.from_iterable(point)) for point in itertools.product(*choices))


def check_count(count: int) -> None:
    """Check the number of runs of one command.

    Raises:
        UsageError: it is 0 or above 10,000.
    """
    if not 0 < count <= _MAX_RUNS:
        got = "an empty range" if count == 0 else f"{count:,}"
        raise UsageError("invalid_value", key="number of runs", must=f"between 1 and {_MAX_RUNS:,}", got=got)


def zipped(text: str) -> list[str]:
    """Split the text of `--zip` into overrides.

    Raises:
        UsageError: it does not have the form `a=1,2 b=3,4`.
    """
    overrides = _NEXT_WORD.split(text.strip())
    if len(overrides) < 2 or any("=" not in word for word in overrides):
        must = "two or more overrides in one pair of quotes: 'a=1,2 b=3,4'"
        raise UsageError("invalid_value", key="--zip", must=must, got=text)
    for word in overrides:
        check_override(word)
    return [quoted(renamed(word)) for word in overrides]


def check_unique_keys(groups: Sequence[Sequence[str]]) -> None:
    """Check that no key of a `--zip` is given a second time.

    Args:
        groups: the plain overrides, then those of each `--zip`.

    Raises:
        UsageError: a key is given twice.
    """
    seen: set[str] = set()
    for index, overrides in enumerate(groups):
        for key in map(key_of, overrides):
            if index and key in seen:
                raise UsageError("conflict", first="--zip", second=f"{key}=", reason=f"{key} is given twice")
            seen.add(key)


def paired(overrides: Sequence[str], extra: Folders) -> list[tuple[str, ...]]:
    """Pair the values of several sweeps: all first values, all second values, and so on.

    Raises:
        UsageError: the keys have different numbers of values.
    """
    columns = [values(word, extra) for word in overrides]
    for word, column in zip(overrides, columns, strict=True):
        if len(column) != len(columns[0]):
            got = f"{len(columns[0])} for {key_of(overrides[0])} and {len(column)} for {key_of(word)}"
            raise UsageError("invalid_value", key="--zip", must="the same number of values for each key", got=got)
    return list(zip(*columns, strict=True))


def over_override(texts: Sequence[str], extra: Folders = ()) -> str:
    """Return the override `over=[...]` for the texts of `--over`.

    Texts are `lr=interval(1e-4,1e-2)`, `model.hidden=range(16,129,16)`, `optimizer=choice(adam,sgd)`,
    `optimizer=adam,sgd` or, for a group, `optimizer=glob(*)`. An interval whose ends differ by a factor of 10 or more
    is sampled on a logarithmic scale; `tag(linear,interval(...))` and `tag(log,interval(...))` select the scale, and
    `int(interval(1,9))` gives integers.

    Raises:
        UsageError: a text has no values to choose from, or two texts have the same key.
    """
    entries = [_over(text, tuple(extra)) for text in texts]
    keys = [text.partition("=")[0] for text in texts]
    if repeated := next((key for key in keys if keys.count(key) > 1), None):
        raise UsageError("conflict", first=f"--over {repeated}", second=f"--over {repeated}", reason="key given twice")
    return f"over=[{','.join(entries)}]"


def _over(text: str, extra: Folders) -> str:
    """One `--over` text as a mapping in Hydra's grammar."""
    check_override(text)
    override = parse(text)
    key, value = text.partition("=")[0], override.value()
    if isinstance(value, IntervalSweep):
        assert value.start is not None
        assert value.end is not None
        low, high = sorted((value.start, value.end))
        log = "log" in value.tags or (low > 0 and high / low >= _LOG_RATIO and "linear" not in value.tags)
        is_integer = isinstance(low, int)
        return f"{{key:{key},low:{low!r},high:{high!r},log:{str(log).lower()},whole:{str(is_integer).lower()}}}"
    if not override.is_sweep_override():
        must = "two or more values: interval(LOW,HIGH), range(A,B,STEP) or choice(A,B)"
        raise UsageError("invalid_value", key=f"--over {key}", must=must, got=value_of(text))
    choices = [value_of(word) for word in values(text, extra)]
    if isinstance(value, RangeSweep) and len(choices) > 1:
        is_integer = isinstance(value.start, int) and isinstance(value.step, int)
        low, high = sorted((float(choices[0]), float(choices[-1])))
        ends = f"low:{low!r},high:{high!r},step:{float(abs(value.step))!r}"
        return f"{{key:{key},{ends},whole:{str(is_integer).lower()}}}"
    return f"{{key:{key},choices:[{','.join(map(_in_quotes, choices))}]}}"


def _in_quotes(value: str) -> str:
    return "'" + value.replace("'", "\\'") + "'"


def seed_override(text: str) -> str:
    """Return the override for the text of `--seeds`: `6` and `0:6` give `seed=0,1,2,3,4,5`, `3,5` gives `seed=3,5`.

    Raises:
        UsageError: it has another form, or is empty or repeats a seed.
    """
    match = re.fullmatch(r"(\d{1,18})(?::(\d{1,18}))?|(\d{1,18}(?:,\d{1,18})+)", text.strip(), re.ASCII)
    must = "a number of seeds (6), a range (0:6) or a list of different seeds (3,5)"
    if match is None:
        raise UsageError("invalid_value", key="--seeds", must=must, got=text)
    if match[3]:
        numbers = [int(seed) for seed in match[3].split(",")]
    else:
        numbers = list(range(*map(int, (match[1], match[2]) if match[2] else ("0", match[1])))[: _MAX_RUNS + 1])
    if not numbers or len(set(numbers)) < len(numbers):
        raise UsageError("invalid_value", key="--seeds", must=must, got=text)
    return f"seed={','.join(map(str, numbers))}"
