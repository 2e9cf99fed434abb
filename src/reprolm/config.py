"""Parameters: the base of every section's type, reading `params.yaml`, errors that say what to type instead.

Values live in `params.yaml`, types beside the code that they configure. A section's field has no default: the
file is the full account of a run. Kinds are flat words (`model.position: rope`) with options beside them
(`model.rope.theta: 10000`), so that one word sweeps; options of a kind that is not chosen are ignored.
"""

import difflib
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

import ruamel.yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from reprolm.errors import Exit, Problem, ReprolmError, refuse

LARGEST_FILE_BYTES = 64 * 1024
Rule = Callable[[Any], Problem | None]


C = TypeVar("C", bound="Config")


def rule(function: Rule) -> Rule:
    """Marks a method that looks at several fields and returns the `Problem` of an impossible combination."""
    function.is_rule = True  # type: ignore[attr-defined]
    return function


class Config(BaseModel):
    """A section of `params.yaml`, or a part of one: immutable, its types strict, unknown keys refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, protected_namespaces=()
    )
    _rules: ClassVar[list[Rule]] = []

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        members = {name: member for kind in reversed(cls.__mro__) for name, member in vars(kind).items()}
        cls._rules = [member for member in members.values() if getattr(member, "is_rule", False)]

    @model_validator(mode="after")
    def _combinations(self) -> Self:
        problems = list(broken_rules(type(self), self))
        if problems:
            raise PydanticCustomError("combination", "impossible combination", {"problems": problems})
        return self

    def acts(self, selector: str, word: str) -> bool:
        """Whether what stands under `word`, a word of the field `selector`, has an effect."""
        return bool(getattr(self, selector) == word)


def broken_rules(config: type[Config], values: Any) -> Iterator[Problem]:
    """What the rules of `config` find in `values`; a rule that needs a field not there is passed over."""
    for each in config._rules:
        try:
            problem = each(values)
        except (AttributeError, TypeError, ZeroDivisionError):
            continue
        if problem:
            yield problem


def words(annotation: Any) -> tuple[str, ...]:
    """The words of a `Literal` annotation, none for any other."""
    if typing.get_origin(annotation) is not typing.Literal:
        return ()
    return tuple(word for word in typing.get_args(annotation) if isinstance(word, str))


def _part(config: Any, key: str) -> Any:
    """The type of the field `key` of a config type, if it is a config itself, else None."""
    field = config.model_fields.get(key) if config is not None else None
    kind = field.annotation if field else None
    return kind if isinstance(kind, type) and issubclass(kind, Config) else None


def _key(prefix: str, location: tuple[int | str, ...]) -> str:
    return ".".join([prefix, *map(str, location)])


def _unknown(prefix: str, config: type[Config], error: ErrorDetails) -> Problem:
    """An unknown key, with the nearest known one."""
    parent: Any = config
    for part in error["loc"][:-1]:
        parent = _part(parent, str(part))
    known = list(parent.model_fields) if parent is not None else []
    near = difflib.get_close_matches(str(error["loc"][-1]), known, n=1, cutoff=0.5)
    hint = (
        f"did you mean {_key(prefix, (*error['loc'][:-1], near[0]))}?"
        if near
        else f"known: {', '.join(known)}"
    )
    return Problem(_key(prefix, error["loc"]), f"unknown key; {hint}")


WANTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text",
    "model_type": "a group of parameters",
    "dict_type": "a mapping",
    "tuple_type": "a list",
    "list_type": "a list",
}


def _problems(prefix: str, config: type[Config], errors: list[ErrorDetails]) -> Iterator[Problem]:
    for error in errors:
        where = _key(prefix, error["loc"])
        if error["type"] == "extra_forbidden":
            yield _unknown(prefix, config, error)
        elif error["type"] == "missing":
            yield Problem(where, "is missing")
        elif error["type"] == "combination":
            for problem in error["ctx"]["problems"]:
                yield Problem(_key(where, (problem.where,)), problem.what, problem.got, problem.want)
        else:
            want = WANTED.get(error["type"], error["msg"].removeprefix("Input should be "))
            got = "null" if error["input"] is None else error["input"]
            yield Problem(where, "has a wrong value", got, want)


def _partial_problems(
    prefix: str, config: type[Config], values: Mapping[str, Any], bad: set[str]
) -> Iterator[Problem]:
    """What the rules say of the fields that are right when others are wrong, so that all is told at once."""
    good = {key: value for key, value in values.items() if key in config.model_fields and key not in bad}
    for problem in broken_rules(config, config.model_construct(**good)):
        yield Problem(_key(prefix, (problem.where,)), problem.what, problem.got, problem.want)


def inspected(params: Mapping[str, Any], name: str, config: type[C]) -> tuple[C | None, list[Problem]]:
    """The section `name` of a params mapping, or everything that is wrong with it."""
    if name not in params:
        return None, [Problem(name, "is missing")]
    try:
        return config.model_validate(params[name]), []
    except ValidationError as error:
        details = error.errors(include_url=False)
        problems = list(_problems(name, config, details))
        bad = {str(detail["loc"][0]) for detail in details if detail["loc"]}
        if bad and isinstance(params[name], Mapping):
            problems += _partial_problems(name, config, params[name], bad)
        return None, problems


def section(params: Mapping[str, Any], name: str, config: type[C]) -> C:
    """The section `name` of a params mapping.

    Raises:
        ReprolmError: one line for each thing that is wrong (exit 2).
    """
    value, problems = inspected(params, name, config)
    if value is None:
        raise ReprolmError(problems, Exit.PARAMETERS)
    return value


def read_params(path: Path) -> dict[str, Any]:
    """The raw content of `params.yaml`, read as DVC reads it: YAML 1.2, where `3e-4` is a number.

    Raises:
        ReprolmError: the file is missing, too large, not UTF-8, not YAML, or not a mapping (exit 2).
    """

    def bad(what: str, got: object = None, want: str = "") -> ReprolmError:
        return refuse(str(path), what, got=got, want=want, exit=Exit.PARAMETERS)

    try:
        content = path.read_bytes()
    except OSError as error:
        raise bad("cannot be read", error.strerror) from error
    if len(content) > LARGEST_FILE_BYTES:
        raise bad("is too large", f"{len(content)} bytes", f"at most {LARGEST_FILE_BYTES}")
    try:
        params = ruamel.yaml.YAML(typ="safe", pure=True).load(content.decode())
    except UnicodeDecodeError as error:
        raise bad("is not UTF-8", f"byte {content[error.start]:#04x} at offset {error.start}") from error
    except (ruamel.yaml.error.YAMLError, ValueError, RecursionError) as error:
        raise bad("is not YAML", " ".join(str(error).split()[:30])) from error
    if not isinstance(params, dict) or not all(isinstance(key, str) for key in params):
        raise bad("has a wrong form", type(params).__name__, "a mapping of sections")
    return params


def chosen(config: Config, prefix: str = "") -> dict[str, Any]:
    """The parameters that act, flat (`rope.theta`).

    A group or a number that is called like a word of a selector acts where that word is chosen.
    """
    fields = type(config).model_fields
    kinds = {word: key for key, field in fields.items() for word in words(field.annotation)}
    flat: dict[str, Any] = {}
    for key in fields:
        value, selector = getattr(config, key), kinds.get(key)
        if selector is not None and not config.acts(selector, key):
            continue
        flat |= chosen(value, f"{prefix}{key}.") if isinstance(value, Config) else {f"{prefix}{key}": value}
    return flat


def divisors(number: int) -> list[int]:
    """The divisors of a positive number, ascending.

    >>> divisors(12)
    [1, 2, 3, 4, 6, 12]
    """
    return [part for part in range(1, number + 1) if number % part == 0]


def nearest(found: int, valid: list[int]) -> str:
    """The valid values on either side of what was found, in words.

    >>> nearest(5, [1, 2, 3, 4, 6, 12])
    '4 or 6'
    """
    below = [value for value in valid if value < found][-1:]
    above = [value for value in valid if value > found][:1]
    return " or ".join(map(str, below + above))
