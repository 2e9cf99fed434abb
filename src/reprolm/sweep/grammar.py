"""What to sweep, as it is typed: `train.learning_rate=1e-3,3e-4`, `seed=range(3)`; several keys are a grid.

key=1,2            values, as params.yaml writes them
key=range(3)       0, 1, 2; range(2,10,4): 2, 6 (as in Python: the end is left out)
key=linspace(0,0.2,3)        0.0, 0.1, 0.2 (as in NumPy: both ends are in; whole numbers stay whole)
key=geomspace(1e-4,1e-2,3)   0.0001, 0.001, 0.01: equal ratios, both ends in
key=[a,b],[c]      lists; commas inside brackets and quotes divide nothing
"""

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ruamel.yaml

from reprolm.errors import Exit, ReprolmError, refuse

CALL = re.compile(r"(range|linspace|geomspace)\s*\((.*)\)", re.DOTALL)
OPENING, CLOSING, QUOTES = "([{", ")]}", "'\""
MOST_VALUES = 1000
MOST_DIGITS = 12
FEWEST_DIGITS = 3
SCALARS = (bool, int, float, str, type(None))


@dataclass(frozen=True)
class Axis:
    """A parameter and the values that it takes."""

    key: str
    values: tuple[Any, ...]


def _wrong(what: str, got: object, want: str) -> ReprolmError:
    return refuse("sweep", what, got=got, want=want, exit=Exit.PARAMETERS)


def axes(words: Sequence[str]) -> list[Axis]:
    """The axes of a grid.

    Raises:
        ReprolmError: a word cannot be read, or names a parameter twice (exit 2).
    """
    found = [axis(word) for word in words]
    for one, other in itertools.combinations(found, 2):
        if one.key == other.key:
            raise _wrong("a parameter is named twice", one.key, "all its values in one word")
    return found


def axis(word: str) -> Axis:
    """The axis of one word.

    >>> axis("seed=range(3)")
    Axis(key='seed', values=(0, 1, 2))
    >>> axis("sample.prompts=['a, b'],[]").values
    (['a, b'], [])

    Raises:
        ReprolmError: it cannot be read (exit 2).
    """
    key, equals, text = word.partition("=")
    if not equals or not re.fullmatch(r"\s*\w+(\.\w+)*\s*", key):
        raise _wrong("is not a parameter with values", word, "one like seed=1,2 or seed=range(3)")
    values = [value for item in _items(text, word) for value in _values(item, word)]
    distinct: dict[Any, Any] = {}
    for value in values:
        # 1 and 1.0 are one number, and no truth value
        same = value if type(value) in (int, float) else (type(value), repr(value))
        distinct.setdefault(same, value)
    return Axis(key.strip(), tuple(distinct.values()))


def _items(text: str, word: str) -> Iterator[str]:
    """The parts between commas that stand in no bracket and no quote."""
    depth, quote, start, before = 0, "", 0, ","
    for at, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in QUOTES and before in ",[{(:":
            quote = char
        elif char in OPENING:
            depth += 1
        elif char in CLOSING:
            depth -= 1
        elif char == "," and depth == 0:
            yield text[start:at].strip()
            start = at + 1
        before = before if char.isspace() else char
    if depth or quote:
        raise _wrong("a bracket or a quote is left open", word, "each closed")
    yield text[start:].strip()


def _values(item: str, word: str) -> list[Any]:
    if call := CALL.fullmatch(item):
        return _called(call[1], call[2], word)
    if not item:
        raise _wrong("a value is empty", word, 'values between commas, "" for an empty text')
    try:
        value = ruamel.yaml.YAML(typ="safe", pure=True).load(item)
    except (ruamel.yaml.error.YAMLError, ValueError) as error:
        raise _wrong("a value cannot be read", item, "a value as params.yaml writes it") from error
    if not all(isinstance(part, SCALARS) for part in (value if isinstance(value, list) else [value])):
        raise _wrong("a value cannot be read", item, "a number, a word, a quoted text or a list of such")
    return [value]


