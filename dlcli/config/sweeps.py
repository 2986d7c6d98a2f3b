"""Values that stand for several runs: commas, `range()`, `choice()`, `glob()`, `--zip`, `--seeds` and `--over`."""

import itertools
import math
import re
from collections.abc import Iterator, Sequence

from hydra.core.override_parser.types import Glob, IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException

from dlcli.config import catalogue
from dlcli.config.overrides import Folders, check_word, key_of, parse, quoted, renamed, value_of
from dlcli.core.errors import UsageError

_MOST = 10_000  # runs of one command
_LOG_FROM = 10  # ratio of the ends of an interval from which it is sampled on a logarithmic scale
_NEXT_WORD = re.compile(r"\s+(?=[+~]*[A-Za-z_][\w.@/\[\]-]*=)")


def values(word: str, extra: Folders) -> list[str]:
    """The word once for each of its values.

    Raises:
        UsageError: it names no values.
    """
    override = parse(word)
    if not override.is_sweep_override():
        return [word]
    key = word.partition("=")[0]
    if override.is_interval_sweep():
        must = "values: a,b, range(A,B) or choice(A,B)"
        raise UsageError("invalid_value", key=key, must=must, got=value_of(word))
    try:
        found = _globbed(override, extra) if isinstance(override.value(), Glob) else override.sweep_string_iterator()
        listed = list(itertools.islice(found, _MOST + 1))
    except UsageError:
        raise
    except (HydraException, ValueError, TypeError) as error:
        hint = str(error).strip().splitlines()[:1]
        raise UsageError("invalid_value", key=key, must="values", got=value_of(word), hint="".join(hint)) from None
    return [f"{key}={value}" for value in listed]


def _globbed(override: Override, extra: Folders) -> Iterator[str]:
    """The members of a group that a `glob()` matches."""
    group, value = override.key_or_group, override.value()
    known = list(catalogue.members(group, extra))
    if not known:
        raise UsageError("mismatch", subject="glob()", requirement="a configuration group", got=group)
    assert isinstance(value, Glob)
    if not (found := value.filter(known)):
        raise UsageError("unknown_name", kind=group, name=value_of(str(override.input_line)), known=known)
    return iter(found)


def product(choices: Sequence[Sequence[tuple[str, ...]]]) -> Iterator[tuple[str, ...]]:
    """Every combination of the choices; the last one changes fastest."""
    check_count(math.prod(map(len, choices)))
    return (tuple(itertools.chain.from_iterable(point)) for point in itertools.product(*choices))


def check_count(count: int) -> None:
    """Check the number of runs of one command.

    Raises:
        UsageError: it is 0 or above 10,000.
    """
    if not 0 < count <= _MOST:
        got = "an empty range" if count == 0 else f"{count:,}"
        raise UsageError("invalid_value", key="number of runs", must=f"between 1 and {_MOST:,}", got=got)


def zipped(text: str) -> list[str]:
    """The words of `--zip`.

    Raises:
        UsageError: they are not `a=1,2 b=3,4`.
    """
    words = _NEXT_WORD.split(text.strip())
    if len(words) < 2 or any("=" not in word for word in words):
        must = "two or more settings in one pair of quotes: 'a=1,2 b=3,4'"
        raise UsageError("invalid_value", key="--zip", must=must, got=text)
    for word in words:
        check_word(word)
    return [quoted(renamed(word)) for word in words]


def check_once(places: Sequence[Sequence[str]]) -> None:
    """Check that keys of `--zip` are given once.

    Raises:
        UsageError: one is given twice.
    """
    seen: set[str] = set()
    for number, words in enumerate(places):
        for key in map(key_of, words):
            if number and key in seen:
                raise UsageError("conflict", first="--zip", second=f"{key}=", reason=f"{key} is given twice")
            seen.add(key)


