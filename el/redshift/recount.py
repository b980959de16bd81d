"""The summary of rows that COPY brought, as SQL over the incoming table.

In: the columns of commits. Out: expressions of an aggregate, and the subselect that they are over. What is summed and
why stands in ``summary.py``; ``summarize.py`` is the same in Arrow. Only functions whose result Redshift's
documentation gives: ``tests/conformance`` has a case for each, by which a cluster can be asked.

``P`` is always a BIGINT: MOD of a BIGINT by an INTEGER is an INTEGER, says the documentation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from el.landing import ADDED, LandedColumn
from el.redshift.connection import quoted
from el.summary import BYTES, FIRST, WEIGHT_BITS, ColumnSum, P, Salt, Summary, identity

_P = f"{P}::bigint"
#: Two underscores: no column is ever called so (config.raw_name).
_KEY, _WEIGHT = "el__key", "el__weight"


def summed(columns: Iterable[LandedColumn]) -> list[LandedColumn]:
    """Columns that have a sum: MySQL's own. What extract adds is the same in all rows of a load."""
    return [column for column in columns if column.name not in ADDED]


def weighted(incoming: str, columns: Sequence[LandedColumn], salt: Salt) -> str:
    """The incoming table with each row's key and weight, for FROM."""
    by_name = {column.name: column for column in columns}
    key = ""
    for name in identity((column.name, column.key) for column in summed(columns)):
        for part in _key_parts(by_name[name]):
            part = f"coalesce(mod({part}, {_P}), 0)"
            key = f"mod({key} * {salt.chain} + {part}, {_P})" if key else part
    # A remainder has the sign of what was divided.
    key = f"mod({key} + {_P}, {_P})"
    weight = f"mod({_KEY} * {salt.weight}, {_P}) / {2 ** (31 - WEIGHT_BITS)}"
    return f"(select *, {weight} as {_WEIGHT} from (select *, {key} as {_KEY} from {incoming}) keyed) weighted"


def keys() -> str:
    """The sum of the keys, for SELECT."""
    return _total(_KEY)


def sums(columns: Sequence[LandedColumn]) -> list[str]:
    """For SELECT, two for each column: how many values are not NULL, and their sum."""
    return [
        one for column in columns for one in (f"count({quoted(column.name)})", _total(f"mod({_number(column)}, {_P})"))
    ]


def summary(salt: Salt, rows: int, keys: object, columns: Sequence[LandedColumn], found: Sequence[object]) -> Summary:
    """What ``keys`` and ``sums`` gave of so many rows."""
    pairs = zip(found[::2], found[1::2], strict=True)
    return Summary(
        salt,
        _whole(keys) % P,
        {
            column.name: ColumnSum(rows - _whole(count), _whole(one) % P)
            for column, (count, one) in zip(columns, pairs, strict=True)
        },
    )


def _whole(value: object) -> int:
    return 0 if value is None else int(str(value))


def _total(number: str) -> str:
    return f"sum(mod({number} * ({_WEIGHT} + 1), {_P}))"


def _number(column: LandedColumn) -> str:
    """n(x) as a BIGINT, of any size."""
    name, kind = quoted(column.name), column.redshift
    if kind in ("smallint", "integer", "bigint"):
        return f"cast({name} as bigint)"
    if kind == "boolean":
        return f"case when {name} then 1::bigint when not {name} then 0::bigint end"
    if kind == "date":
        return f"cast({name} - date '1970-01-01' as bigint)"
    if kind == "timestamp":
        return f"datediff(microsecond, timestamp '1970-01-01', {name})"
    if kind == "timestamptz":
        return f"datediff(microsecond, timestamp '1970-01-01', {name} at time zone 'utc')"
    if kind in ("real", "double precision"):
        return _float(f"cast({name} as double precision)")
    if kind == "varbyte":
        tail = f"substring({name}, greatest(octet_length({name}) - 6, 1), 7)"
        return f"mod(strtol('0' || from_varbyte({tail}, 'hex'), 16), {_P}) * 65536 + octet_length({name})"
    if found := re.fullmatch(r"decimal\((\d+),(\d+)\)", kind):
        return _digits(name, int(found[1]), int(found[2]))
    if kind.startswith("varchar") or kind == "super":
        place = f"cast({_WEIGHT} * len({name}) / {2**WEIGHT_BITS} as integer) + 1"
        anywhere = f"case when octet_length({name}) = len({name}) then {place} else 1 end"
        return f"{_bytes(name)} + {_pair(_character(name, anywhere), _character(name, f'len({name})'))}"
    raise NotImplementedError(f"no summary of {kind}")


def _key_parts(column: LandedColumn) -> list[str]:
    name = quoted(column.name)
    if not (column.redshift.startswith("varchar") or column.redshift == "super"):
        return [_number(column)]
    last, second, third, fourth = (_character(name, f"len({name}) - {back}") for back in range(4))
    first, next_ = (_character(name, str(n)) for n in (1, 2))
    return [f"{_bytes(name)} + {_pair(last, second)}", _pair(third, fourth), _pair(first, next_)]


def _character(name: str, position: str) -> str:
    """The character at a position, counted from 1; 0 outside of the text."""
    return f"ascii(substring({name}, {position}, 1))"


def _bytes(name: str) -> str:
    return f"octet_length({name})::bigint * {BYTES}"


def _pair(first: str, second: str) -> str:
    return f"{first}::bigint * {FIRST} + {second}"


def _float(number: str) -> str:
    return (
        f"case when abs({number}) < {2**32} then cast(trunc({number} * {2**30}) as bigint) "
        f"when abs({number}) < {2**62} then cast(trunc({number}) as bigint) "
        f"when {number} > 0 then 1::bigint when {number} < 0 then -1::bigint end"
    )


def _digits(name: str, precision: int, scale: int) -> str:
    if precision <= 18:
        return f"cast({name} * {10**scale} as bigint)" if scale else f"cast({name} as bigint)"
    # As text: a product of so many digits would be beyond what DECIMAL holds.
    text = f"lpad(replace(cast(abs({name}) as varchar(48)), '.', ''), 40, '0')"
    parts = [
        f"mod(cast(substring({text}, {start}, {many}) as bigint), {_P})" for start, many in ((1, 4), (5, 18), (23, 18))
    ]
    number = f"{parts[0]} * {10**36 % P} + {parts[1]} * {10**18 % P} + {parts[2]}"
    return f"case when {name} < 0 then -1 else 1 end * mod({number}, {_P})"
