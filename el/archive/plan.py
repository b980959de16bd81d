"""What a run would do with a table, or why it must not: asked before a row moves, by ``plan`` and ``run`` alike.

In: a table of the source file with its policy, MySQL, and the landing for the applied horizon. Out: ``Plan``: cutoff,
counts, costs, the SQL; and refusals, each with what to do. A plan with a refusal is not run.

The cutoff comes from one moment, ``as_of``, and never from a clock that goes on while rows are deleted. A row whose age
is NULL, a zero date or a partly zero one (2010-00-00) has no known age: it is never old.

The condition says the same under any ``sql_mode`` and time zone. connectorx prepares a statement before the session is
ours, and people paste it: under MySQL's own mode a literal that is a zero date is an error, and a TIMESTAMP is compared
in the session's zone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pymysql

from el.archive import rows as rows_of
from el.archive.delete import Horizon
from el.archive.table import Shape, read_shape
from el.config import Table, raw_name
from el.errors import ArchiveError
from el.landing import Commit, Landing
from el.mysql.chunks import CHUNK_BYTES, MAX_CHUNK_ROWS
from el.mysql.connection import LOST, Connection, quoted, reason, rows

#: Rows are counted for so many seconds; then MySQL's estimate has to do.
_COUNT_SECONDS = 20
#: What a first plan assumes where no run has measured it.
_ROWS_A_SECOND = 10_000
#: Of the bytes in MySQL, what is left of them as Parquet.
_COMPRESSED = 0.3
#: US dollars per GB and month: S3 Standard's list price in us-east-1.
_GB_MONTH = 0.023


@dataclass(frozen=True, kw_only=True)
class _Policy:
    """What a table's policy asks for at a moment; ``cutoff`` and ``until`` as text, empty where nobody knows them."""

    label: str
    retention: str
    age: str
    where: str | None
    as_of: str
    cutoff: str = ""
    until: str = ""
    condition: str = "false"
    notes: tuple[str, ...] = ()
    shape: Shape | None = None

    @property
    def sql(self) -> str:
        """What selects the rows."""
        return f"select * from {quoted(self.label.partition('.')[2])} where {self.condition}"

    def json(self) -> dict[str, Any]:
        """For ``--json``."""
        shown = {
            "rows": 0,
            "exact": True,
            "bytes": 0,
            "chunks": 0,
            "minutes": 0.0,
            "dollars": 0.0,
            "refusals": (),
            "failure": "",
        } | {one.name: getattr(self, one.name) for one in fields(self) if one.name not in ("label", "shape", "horizon")}
        return {"table": self.label} | shown | {"sql": self.sql}


@dataclass(frozen=True, kw_only=True)
class Decision(_Policy):
    """What is archived. ``rows`` is an estimate unless ``exact``; bytes are MySQL's."""

    shape: Shape
    rows: int
    exact: bool
    bytes: int
    chunks: int
    minutes: float
    dollars: float
    horizon: Horizon | None


@dataclass(frozen=True, kw_only=True)
class Refusal(_Policy):
    """Why nothing of the table is archived until somebody changes something."""

    refusals: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Failure(_Policy):
    """Why nobody knows what would be archived."""

    failure: str


Plan = Decision | Refusal | Failure


