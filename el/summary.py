"""What a commit says of its rows without saying a value: per column NULLs and one sum, and a sum of its keys.

Extract makes it of what it read (``summarize.py``, in Arrow), load makes it again of what COPY brought
(``redshift/recount.py``, in SQL) and refuses to commit if the two differ. So a difference between what was read and
what lies in Redshift is found, wherever on the way it arose; that the objects are those that were sent, the SHA-256
says already.

Both sides reduce a value to a number n(x), modulo the prime ``P``, by rules that Arrow and Redshift can do cheaply:

    integers, booleans    the number
    DECIMAL               its digits without the point
    DATE, TIMESTAMP       days, microseconds since 1970
    REAL, DOUBLE          thirty binary places below 2^32, whole numbers below 2^62, beyond that the sign
    text, JSON            bytes, the last character, and one at a place that differs from row to row: the first, if
                          the text is not all ASCII
    binary                bytes, and the last seven of them as a number

The key of a row is its primary key's numbers, chained; text has six of its characters in it, and a table without a
primary key is known by its first columns. Of the key a weight from 1 to 65,536 is made, and a column's sum is that of
n(x) times the weight of the row: so values that changed their rows are found, and not only values that changed.
NULL counts as nothing in the sum, and has its own count.

Why not a hash of each value: those that both sides have cost more than all the rest of extract. What is not found is in
docs/explanation/fine-print.md. The weights depend on two random numbers, the salt. It stands in the commit, so this
is no secret: whoever has a commit of very few rows can try out which value gives its sums.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

#: The prime; a remainder costs a shift and an addition, and the product of two fits 64 bits.
P = 2**31 - 1
#: A key times a random number has 31 bits; the upper 16 are the weight, less one.
WEIGHT_BITS = 16
#: What a text's bytes and the first of two characters count. So a text is a number below 2^32.
BYTES, FIRST = 32749, 1021
#: Columns that stand for a row in a table without a primary key.
_STAND_IN = 8


@dataclass(frozen=True)
class Salt:
    """``weight`` turns keys into weights, ``chain`` links the columns of a key. Commits of a table keep it.

    One salt for all, so that commits that are applied together are recounted by one statement.
    """

    weight: int
    chain: int

    @classmethod
    def new(cls) -> Salt:
        return cls(*(secrets.randbelow(P - 2**20) + 2**20 for _ in range(2)))


@dataclass(frozen=True)
class ColumnSum:
    """NULLs of one column, and the sum of its numbers modulo ``P``."""

    nulls: int = 0
    sum: int = 0

    def __add__(self, other: ColumnSum) -> ColumnSum:
        return ColumnSum(self.nulls + other.nulls, (self.sum + other.sum) % P)


@dataclass(frozen=True)
class Summary:
    """Of the rows of one commit. ``keys`` is the sum of their keys modulo ``P``."""

    salt: Salt
    keys: int = 0
    columns: dict[str, ColumnSum] = field(default_factory=dict)

    def __add__(self, other: Summary) -> Summary:
        names = self.columns.keys() | other.columns.keys()
        none = ColumnSum()
        added = {name: self.columns.get(name, none) + other.columns.get(name, none) for name in names}
        return Summary(self.salt, (self.keys + other.keys) % P, added)

    @classmethod
    def from_json(cls, content: dict[str, object]) -> Summary:
        """Raises KeyError, TypeError or ValueError if it is none."""
        salt, keys, columns = content["salt"], content["keys"], content["columns"]
        if not isinstance(salt, dict) or not isinstance(keys, int) or not isinstance(columns, dict):
            raise TypeError("no summary")
        return cls(Salt(**salt), keys, {name: ColumnSum(**found) for name, found in columns.items()})

    def differences(self, other: Summary) -> list[str]:
        """Where another summary of the same rows is not this one, in words without a value; empty if nowhere."""
        found = []
        if self.keys != other.keys:
            found.append("the set of keys is another")
        for name, mine in self.columns.items():
            theirs = other.columns.get(name, ColumnSum())
            if mine.nulls != theirs.nulls:
                found.append(f"column {name} has {theirs.nulls:,} NULLs instead of {mine.nulls:,}")
            elif mine.sum != theirs.sum:
                found.append(f"column {name} has other values")
        return found


def identity(columns: Iterable[tuple[str, bool]]) -> Sequence[str]:
    """Names of the columns whose values make a row's key. In: names in order, and whether they are primary key."""
    columns = list(columns)
    return [name for name, key in columns if key] or [name for name, _ in columns][:_STAND_IN]
