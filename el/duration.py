"""Lengths of time as people write them: ``90 s``, ``45 minutes``, ``26 hours``, ``2 days``."""

from __future__ import annotations

import re

#: What a source file and an option may hold.
PATTERN = r"^\s*0*[1-9]\d{0,6}\s*(s|seconds?|m|min|minutes?|h|hours?|d|days?)\s*$"
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str) -> int:
    """The seconds that a text says.

    Raises:
        ValueError: it is no such text; what it has to be.
    """
    if not re.match(PATTERN, text):
        raise ValueError("a number and a unit, such as 90 minutes or 2 hours")
    number, unit = re.findall(r"\d+|[a-z]", text)[:2]
    return int(number) * _SECONDS[unit]


def words(seconds: float) -> str:
    """``90 s``, ``45 min``, ``26 h``, ``12 days``: the largest unit that has two of it at least."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
