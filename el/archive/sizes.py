"""Which tables are large, how old their rows are, and what an archive would take away: the first thing to look at.

In: the sources, and what the user chose. Out: ``TableSize`` per table, and its text.

No row is read. Rows and bytes are InnoDB's estimates; a histogram is what the optimizer expects of each month of an
index (``EXPLAIN``, a dive of some pages), because a count would read a whole index of a table that is looked at for
being large. InnoDB calls no range more than half of a table, so ranges of a month are added up. ``exact`` counts in the
index after all. The index is named by USE INDEX: for one that is forced, MySQL 8 saves itself the dive.

The age column is the policy's. A table without one shows the first date in its indexes, to choose a policy by.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from el import config, settings
from el.archive.table import indexes
from el.config import Source, Table
from el.duration import Span
from el.mysql.connection import Connection, connected, quoted, rows
from el.text import aligned

#: Months that are looked at one by one; what is older is one number.
_MONTHS = 240
#: Full months whose mean is the growth.
_GROWTH = 3
_BAR = 40
#: The first moment of each type that is one. A zero TIMESTAMP is in MySQL's eyes as late as any literal before 1970.
_FIRST_MOMENT = {"timestamp": datetime(1970, 1, 1, 0, 0, 1)}


@dataclass(frozen=True)
class Month:
    """Rows of one month of the age column; ``begin`` None: all that is older than the months looked at."""

    begin: datetime | None
    rows: int


@dataclass(frozen=True)
class Past:
    """What is past the cutoff of a class. ``policy``: it is the table's own class, and not one that might be chosen.

    The policy's ``where`` is not looked at. ``bytes`` are the rows' part of data and indexes.
    """

    name: str
    keep: str
    cutoff: datetime
    policy: bool
    rows: int
    share: float
    bytes: int


@dataclass(frozen=True)
class TableSize:
    """One table. ``age`` is None where no date is the first column of an index; then there is no histogram."""

    label: str
    rows: int
    data_bytes: int
    index_bytes: int
    free_bytes: int
    age: str | None
    months: tuple[Month, ...]
    growth_rows: int | None
    past: tuple[Past, ...]
    exact: bool
    where: str | None = None

    @property
    def bytes_a_row(self) -> float:
        """Of data and indexes."""
        return (self.data_bytes + self.index_bytes) / self.rows if self.rows else 0.0


def sizes(
    sources: dict[str, Source], selectors: Sequence[str], limit: int, exact: bool = False, as_of: datetime | None = None
) -> list[TableSize]:
    """The largest tables, largest first. A source stands for all tables of its database, those of no file too.

    Raises:
        UsageError: a selector names nothing.
        SourceError: MySQL cannot be reached or refuses.
    """
    chosen = config.select(sources, selectors)
    whole = set(selectors or sources) & sources.keys()
    now = (as_of or datetime.now(UTC)).replace(tzinfo=None, microsecond=0)
    found: list[TableSize] = []
    for name in dict.fromkeys(table.source for table in chosen):
        policies = {table.name: table for table in sources[name].tables}
        wanted = None if name in whole else [table.name for table in chosen if table.source == name]
        found += _database(sources[name], policies, wanted, _Asked(limit, exact, now))
    return sorted(found, key=lambda one: one.data_bytes + one.index_bytes, reverse=True)[:limit]


@dataclass(frozen=True)
class _Asked:
    limit: int
    exact: bool
    now: datetime


def _database(
    source: Source, policies: dict[str, Table], wanted: list[str] | None, asked: _Asked
) -> Iterator[TableSize]:
    exact, now = asked.exact, asked.now
    with connected(source.name, settings.archive_mysql(source.name)) as connection:
        ((any_case,),) = rows(connection, "select @@lower_case_table_names")
        # As the source file spells them: such a server lists names in lower case.
        spelled = {name.lower(): name for name in policies} if any_case else {}
        listed = [
            (spelled.get(str(name), str(name)), int(many or 0), int(data or 0), int(index or 0), int(free or 0))
            for name, many, data, index, free in rows(
                connection,
                "select table_name, table_rows, data_length, index_length, data_free from information_schema.tables "
                "where table_schema = database() and table_type = 'BASE TABLE'",
            )
            if wanted is None or spelled.get(str(name), str(name)) in wanted
        ]
        dates = {spelled.get(name, name): found for name, found in _dates(connection).items()}
        for name, many, data, index, free in sorted(listed, key=lambda one: one[2] + one[3], reverse=True)[
            : asked.limit
        ]:
            policy = policies[name].retention if name in policies else None
            dated = dates.get(name, {})
            age = policy.age if policy else next(iter(dated), None)
            if age not in dated:
                yield TableSize(f"{source.name}.{name}", many, data, index, free, None, (), None, (), False)
                continue
            dives = _Dives(connection, name, dated[age], exact)
            months = tuple(dives.months(now))
            total = max(many, sum(month.rows for month in months), 1)
            classes = {policy.name: policy.keep} if policy else source.classes
            yield TableSize(
                label=f"{source.name}.{name}",
                rows=sum(month.rows for month in months) if exact else many,
                data_bytes=data,
                index_bytes=index,
                free_bytes=free,
                age=age,
                months=months,
                growth_rows=_growth(months, now),
                past=tuple(
                    _past(
                        Past(kind, keep.text, keep.before(now), bool(policy), 0, 0, data + index), dives, months, total
                    )
                    for kind, keep in classes.items()
                ),
                exact=exact,
                where=policy.where if policy else None,
            )


@dataclass(frozen=True)
class _Date:
    """A column that holds dates, an index that begins with it, and the first moment that its type has."""

    column: str
    index: str
    first: datetime


def _dates(connection: Connection) -> dict[str, dict[str, _Date]]:
    """Per table its dates that come first in an index, by name; one that looks like a creation first."""
    dates = rows(
        connection,
        "select table_name, column_name, data_type from information_schema.columns where table_schema = database() "
        "and data_type in ('date', 'datetime', 'timestamp') "
        "order by table_name, column_name not like '%creat%', ordinal_position",
    )
    by_column = {(index.table, index.column): index.name for index in indexes(connection)}
    found: dict[str, dict[str, _Date]] = {}
    for table, column, data_type in ((str(table), str(column), str(kind).lower()) for table, column, kind in dates):
        if index := by_column.get((table, column)):
            first = _FIRST_MOMENT.get(data_type, datetime(1, 1, 1))
            found.setdefault(table, {})[column] = _Date(column, index, first)
    return found


@dataclass(frozen=True)
class _Dives:
    """Rows of an index between two moments."""

    connection: Connection
    table: str
    age: _Date
    exact: bool

    def between(self, begin: datetime | None, end: datetime | None) -> int:
        """Rows at or after ``begin`` and before ``end``; rows without a date are in none."""
        limits = [(">=", begin or self.age.first), ("<", end)]
        column = quoted(self.age.column)
        where = " and ".join(f"{column} {sign} '{moment}'" for sign, moment in limits if moment)
        query = f"from {self._indexed} where {where}"
        if self.exact:
            return int(rows(self.connection, f"select count(*) {query}")[0][0])
        with self.connection.cursor() as cursor:
            cursor.execute(f"explain format=traditional select 1 {query}")
            names = [str(label[0]).lower() for label in cursor.description or ()]
            return sum(int(line[names.index("rows")] or 0) for line in cursor.fetchall())

    @property
    def _indexed(self) -> str:
        return f"{quoted(self.table)} use index ({quoted(self.age.index)})"

    def months(self, now: datetime) -> Iterator[Month]:
        """The months from the oldest row to the newest; nothing if there is no row with a date."""
        column = quoted(self.age.column)
        ((year, month, newest_year, newest_month),) = rows(
            self.connection,
            # The month of a date that is partly zero is 0.
            f"select year(min({column})), greatest(month(min({column})), 1), "
            f"year(max({column})), greatest(month(max({column})), 1) from {self._indexed} "
            f"where {column} >= '{self.age.first}'",
        )
        if newest_year is None:
            return
        oldest, newest = datetime(year, month, 1), datetime(newest_year, newest_month, 1)
        first = max(oldest, Span("", _MONTHS - 1, 0).before(now.replace(day=1, hour=0, minute=0, second=0)))
        if first > oldest:
            yield Month(None, self.between(None, first))
        newest = min(newest, Span("", 12, 0).after(now))  # a date like 9999-12-31 is no reason to ask for 95,000 months
        begin = first
        while begin <= newest:
            end = Span("", 1, 0).after(begin)
            # A date that is partly zero comes before the first day of its month.
            yield Month(begin, self.between(None if begin == oldest else begin, end))
            begin = end


def _growth(months: Sequence[Month], now: datetime) -> int | None:
    """Rows a month: the mean of the last full ones; None if there is none."""
    this = now.replace(day=1, hour=0, minute=0, second=0)
    full = [month.rows for month in months if month.begin and Span("", _GROWTH, 0).before(this) <= month.begin < this]
    return round(sum(full) / len(full)) if full else None


def _past(whole: Past, dives: _Dives, months: Sequence[Month], total: int) -> Past:
    """The share of a table that is past a cutoff; ``whole`` has the bytes of all of it."""
    cutoff = whole.cutoff
    before = sum(m.rows for m in months if m.begin is None or Span("", 1, 0).after(m.begin) <= cutoff)
    partly = [m.begin for m in months if m.begin and m.begin < cutoff < Span("", 1, 0).after(m.begin)]
    before += sum(dives.between(begin, cutoff) for begin in partly)
    share = min(1.0, before / total)
    return replace(whole, rows=before, share=share, bytes=round(whole.bytes * share))


def report(found: Sequence[TableSize], as_json: bool) -> str:
    """A list of the tables, then the ages of each."""
    if as_json:
        return json.dumps({"tables": [_as_json(one) for one in found]}, indent=1)
    if not found:
        return "no table"
    header = ["table", "rows", "data", "index", "free", "past the cutoff"]
    body = [
        [
            one.label,
            f"{'' if one.exact else '~'}{one.rows:,}",
            size_text(one.data_bytes),
            size_text(one.index_bytes),
            size_text(one.free_bytes),
            next((f"{past.share:.0%}" for past in one.past if past.policy), "-"),
        ]
        for one in found
    ]
    lines = aligned(header, body, {1, 2, 3, 4, 5})
    for one in found:
        if one.months:
            lines += ["", f"{one.label} by {one.age}", *_bars(one), *_facts(one)]
    return "\n".join(lines)


def _bars(one: TableSize) -> list[str]:
    """By month for two years, else by year."""
    by_month = len(one.months) <= 24
    bars: dict[str, int] = {}
    for month in one.months:
        key = "earlier" if month.begin is None else f"{month.begin:%Y-%m}" if by_month else f"{month.begin:%Y}"
        bars[key] = bars.get(key, 0) + month.rows
    most = max([*bars.values(), 1])
    return [
        f"  {key:<8}{'█' * round(_BAR * many / most) or ('▏' if many else ''):<{_BAR}} {many:>14,}"
        for key, many in bars.items()
    ]


def _facts(one: TableSize) -> list[str]:
    facts = [
        f"  {past.name}, {past.keep}: {past.rows:,} rows ({past.share:.0%}) are before {past.cutoff:%Y-%m-%d}; "
        f"{size_text(past.bytes)} {'become' if past.policy else 'would become'} reusable"
        f"{', less what its where excepts' if one.where else ''}"
        for past in one.past
    ]
    if one.growth_rows is not None:
        size = size_text(round(one.growth_rows * one.bytes_a_row))
        facts.append(f"  {one.growth_rows:,} rows a month, {size}")
    return facts


def size_text(size: float) -> str:
    """Bytes in the unit that leaves one to three digits before the point."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def _as_json(one: TableSize) -> dict[str, Any]:
    return {
        "table": one.label,
        "rows": one.rows,
        "exact": one.exact,
        "data_bytes": one.data_bytes,
        "index_bytes": one.index_bytes,
        "free_bytes": one.free_bytes,
        "age": one.age,
        "months": [{"month": m.begin and f"{m.begin:%Y-%m}", "rows": m.rows} for m in one.months],
        "rows_a_month": one.growth_rows,
        "past": [
            {
                "class": past.name,
                "keep": past.keep,
                "cutoff": past.cutoff.isoformat(),
                "policy": past.policy,
                "rows": past.rows,
                "share": round(past.share, 4),
                "bytes": past.bytes,
            }
            for past in one.past
        ],
    }
