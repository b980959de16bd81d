"""What the user asked for beyond what is due, checked against the source files and MySQL's catalog."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from el.config import SOURCE_NAME, Table, raw_name, shown
from el.errors import UsageError
from el.mysql.catalog import TableShape
from el.plan import Range


@dataclass(frozen=True)
class Options:
    """``since`` and ``to`` are the limits of a backfill.

    ``into``: the schema that a replay builds its table in; ``swap``: its rows replace those of the raw table then,
    together with those of the table ``rest``.
    """

    full: bool = False
    accept_server: bool = False
    since: str | None = None
    to: str | None = None
    max_rows_per_second: int | None = None
    into: str | None = None
    swap: bool = False
    rest: str | None = None

    @property
    def backfill(self) -> bool:
        """A range is read again; nothing else is."""
        return self.since is not None or self.to is not None

    @property
    def special(self) -> str:
        """The option that no other run would do for us; empty if this is a run like any other."""
        if self.into:
            return "--replay"
        if self.backfill:
            return "--from and --to"
        return "--full" if self.full else "--accept-server" if self.accept_server else ""

    def check(self, tables: Sequence[Table]) -> None:
        """Raises UsageError for options that contradict each other or the source file."""
        if self.into:
            self._check_schema(self.into, {table.source for table in tables})
        if self.rest:
            source, _, name = self.rest.partition(".")
            own = {(table.source, raw_name(table.name)) for table in tables}
            if not (re.fullmatch(SOURCE_NAME, source) and name) or (source, raw_name(name)) in own:
                raise UsageError(
                    f"--with {shown(self.rest)}: it takes another table, into which el-archive has restored rows, and "
                    "its source, such as clinic_restore.messages. Nothing was started."
                )
        if not self.backfill:
            return
        if self.full or self.accept_server:
            what = "--full" if self.full else "--accept-server"
            raise UsageError(f"{what} and --from or --to: choose one. Nothing was started.")
        whole = [table.label for table in tables if table.cursor is None]
        if whole:
            raise UsageError(
                f"{', '.join(whole)}: --from and --to are ranges of a cursor, and mode replace has none: every run "
                "copies the whole table. Nothing was started. Name the tables: el run --from … clinic.messages"
            )

    def _check_schema(self, schema: str, sources: Iterable[str]) -> None:
        # Of any source: a table that is built anew must not come between the live ones, nor between their ledgers.
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,119}", schema):
            raise UsageError(
                f"--into {schema!r}: a schema's name is of a-z, 0-9 and _, begins with a letter and has 120 characters "
                "at most. Nothing was started."
            )
        if schema.startswith("raw_") or schema.endswith("_el"):
            raise UsageError(
                f"--into {schema}: names that begin with raw_ or end with _el are those of raw schemas and their "
                f"ledgers. Nothing was started. Name another one, such as replay_{min(sources)}"
            )

    def ranges(self, tables: Iterable[Table], shapes: Mapping[str, Mapping[str, TableShape]]) -> dict[str, Range]:
        """The range of a backfill in the form of each table's cursor; empty if there is no backfill.

        Raises:
            UsageError: a limit is no value of a cursor, or there is nothing between the two; all of them at once.
        """
        found, wrong = {}, []
        for table in tables if self.backfill else []:
            cursor = shapes[table.source][table.name].cursor
            assert cursor  # mode merge, as `check` has seen
            limits: list[str | None] = []
            for name, text in (("--from", self.since), ("--to", self.to)):
                try:
                    limits.append(None if text is None else cursor.parsed(text))
                except ValueError as error:
                    wrong.append(f"{table.label}: {name} {text!r}: cursor {cursor.name} needs {error}")
            if len(limits) < 2:
                continue
            lo, to = limits
            if lo is not None and to is not None and cursor.order(lo) >= cursor.order(to):
                wrong.append(f"{table.label}: nothing is from {self.since} to before {self.to}")
            found[table.label] = Range(lo, to)
        if wrong:
            raise UsageError("\n".join([*wrong, "Nothing was read."]))
        return found
