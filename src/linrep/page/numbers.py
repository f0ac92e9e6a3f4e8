"""How numbers are written for a reader."""

import math
from collections.abc import Callable
from typing import Any

from linrep.geometry.record import Similarity

ABSENT = "–"


def finite(value: Any) -> float | None:
    """A finite float, or None for null, NaN, infinity and what is no number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def central(measure: Similarity | None) -> float | None:
    """The number to quote of a measure; None where it has none."""
    return None if measure is None else measure.mean


def short(value: Any) -> str:
    """A quantity with a unit: two decimals, below 0.01 two digits, from 100 on none after the point.

    Example:
        >>> short(0.1871), short(0.00071), short(1234.5), short(None)
        ('0.19', '0.00071', '1,234', '–')
    """
    number = finite(value)
    if number is None:
        return ABSENT
    size = abs(number)
    if size == 0 or 0.01 <= size < 100:
        text = f"{number:.2f}"
    else:
        text = f"{number:.2g}" if size < 1 else f"{number:,.0f}"
    return text.replace("-", "−", 1) if number < 0 else text


def cosine(value: Any) -> str:
    """A cosine or a share: two decimals, and as many more as tell it from 1.

    Example:
        >>> cosine(0.9871), cosine(0.9994), cosine(-0.004), cosine(-0.5)
        ('0.99', '0.999', '0.00', '−0.50')
    """
    number = finite(value)
    if number is None:
        return ABSENT
    digits = 2
    while 1 - 10.0**-6 > abs(number) > 1 - 0.5 * 10.0**-digits:
        digits += 1
    text = f"{number:.{digits}f}"
    return f"{0:.{digits}f}" if float(text) == 0 else text.replace("-", "−")


def interval(measure: Similarity | None, write: Callable[[Any], str] = cosine) -> str:
    """``[low, high]`` of a measure's 95 % interval, or nothing when it has none."""
    if measure is None or measure.interval95 is None:
        return ""
    low, high = measure.interval95
    return f"[{write(low)}, {write(high)}]"


def count(value: int) -> str:
    """A whole number with thousands separated."""
    return f"{value:,}"


def capital(text: str) -> str:
    """With a capital letter.

    Example:
        >>> capital("converged: small")
        'Converged: small'
    """
    return text[:1].upper() + text[1:]


def listed(names: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(names) < 2:
        return "".join(names)
    return ", ".join(names[:-1]) + " and " + names[-1]
