"""Primary keys as Redshift compares them, made to compare as MySQL does.

In: the columns of a key. Out: SQL. Redshift ignores trailing blanks when it compares VARCHAR, and 'a' and 'a ' are two
keys in MySQL 8: so a text is compared by its length in bytes too. Every join and partition by a key is made here.
"""

from __future__ import annotations

from collections.abc import Iterable

from el.landing import LandedColumn
from el.redshift.connection import quoted


def is_text(column: LandedColumn) -> bool:
    """Whether trailing blanks would not count."""
    return column.redshift.startswith("varchar")


def same(one: str, other: str, key: Iterable[LandedColumn]) -> str:
    """A condition: the rows of two tables (or aliases, quoted) have the same key."""
    return " and ".join(
        f"{left} = {right}"
        for column in key
        for left, right in zip(_parts(f"{one}.", column), _parts(f"{other}.", column), strict=True)
    )


def partition(key: Iterable[LandedColumn]) -> str:
    """What stands behind PARTITION BY: a partition for each key."""
    return ", ".join(part for column in key for part in _parts("", column))


def _parts(of: str, column: LandedColumn) -> list[str]:
    name = of + quoted(column.name)
    return [name, f"octet_length({name})"] if is_text(column) else [name]
