"""DECIMAL's precision and scale, as Redshift computes them.

From "Computations with numeric values" of the Database Developer Guide. Where its formulas pass 38 digits, a product
keeps its scale and a quotient keeps at least four digits behind the point.
"""

from __future__ import annotations

from dataclasses import dataclass

MAXIMUM = 38
_MAXIMUM_SCALE = 37
_SMALL = 19  # digits that fit into 64 bits


@dataclass(frozen=True)
class Decimal:
    precision: int
    scale: int

    @property
    def sql(self) -> str:
        return f"numeric({self.precision},{self.scale})"


# What an integer is taken for beside a DECIMAL, by PostgreSQL's number of its type.
OF_INTEGERS = {21: Decimal(5, 0), 23: Decimal(10, 0), 20: Decimal(19, 0)}


def _fitted(precision: int, scale: int) -> Decimal:
    return Decimal(min(precision, MAXIMUM), min(scale, _MAXIMUM_SCALE))


def sum_of(a: Decimal, b: Decimal) -> Decimal:
    scale = max(a.scale, b.scale)
    return _fitted(max(a.precision - a.scale, b.precision - b.scale) + 1 + scale, scale)


def product_of(a: Decimal, b: Decimal) -> Decimal:
    return _fitted(a.precision + b.precision + 1, a.scale + b.scale)


def quotient_of(a: Decimal, b: Decimal) -> Decimal:
    scale = max(4, a.scale + b.precision - b.scale + 1)
    precision = a.precision - a.scale + b.scale + scale
    if precision > MAXIMUM:
        return Decimal(MAXIMUM, max(MAXIMUM + scale - precision, 4))
    return Decimal(precision, scale)


def common(types: list[Decimal]) -> Decimal:
    """Of a set operation, CASE, COALESCE. The documented limit of 19 digits cannot be meant for more that are there."""
    first, *others = types
    for other in others:
        if other != first:
            scale = max(first.scale, other.scale)
            limit = _SMALL if max(first.precision, other.precision) <= _SMALL else MAXIMUM
            digits = max(first.precision - first.scale, other.precision - other.scale)
            first = Decimal(min(digits + scale, limit), scale)
    return first


def aggregated(a: Decimal) -> Decimal:
    """SUM and AVG."""
    return Decimal(MAXIMUM, a.scale)


def with_scale(a: Decimal, scale: int) -> Decimal:
    """ROUND and TRUNC."""
    return Decimal(a.precision, max(0, min(scale, a.scale)))


def of_literal(text: str) -> Decimal | None:
    """A number with a point, as it is written. With an exponent: not known."""
    if not text.replace(".", "", 1).isdigit():
        return None
    whole, _, fraction = text.partition(".")
    precision = len(whole.lstrip("0")) + len(fraction)
    return Decimal(max(precision, 1), len(fraction)) if precision <= MAXIMUM else None


def of_modifier(modifier: int) -> Decimal | None:
    """From PostgreSQL's type modifier."""
    return Decimal((modifier - 4) >> 16 & 0xFFFF, (modifier - 4) & 0x7FF) if modifier >= 4 else None