def in_pairs(words: Sequence[str], extra: Folders) -> list[tuple[str, ...]]:
    """First values together, second values together, and so on.

    Raises:
        UsageError: the keys have different numbers of values.
    """
    columns = [values(word, extra) for word in words]
    for word, column in zip(words, columns, strict=True):
        if len(column) != len(columns[0]):
            got = f"{len(columns[0])} for {key_of(words[0])} and {len(column)} for {key_of(word)}"
            raise UsageError("invalid_value", key="--zip", must="the same number of values for each key", got=got)
    return list(zip(*columns, strict=True))


def over(texts: Sequence[str], extra: Folders = ()) -> str:
    """The word `over=[...]` of `--over` texts: `lr=interval(1e-4,1e-2)`, `model.hidden=range(16,129,16)`,
    `optimizer=choice(adam,sgd)`, `sgd,adam` or, for a group, `glob(*)`.

    An interval whose ends differ by a factor of 10 or more is searched on a logarithmic scale, unless it says
    `tag(linear,interval(...))`; `tag(log,interval(...))` asks for that scale, and `int(interval(1,9))` for integers.

    Raises:
        UsageError: a text names no values to choose from, or a key twice.
    """
    entries = [_over(text, tuple(extra)) for text in texts]
    keys = [text.partition("=")[0] for text in texts]
    if repeated := next((one for one in keys if keys.count(one) > 1), None):
        raise UsageError("conflict", first=f"--over {repeated}", second=f"--over {repeated}", reason="key given twice")
    return f"over=[{','.join(entries)}]"


def _over(text: str, extra: Folders) -> str:
    check_word(text)
    override = parse(text)
    key, value = text.partition("=")[0], override.value()
    if isinstance(value, IntervalSweep):
        assert value.start is not None
        assert value.end is not None
        low, high = sorted((value.start, value.end))
        log = "log" in value.tags or (low > 0 and high / low >= _LOG_FROM and "linear" not in value.tags)
        whole = isinstance(low, int)
        return f"{{key:{key},low:{low!r},high:{high!r},log:{str(log).lower()},whole:{str(whole).lower()}}}"
    if not override.is_sweep_override():
        must = "several values: interval(LOW,HIGH), range(A,B,STEP) or choice(A,B)"
        raise UsageError("invalid_value", key=f"--over {key}", must=must, got=value_of(text))
    written = [value_of(word) for word in values(text, extra)]
    if isinstance(value, RangeSweep) and len(written) > 1:
        whole = isinstance(value.start, int) and isinstance(value.step, int)
        low, high = sorted((float(written[0]), float(written[-1])))
        ends = f"low:{low!r},high:{high!r},step:{float(abs(value.step))!r}"
        return f"{{key:{key},{ends},whole:{str(whole).lower()}}}"
    return f"{{key:{key},choices:[{','.join(map(_in_quotes, written))}]}}"


def _in_quotes(value: str) -> str:
    return "'" + value.replace("'", "\\'") + "'"


def seeds(text: str) -> str:
    """`6` and `0:6` as the word `seed=0,1,2,3,4,5`, `3,5` as `seed=3,5`.

    Raises:
        UsageError: it is none of these.
    """
    found = re.fullmatch(r"(\d{1,18})(?::(\d{1,18}))?|(\d{1,18}(?:,\d{1,18})+)", text.strip(), re.ASCII)
    must = "a number of seeds (6), a range (0:6) or a list of different seeds (3,5)"
    if found is None:
        raise UsageError("invalid_value", key="--seeds", must=must, got=text)
    if found[3]:
        listed = [int(seed) for seed in found[3].split(",")]
    else:
        listed = list(range(*map(int, (found[1], found[2]) if found[2] else ("0", found[1])))[: _MOST + 1])
    if not listed or len(set(listed)) < len(listed):
        raise UsageError("invalid_value", key="--seeds", must=must, got=text)
    return f"seed={','.join(map(str, listed))}"
