"""Reads the rows that may be archived, chunk by chunk of the primary key, as their canonical bytes.

In: a table, the condition of its policy, what is asked of MySQL by ``mysql/process.py`` (connectorx in a process of its
own). Out: chunk after chunk, each a table as it will lie on S3, bounded in memory, in the order of the primary key.

The key is walked by ``mysql/chunks.py``'s conditions. A chunk here may be one row: rows of tens of megabytes are what
people archive first. No average is trusted, neither InnoDB's, which may be of a time when the table was empty, nor that
of the chunk before: where the rows of a chunk may be long, MySQL is asked for their length before they are read.

Rows whose JSON is more than its text (``rows.py``) are counted in ``left`` and not part of a chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from el.archive import rows
from el.archive.table import Shape
from el.mysql.chunks import CHUNK_BYTES, MAX_CHUNK_ROWS, ChunkSize, Key, behind, boundary, key_order, up_to
from el.mysql.connection import Connection, quoted
from el.mysql.connection import rows as ask
from el.mysql.process import Process, sessions
from el.settings import MySQL

#: A chunk that cannot have more bytes than this, whatever its rows hold, is read without a question.
_SURELY = 2 * CHUNK_BYTES


@dataclass(frozen=True)
class Wanted:
    """Which rows are read, and how many in a chunk at most; None: as many as any chunk may have."""

    condition: str
    most_rows: int | None = None


class Reader:
    """The chunks of one table. ``wait`` sleeps, and says True if it is asked to stop."""

    def __init__(
        self,
        source: str,
        server: MySQL,
        shape: Shape,
        wanted: Wanted,
        wait: Callable[[float], bool],
    ) -> None:
        self._source, self._server, self._shape, self._wait = source, server, shape, wait
        self._condition = wanted.condition
        self._size = ChunkSize(wanted.most_rows or MAX_CHUNK_ROWS, CHUNK_BYTES)
        self._faithful = rows.faithful_sql(shape.columns)
        #: Rows that stay in MySQL, because the text of their JSON is not all there is of it.
        self.left = 0
        self._after: Key | None = None
        self._ended = False
        self._process: Process | None = None

    def stop(self) -> None:
        """End a query that another thread waits for."""
        if self._process:
            self._process.kill()

    def chunks(self) -> Iterator[pa.Table]:
        """The chunks that have rows.

        Raises:
            SourceError: MySQL refused, or the connection was lost too often.
            ArchiveError: a value does not fit.
        """
        label = f"{self._source}.{self._shape.name}"
        with closing(sessions(label, self._server, self._chunks, self._wait)) as chunks:
            for chunk in chunks:
                if len(chunk):
                    yield chunk

    def _chunks(self, connection: Connection, process: Process) -> Iterator[pa.Table]:
        self._process = process
        condition = self._bounded(connection)
        while not self._ended:
            last = self._last(connection, condition)
            process.ask(self.select(f"{condition} and {self._within(last)}"))
            made, left = self._table(process.answer())
            self._size.was_read(len(made), made.nbytes)
            self.left += left
            self._after, self._ended = last, last is None
            yield made

    def select(self, condition: str) -> str:
        """What reads rows; the policy's condition alone is what the manifest keeps."""
        shape = self._shape
        faithful = f", {self._faithful} as faithful" if self._faithful else ""
        return (
            f"select {rows.select_list(shape.columns)}{faithful} from {quoted(shape.name)} force index (primary) "
            f"where {condition} order by {key_order(shape.walk)}"
        )

    def _table(self, batches: Iterator[pa.RecordBatch]) -> tuple[pa.Table, int]:
        """Rows as they will lie on S3, and how many others there were."""
        if not self._faithful:
            return rows.table(self._shape.columns, batches), 0
        left = 0

        def faithful() -> Iterator[pa.RecordBatch]:
            nonlocal left
            for batch in batches:
                kept = batch.filter(pc.equal(batch.column("faithful"), 1))
                left += len(batch) - len(kept)
                yield kept

        return rows.table(self._shape.columns, faithful()), left

    def _bounded(self, connection: Connection) -> str:
        """The condition, with the smallest and the largest key that meet it: else each run would walk the whole table.

        Asked of the age column's index, which has the key in it.
        """
        first = self._shape.primary_key[0]
        if first.kind != "number" or first.data_type in ("enum", "set", "bit", "year"):
            return self._condition
        name = quoted(first.name)
        ((low, high),) = ask(
            connection, f"select min({name}), max({name}) from {quoted(self._shape.name)} where {self._condition}"
        )
        if low is None:
            return "false"
        return f"{name} >= {int(low)} and {name} <= {int(high)} and {self._condition}"

    def _last(self, connection: Connection, condition: str) -> Key | None:
        """The key up to which the next chunk goes; None: to the end."""
        size = self._size.rows
        while True:
            last = boundary(connection, self._shape.walk, condition, self._after, size)
            if size == 1 or size * self._shape.widest_row <= _SURELY:
                return last
            long = " + ".join(
                # Of MySQL's JSON a length would be that of its text, which has to be made first.
                f"ifnull({'json_storage_size' if one.data_type == 'json' else 'length'}({quoted(one.name)}), 0)"
                for one in self._shape.columns
                if one.part in ("digest", "length")
            )
            ((length, many),) = ask(
                connection,
                f"select ifnull(sum({long}), 0), count(*) from {quoted(self._shape.name)} force index (primary) "
                f"where {condition} and {self._within(last)}",
            )
            if length <= CHUNK_BYTES or many <= 1:
                return last
            size = max(1, min(size, int(many)) * CHUNK_BYTES // int(length) // 2)

    def _within(self, last: Key | None) -> str:
        return f"{behind(self._shape.walk, self._after)} and {up_to(self._shape.walk, last)}"
