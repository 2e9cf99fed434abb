"""Numbers and tables as the page shows them."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reprolm.diagnose.events import Event, meaning

LONGEST_VALUE = 400
SCALES = ((1e12, "T"), (1e9, "B"), (1e6, "M"))
BYTE_SCALES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
MORE_WORDS = {"final_train_loss": "train loss, mean of the last 5 %"}
"""Where the words of the key are not enough."""


@dataclass(frozen=True)
class Table:
    """A heading for each column and the rows of cells; the first column holds names."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def scaled(value: float, scales: Sequence[tuple[float, str]]) -> str:
    """`value` with three significant digits, in the largest unit that it fills, else in the last one."""
    scale, unit = next((entry for entry in scales if float(f"{value / entry[0]:.3g}") >= 1), scales[-1])
    share = float(f"{value / scale:.3g}")
    decimals = 2 if share < 10 else 1 if share < 100 else 0
    return f"{share:.{decimals}f} {unit}"


def compact(value: float) -> str:
    """A count in millions, billions or trillions; below 0.1 million in full.

    >>> compact(830_000), compact(13_204_881), compact(999_999_999), compact(4096)
    ('0.83 M', '13.2 M', '1.00 B', '4,096')
    """
    return scaled(value, SCALES) if value >= 1e5 else f"{value:,.0f}"


def compact_bytes(value: float) -> str:
    """An amount of bytes in decimal units.

    >>> compact_bytes(13_204_881), compact_bytes(512)
    ('13.2 MB', '512 bytes')
    """
    return scaled(value, BYTE_SCALES) if value >= 1e3 else f"{value:,.0f} bytes"


def number(value: Any) -> str:
    """A value of a metrics file: counts with thousands separators, others with four significant digits.

    >>> number(1234567), number(0.000123456), number(1234.56), number(None), number(float("nan"))
    ('1,234,567', '0.0001235', '1,235', '–', 'not finite')
    """
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        if not math.isfinite(value):
            return "not finite"
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:#.4g}"
    return value if isinstance(value, str) else written(value)


def written(value: Any) -> str:
    """A parameter as `params.yaml` writes it: plain words bare, everything else as JSON.

    >>> written("rope"), written(""), written(3e-4), written(None), written(["a\\n"])
    ('rope', '""', '0.0003', 'null', '["a\\\\n"]')
    """
    if isinstance(value, str) and value and value == value.strip() and value.isprintable():
        text = value
    else:
        text = json.dumps(value, ensure_ascii=False, default=str)
    if len(text) <= LONGEST_VALUE:
        return text
    return f"{text[:LONGEST_VALUE]}… ({len(text):,} characters)"


def words(key: str) -> str:
    """A key as words.

    >>> words("bits_per_byte")
    'bits per byte'
    """
    return MORE_WORDS.get(key, key.replace("_", " "))


def _leaves(prefix: str, value: Any) -> Iterable[tuple[str, Any]]:
    if not isinstance(value, Mapping) or not value:
        yield prefix, value
        return
    for key, part in value.items():
        yield from _leaves(f"{prefix}.{key}" if prefix else str(key), part)


def of_metrics(metrics: Mapping[str, Any], skip: Iterable[str] = ()) -> list[Table]:
    """All of a stage's numbers: one table of single values, then one for each group of them."""
    entries = {key: value for key, value in metrics.items() if key not in set(skip)}
    groups = {key: value for key, value in entries.items() if isinstance(value, Mapping) and value}
    single = tuple((words(key), number(value)) for key, value in entries.items() if key not in groups)
    tables = [Table("", ("", ""), single)] if single else []
    return tables + [_group(key, group) for key, group in groups.items()]


def _group(key: str, group: Mapping[str, Any]) -> Table:
    """A mapping of mappings as a matrix, any other as names and values."""
    if not all(isinstance(entry, Mapping) and entry for entry in group.values()):
        rows = tuple((words(name), number(value)) for name, value in _leaves("", group))
        return Table(words(key), (words(key), ""), rows)
    columns = tuple(dict.fromkeys(column for entry in group.values() for column in entry))
    return Table(
        words(key),
        (words(key), *map(words, columns)),
        tuple((words(name), *(number(entry.get(c)) for c in columns)) for name, entry in group.items()),
    )


def of_events(events: Sequence[Event]) -> Table | None:
    """When what happened, and how bad it was; None where nothing did."""
    rows = []
    for event in events:
        span = f"{event.step:,}" + (f" to {event.last_step:,}" if event.last_step > event.step else "")
        back = f"; the average was back at step {event.recovered_step:,}" if event.recovered_step else ""
        numbers = (event.magnitude, event.loss, event.learning_rate)
        rows.append((event.type, span, meaning(event.type) + back, *map(number, numbers)))
    columns = ("event", "steps", "meaning", "magnitude", "loss", "learning rate")
    return Table("events", columns, tuple(rows)) if rows else None


def of_parameters(params: Mapping[str, Any]) -> list[Table]:
    """All parameters by section, in their own order; those outside a section come first."""
    sections: dict[str, list[tuple[str, str]]] = {"": []}
    for key, value in _leaves("", params):
        section, _, name = key.partition(".") if "." in key else ("", "", key)
        sections.setdefault(section, []).append((name, written(value)))
    return [Table(section, ("", ""), tuple(rows)) for section, rows in sections.items() if rows]