def make_plan(
    connection: Connection, table: Table, landing: Landing, as_of: datetime, archived: Iterable[tuple[str, str]]
) -> Plan:
    """``archived``: database and name of every table that has a policy, for foreign keys.

    Raises:
        SourceError, LandingError: MySQL or S3 cannot be asked.
    """
    policy = table.retention
    asked = _asked(table, as_of)
    if policy is None:
        why = "no archive policy: give it archive: {class: …, age: …} in the source file"
        return Refusal(**asked, refusals=(why,))
    try:
        shape = read_shape(connection, table.name, policy.json == "text")
    except ArchiveError as error:
        return Refusal(**asked, refusals=(str(error),))
    age = shape.column(policy.age)
    cutoff = _cutoff(policy.cutoff(as_of), age.data_type if age else "", table.cursor_zone)
    refusals = [*_of_table(shape), *_of_age(shape, policy.age), *_of_children(shape, archived), *_of_server(connection)]
    horizon, wrong, notes = _horizon(table, landing, shape)
    refusals += wrong
    condition = _condition(policy.age, age.data_type if age else "", cutoff)
    if policy.where:
        if not refusals and (why := not_understood(connection, shape.name, policy.where)):
            refusals.append(f"where: {why}")
        condition += f" and ({policy.where})"
    known = asked | {
        "cutoff": cutoff,
        "until": policy.end(as_of).isoformat(timespec="seconds"),
        "condition": condition,
        "shape": shape,
    }
    if refusals:
        return Refusal(**known, refusals=tuple(refusals), notes=tuple(notes))
    many, exact = _count(connection, shape, condition)
    if many and shape.json_columns:
        notes += _of_json(connection, shape, condition)
    size = round(many / max(shape.estimated_rows, many, 1) * (shape.data_bytes + shape.index_bytes))
    data = round(many / max(shape.estimated_rows, many, 1) * shape.data_bytes)
    months = policy.archive.months + policy.archive.days / 30
    a_chunk = max(1, min(MAX_CHUNK_ROWS, CHUNK_BYTES // max(shape.average_row, 1)))
    return Decision(
        **known,
        rows=many,
        exact=exact,
        bytes=size,
        chunks=-(-many // a_chunk),
        minutes=many / _ROWS_A_SECOND / 60,
        dollars=data * _COMPRESSED / 1e9 * _GB_MONTH * months,
        notes=tuple(notes),
        horizon=horizon,
    )


def failed(table: Table, as_of: datetime, why: str) -> Failure:
    """In place of a plan that could not be made."""
    return Failure(**_asked(table, as_of), failure=why)


def _asked(table: Table, as_of: datetime) -> dict[str, Any]:
    policy = table.retention
    return {
        "label": table.label,
        "retention": policy.name if policy else "",
        "age": policy.age if policy else "",
        "where": policy.where if policy else None,
        "as_of": as_of.isoformat(timespec="seconds"),
    }


def _cutoff(moment: datetime, data_type: str, zone: str | None) -> str:
    """In the form of the age column: TIMESTAMP in UTC, DATETIME and DATE in their writer's zone where it is known."""
    utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if data_type != "timestamp" and zone:
        utc = utc.astimezone(ZoneInfo(zone))
    return f"{utc:%Y-%m-%d}" if data_type == "date" else f"{utc:%Y-%m-%d %H:%M:%S}"


def _condition(age: str, data_type: str, cutoff: str) -> str:
    """SQL: the row is older than the cutoff, and its age is known. MySQL reads it as a range of the age's index."""
    name = quoted(age)
    if data_type == "timestamp":
        # A number, because a literal would be a time of the session's zone. No TIMESTAMP is partly zero.
        seconds = round(datetime.fromisoformat(cutoff).replace(tzinfo=UTC).timestamp())
        return f"{name} < from_unixtime({seconds}) and {name} >= from_unixtime(1)"
    return f"{name} < '{cutoff}' and {name} >= '0001-01-01' and month({name}) > 0 and day({name}) > 0"


#: What reads otherwise under a mode of the server, and how to write it so that it does not.
_READ_OTHERWISE = {
    "ANSI_QUOTES": ('"', "'…' for text and `…` for names"),
    "PIPES_AS_CONCAT": ("||", "or"),
    "NO_BACKSLASH_ESCAPES": ("\\", "x'…'"),
    "HIGH_NOT_PRECEDENCE": ("not", "(not …) in brackets"),
}


def not_understood(connection: Connection, table: str, where: str) -> str:
    """Why MySQL does not take a condition of the user, or takes it in two ways; or nothing.

    Rows are read by a statement that is prepared under the server's own ``sql_mode``, and counted and held under ours.
    """
    ((mode, before),) = rows(connection, "select @@global.sql_mode, @@session.sql_mode")
    for name, (spelling, instead) in _READ_OTHERWISE.items():
        if name in str(mode).split(",") and spelling in where.lower():
            return f"{spelling} means another thing under the server's sql_mode {name}. Write {instead}"
    statement = f"select 1 from {quoted(table)} where ({where}) limit 0"
    with connection.cursor() as cursor:
        try:
            cursor.execute(statement)
            cursor.execute("set session sql_mode = %s", (mode,))
            cursor.execute("set @el_statement = %s", (statement,))
            cursor.execute("prepare el_statement from @el_statement")
            cursor.execute("execute el_statement")
            cursor.execute("deallocate prepare el_statement")
        except pymysql.err.MySQLError as error:
            number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
            if number in LOST:
                raise
            return (
                f"MySQL refuses it, under the server's sql_mode or el's: {reason(number)} ({type(error).__name__} "
                f"{number}). Try it in a session without settings of its own: select count(*) from … where …"
            )
        finally:
            if connection.open:
                cursor.execute("set session sql_mode = %s", (before,))
    return ""


def _of_json(connection: Connection, shape: Shape, condition: str) -> list[str]:
    """How many rows stay because the text of their JSON is not all there is of it."""
    left, exact = _count(connection, shape, f"{condition} and not {rows_of.faithful_sql(shape.columns)}")
    names = ", ".join(one.name for one in shape.json_columns)
    if not exact:
        return [
            f"JSON ({names}): how many rows hold types that JSON's text does not have could not be counted in "
            f"{_COUNT_SECONDS} s; they stay in MySQL, and are counted here"
        ]
    if not left:
        return []
    return [
        f"{left:,} of these rows stay in MySQL: their JSON ({names}) holds types that its text does not have, such as "
        "DECIMAL, DATE or BLOB, and they would come back as others. json: text under archive: lets them go as text"
    ]


def _of_table(shape: Shape) -> list[str]:
    if shape.kind != "BASE TABLE":
        what = {"VIEW": "a view", "SYSTEM VERSIONED": "system-versioned: what is deleted stays as history"}
        return [f"it is {what.get(shape.kind, shape.kind.lower())}; only tables can be archived"]
    found = []
    if shape.engine.lower() != "innodb":
        found.append(f"its engine is {shape.engine}, which has no transactions: alter table … engine=InnoDB")
    if not shape.primary_key:
        found.append("it has no primary key, so no row can be named: alter table … add primary key")
    if shape.hidden:
        found.append(
            f"the user of ARCHIVE__<SOURCE>__CREDENTIALS may not read {', '.join(shape.hidden)}, and copies would lack "
            f"it: grant select on {quoted(shape.database)}.{quoted(shape.name)} to that user"
        )
    if shape.unknown:
        found.append(f"columns of a type that cannot be carried: {', '.join(shape.unknown)}")
    if not shape.sees_triggers:
        found.append(
            "whether triggers on DELETE would run for each row cannot be known: grant trigger on "
            f"{quoted(shape.database)}.{quoted(shape.name)} to the user of ARCHIVE__<SOURCE>__CREDENTIALS. If one of "
            "his roles has it: set default role … to that user, so that it is active"
        )
    if shape.delete_triggers:
        found.append(
            f"triggers on DELETE would run for each row: {', '.join(shape.delete_triggers)}. Drop them, or leave the "
            "table out"
        )
    return found


def _of_age(shape: Shape, name: str) -> list[str]:
    age = shape.column(name)
    if age is None:
        return [f'age: "{name}" is no column of it']
    if age.data_type not in ("date", "datetime", "timestamp"):
        return [f'age: "{name}" is {age.mysql_type.upper()}; it must be a DATE, DATETIME or TIMESTAMP']
    if age.name not in shape.indexed:
        return [
            f'age: "{name}" is the first column of no index that MySQL uses, so every run would read the whole table: '
            f"alter table {quoted(shape.name)} add index ({quoted(age.name)})"
        ]
    return []


def _of_children(shape: Shape, archived: Iterable[tuple[str, str]]) -> list[str]:
    # Servers with lower_case_table_names tell names in lower case. A row with a child is left in any case.
    known = {(database.lower(), table.lower()) for database, table in archived}
    what = {"CASCADE": "would be deleted too", "SET NULL": "would lose the reference"}
    found = [
        f"rows of {child.database}.{child.table} hang on it by {child.name} (ON DELETE {child.rule}): they "
        f"{what.get(child.rule, 'would block each deletion')}. Give that table an archive policy: children go first"
        for child in shape.children
        if (child.database.lower(), child.table.lower()) not in known
    ]
    if shape.foreign_keys is None:
        found.append(
            "whether foreign keys of databases that the user may not see hang on it cannot be known: grant process on "
            "*.* to the user of ARCHIVE__<SOURCE>__CREDENTIALS"
        )
    elif shape.foreign_keys > len(shape.children):
        found.append(
            f"{shape.foreign_keys - len(shape.children)} foreign keys of tables that the user may not see hang on it, "
            "and could delete rows there: grant select on that database to the user of ARCHIVE__<SOURCE>__CREDENTIALS"
        )
    return found


def _of_server(connection: Connection) -> list[str]:
    """What about the server itself is in the way."""
    found = dict(
        rows(connection, "show global variables where variable_name in ('read_only', 'log_bin', 'binlog_format')")
    )
    refusals = []
    if str(found.get("read_only", "OFF")).upper() not in ("OFF", "0"):
        refusals.append("the server is read-only: ARCHIVE__<SOURCE>__CREDENTIALS must name the primary")
    if found.get("log_bin") == "ON" and found.get("binlog_format") == "STATEMENT":
        refusals.append("binlog_format is STATEMENT, which READ COMMITTED cannot write: set it to ROW")
    return refusals


def _horizon(table: Table, landing: Landing, shape: Shape) -> tuple[Horizon | None, list[str], list[str]]:
    """How far Redshift has this table; refusals; notes."""
    place = landing.table(table.source, raw_name(table.name))
    why = ""
    if table.mode == "replace":
        why = "mode: replace: the next load would take the archived rows out of Redshift too. Use mode: merge"
    elif (head := place.head()) is None:
        return None, [], ["it was never extracted: rows go that no Redshift has seen"]
    elif head.reading.full and not head.reading.done:
        why = "a full copy is under way, and rows that it has not read yet would be missing in it: el extract first"
    elif lacking := _lacking(table, shape, head):
        why = f'Redshift never got the column "{lacking[0]}", also not of the rows that would go: el run first'
    elif (applied := place.applied()) is None or applied.get("horizon") is None or applied.get("cursor") is None:
        why = "it is extracted and Redshift does not have it yet: el load first"
    elif applied["cursor"] != table.cursor or not shape.column(applied["cursor"]):
        why = f'Redshift has it by the cursor "{applied["cursor"]}", which is not that of the source file: el run first'
    else:
        return Horizon(applied["cursor"], applied["kind"], str(applied["horizon"])), [], []
    return None, [why], []


def _lacking(table: Table, shape: Shape, head: Commit) -> list[str]:
    """Columns that are to be extracted and were not: added since, or excluded until now."""
    known = {one.name for one in head.columns}
    return [one.name for one in shape.columns if one.name not in table.exclude and raw_name(one.name) not in known]


def _count(connection: Connection, shape: Shape, condition: str) -> tuple[int, bool]:
    """How many rows; False where it is MySQL's estimate, because counting took too long."""
    query = f"from {quoted(shape.name)} where {condition}"
    with connection.cursor() as cursor:
        cursor.execute("show session variables where variable_name in ('max_statement_time', 'max_execution_time')")
        (name, before) = next(iter(cursor.fetchall()))
        seconds = _COUNT_SECONDS * (1000 if name == "max_execution_time" else 1)
        cursor.execute(f"set session {name} = {seconds}")
        try:
            cursor.execute(f"select count(*) {query}")
            ((many,),) = cursor.fetchall()
            return int(many), True
        except pymysql.err.MySQLError as error:
            if error.args[0] not in (1969, 3024, 1028):
                raise
        finally:
            cursor.execute(f"set session {name} = {before}")
        cursor.execute(f"explain format=traditional select 1 {query}")
        names = [str(column[0]).lower() for column in cursor.description or ()]
        return sum(int(line[names.index("rows")] or 0) for line in cursor.fetchall()), False


def children_first(plans: Sequence[Plan]) -> list[Plan]:
    """The plans in an order in which a row's children go before it."""
    by_table = {(plan.shape.database.lower(), plan.shape.name.lower()): plan for plan in plans if plan.shape}
    done: dict[str, Plan] = {}

    def visit(plan: Plan, above: tuple[str, ...]) -> None:
        if plan.label in done or plan.label in above:  # a circle of foreign keys: its rows go in several runs
            return
        for child in plan.shape.children if plan.shape else ():
            below = by_table.get((child.database.lower(), child.table.lower()))
            if below:
                visit(below, (*above, plan.label))
        done[plan.label] = plan

    for plan in plans:
        visit(plan, ())
    return list(done.values())