def _called(name: str, inside: str, word: str) -> list[Any]:
    """The values of `range`, `linspace` or `geomspace`."""
    try:
        numbers = [_number(part) for part in inside.split(",")]
    except ValueError as error:
        raise _wrong(f"{name} takes numbers", word, f"{name}(…) with numbers alone") from error
    if name == "range":
        return _range(numbers, word)
    if len(numbers) != 3 or type(numbers[2]) is not int or not 2 <= numbers[2] <= MOST_VALUES:
        raise _wrong(f"{name} takes three numbers", word, f"{name}(first, last, how many)")
    first, last, count = numbers[0], numbers[1], int(numbers[2])
    if name == "geomspace" and not (first > 0 and last > 0):
        raise _wrong("geomspace takes ends above zero", word, "linspace, where an end is zero or below")
    try:
        return (_geometric if name == "geomspace" else _linear)(first, last, count)
    except OverflowError as error:
        raise _wrong("a number is too large", word, "at most 1e308") from error


def _linear(first: float, last: float, count: int) -> list[Any]:
    """Equal steps; whole numbers where ends and steps are."""
    if type(first) is int and type(last) is int and (last - first) % (count - 1) == 0:
        return [first + index * ((last - first) // (count - 1)) for index in range(count)]
    shares = [index / (count - 1) for index in range(1, count - 1)]
    between = [_rounded((1 - s) * first + s * last, MOST_DIGITS) for s in shares]
    return [float(first), *between, float(last)]


def _geometric(first: float, last: float, count: int) -> list[Any]:
    """Equal ratios, in as few digits as keep the values apart; whole numbers where the ends are."""
    logs = math.log(first), math.log(last)
    shares = [index / (count - 1) for index in range(1, count - 1)]
    between = [math.exp((1 - s) * logs[0] + s * logs[1]) for s in shares]
    if type(first) is int and type(last) is int:
        return [first, *map(round, between), last]
    for digits in range(FEWEST_DIGITS, MOST_DIGITS + 1):
        found = [float(first), *(_rounded(value, digits) for value in between), float(last)]
        if len(set(found)) == count:
            break
    return found


def _rounded(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")


def _number(text: str) -> float | int:
    try:
        return int(text)
    except ValueError:
        number = float(text)
        if math.isfinite(number):
            return number
        raise


def _range(numbers: list[float | int], word: str) -> list[int]:
    whole = [int(number) for number in numbers if type(number) is int]
    wanted = "whole numbers: range(count), range(from, to) or range(from, to, step); linspace for others"
    if len(whole) != len(numbers) or not 1 <= len(whole) <= 3 or whole[2:] == [0]:
        raise _wrong("range cannot be read", word, wanted)
    # Python counts no longer ranges than its memory could hold
    values = range(*whole)[: MOST_VALUES + 1]
    if not 1 <= len(values) <= MOST_VALUES:
        raise _wrong("range is empty or too long", word, f"1 to {MOST_VALUES} values")
    return list(values)


def combinations(found: Sequence[Axis]) -> list[Mapping[str, Any]]:
    """The grid: every value of each axis with every value of the others."""
    keys = [one.key for one in found]
    count = math.prod(len(one.values) for one in found)
    if count > MOST_VALUES:
        raise _wrong("the grid is too large", f"{count} combinations", f"at most {MOST_VALUES}")
    return [dict(zip(keys, values, strict=True)) for values in itertools.product(*(a.values for a in found))]


def override(key: str, value: Any) -> str:
    """A change as `dvc exp run -S` takes it (Hydra's grammar), quoted so that it stays one value.

    >>> override("data.files.separator", "a, b"), override("train.max_grad_norm", None)
    ("data.files.separator='a, b'", 'train.max_grad_norm=null')
    """
    return f"{key}={_written(value)}"


def _written(value: Any) -> str:
    if isinstance(value, list):
        return f"[{','.join(map(_written, value))}]"
    if isinstance(value, str):
        # backslashes count only before a quote; `${` would be an interpolation
        text = re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + ("\\'" if found[2] else ""), value)
        return f"'{text}'"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)
