"""Amounts as people read them: three digits, a unit that fits."""

import math

UNKNOWN = "not known"
PREFIXES = ("", "k", "M", "G", "T", "P", "E", "Z")


def scaled(value: float) -> tuple[str, str]:
    """Three digits and the prefix of a thousand's power.

    >>> scaled(1536), scaled(999.9), scaled(12)
    (('1.54', 'k'), ('1.00', 'k'), ('12.0', ''))
    """
    power = 0
    while power < len(PREFIXES) - 1 and float(f"{value / 1000**power:.3g}") >= 1000:
        power += 1
    number = value / 1000**power
    digits = max(0, 2 - math.floor(math.log10(float(f"{number:.3g}")))) if number else 0
    return f"{number:.{digits}f}", PREFIXES[power]


def amount(size: float | None) -> str:
    """Bytes.

    >>> amount(1536), amount(4_300_000_000), amount(None)
    ('1.54 kB', '4.30 GB', 'not known')
    """
    if size is None:
        return UNKNOWN
    number, prefix = scaled(size)
    return f"{size} B" if not prefix else f"{number} {prefix}B"


def duration(seconds: float | None) -> str:
    """A time.

    >>> duration(0.0123), duration(7.31), duration(95), duration(7300), duration(400_000)
    ('12 ms', '7.3 s', '1 min 35 s', '2 h 02 min', '4 d 15 h')
    """
    if seconds is None:
        return UNKNOWN
    if seconds < 60:
        return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
    if seconds < 3600:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest:02} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02} min" if hours < 48 else f"{hours // 24} d {hours % 24:02} h"
