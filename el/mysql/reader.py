"""Reads the rows of one pass out of MySQL as Arrow, exactly.

In: a table's shape and the chunks of a pass. Out: piece after piece, in the order of the chunks: record batches of the
shape's Arrow schema, and counts per column of what could not be carried.

Several chunks are read at once; each is bounded, and so is memory. A chunk is passed on when it is whole: when the
connection is lost, the chunks that are not are asked for again, and no row is doubled. Between chunks ``kindness.py``
is asked whether the server can spare us.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sized
from dataclasses import dataclass

import pyarrow as pa

from el.errors import ConnectionLost, SourceError, Undecodable
from el.mysql import one_query
from el.mysql.chunks import Chunk, Chunks
from el.mysql.connection import Connection, quoted
from el.mysql.kindness import Kindness, Say, Turns
from el.mysql.process import Process, sessions
from el.mysql.values import Counts, Values
from el.settings import MySQL

#: More gain nothing: two connections are what two cores can decode.
_CHUNKS_AT_ONCE = 2


@dataclass(frozen=True)
class Piece:
    """Rows that were read. ``chunk`` is the one that they are the whole of; None in the middle of one query.

    ``cut_off``: the hours are over or it was asked to stop, so no piece follows although there are more rows.
    """

    batches: list[pa.RecordBatch]
    counts: Counts
    chunk: Chunk | None
    cut_off: bool = False

    @property
    def rows(self) -> int:
        return sum(len(batch) for batch in self.batches)

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return sum(batch.nbytes for batch in self.batches)


class Reader:
    """The rows of one table. ``read`` is used once."""

    def __init__(
        self,
        server: MySQL,
        values: Values,
        kindness: Kindness,
        say: Say,
        stopping: Callable[[], str] = lambda: "",
    ) -> None:
        """``stopping`` says why no chunk may be begun any more; empty as long as it may."""
        self._label, self._shape = values.label, values.shape
        self._server, self._values = server, values
        self._kindness, self._say, self._stopping = kindness, say, stopping
        self._process: Process | None = None
        self._stopped = threading.Event()

    @property
    def schema(self) -> pa.Schema:
        """That of the batches."""
        return self._values.schema

    def stop(self) -> None:
        """End ``read``, which another thread may be waiting in."""
        self._stopped.set()
        if self._process:
            self._process.kill()

    def read(self, chunks: Chunks, to_the_end: bool = True) -> Generator[Piece, None, None]:
        """The rows of the chunks; ``to_the_end``: also when the hours are over or it is asked to stop, else the
        last piece is ``cut_off``.

        Raises:
            SourceError: MySQL refused, the connection was lost too often, or a value cannot be carried.
        """
        asked: deque[Chunk] = deque()
        go_on = True

        def pieces(connection: Connection, process: Process) -> Iterator[Piece]:
            nonlocal go_on
            self._process = process
            for chunk in asked:
                process.ask(self._select(chunk.condition))
            while asked or (go_on and not chunks.ended):
                while go_on and len(asked) < _CHUNKS_AT_ONCE and not chunks.ended and self._turn(turns, asked):
                    asked.append(chunks.next(connection))
                    process.ask(self._select(asked[-1].condition))
                if go_on and not chunks.ended:
                    chunks.find(connection)  # while those that were asked for are read
                made, counts = self._converted(process.answer())
                # Still among those that were asked for: if the connection is lost now, it is read again.
                rows = sum(len(batch) for batch in made)
                no_more = self._stopped.is_set if to_the_end else self._is_ending
                go_on = self._kindness.pause(connection, rows, self._say, no_more, to_the_end) and go_on
                go_on = go_on and (to_the_end or not self._stopping())
                chunk = asked.popleft()
                turns.give_back()
                piece = Piece(made, counts, chunk, not (go_on or asked or chunks.ended))
                chunks.was_read(piece.rows, piece.size)
                yield piece

        with self._kindness.turns() as turns:
            try:
                yield from sessions(self._label, self._server, pieces, self._stopped.wait)
            except Undecodable:
                raise self._undecodable(asked[0]) from None

    def _turn(self, turns: Turns, asked: Sized) -> bool:
        """Whether one more chunk may be asked for. Waits only if none is: else there is one to be listened to."""
        if turns.taken > len(asked):  # the chunk it was taken for could not be asked for
            return True
        while not turns.take(0.2 if not asked else 0):
            if asked:
                return False
            if self._stopped.is_set():
                raise ConnectionLost(f"{self._label}: reading was stopped")
            self._say("waits for its turn (max_connections)")
        if not asked:
            self._say("")
        return True

    def _is_ending(self) -> bool:
        return self._stopped.is_set() or bool(self._stopping())

    def read_by_one_query(self, condition: str) -> Generator[Piece, None, None]:
        """The rows of a table that has no key to make chunks of. A connection that is lost ends it.

        Raises:
            SourceError: as ``read``.
        """
        with self._kindness.turns() as turns:
            self._turn(turns, ())
            for batch in one_query.stream(self._label, self._server, self._shape, self._select(condition)):
                if self._stopped.is_set():
                    return
                # Only the rate: a server that waits long for its rows to be taken ends the query.
                self._kindness.pause(None, len(batch), self._say, self._stopped.is_set, to_the_end=True)
                yield Piece(*self._converted([batch]), None)
        yield Piece([], Counter(), Chunk(condition, None))

    def _converted(self, batches: Iterable[pa.RecordBatch]) -> tuple[list[pa.RecordBatch], Counts]:
        made: list[pa.RecordBatch] = []
        counts: Counts = Counter()
        for batch in batches:
            converted, found = self._values.convert(batch)
            made.append(converted)
            counts += found  # keeps what is not zero
        return made, counts

    def _undecodable(self, chunk: Chunk) -> SourceError:
        """Which column it was: the chunk is read once more, column by column."""
        with Process(self._label, self._server) as process:
            for column in self._shape.columns:
                process.ask(f"select {column.select} as c from {quoted(self._shape.name)} where {chunk.condition}")
                try:
                    for _ in process.answer():
                        pass
                except Undecodable:
                    return Undecodable(
                        f"{self._label}: column {column.name} ({column.mysql_type}) holds a value that connectorx "
                        "cannot decode. What was committed before stays. Leave the column out with "
                        f"exclude: [{column.name}]"
                    )
        return Undecodable(
            f"{self._label}: connectorx could not decode a value, and every column alone could be decoded. "
            "What was committed before stays. Run again."
        )

    def _select(self, condition: str) -> str:
        return f"select {self._values.select_list()} from {quoted(self._shape.name)} where {condition}"
