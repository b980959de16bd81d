"""The rows of a pass on their way to S3, in parts: while one is uploaded and sealed, the next is read and written.

In: pieces as they are read. Out: for each part, in order, a call of ``seal`` when its files lie on S3. A part ends
with a chunk, and is bounded: two of them lie on the local disk at most.
"""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

import pyarrow as pa

from el.ahead import Ahead
from el.mysql.chunks import Key
from el.mysql.reader import Piece
from el.mysql.values import Counts
from el.upload import Load, Upload

#: A pass that is cut off repeats no more than two parts. Bytes are those in memory; a file has a third of them or less.
_ROWS_PER_PART = 2_000_000
_BYTES_PER_PART = 512 * 2**20


class Part:
    """Iterated once, by the upload. Then ``after`` is the key it goes up to, and ``done`` says if it is the last.

    ``cut_off``: no part follows either, but there are more rows: the next run goes on behind it.
    """

    def __init__(self, pieces: Ahead[Piece], progress: Callable[[int], None]) -> None:
        self._pieces, self._progress = pieces, progress
        self._counts: Counts = Counter()
        self.after: Key | None = None
        self.done = self.cut_off = False

    def __iter__(self) -> Iterator[pa.Table]:
        rows = size = 0
        while not (self.done or self.cut_off) and rows < _ROWS_PER_PART and size < _BYTES_PER_PART:
            piece = self._pieces.next()
            rows, size = rows + piece.rows, size + piece.size
            self._counts += piece.counts
            self.cut_off = piece.cut_off
            if piece.chunk:
                self.after, self.done = piece.chunk.last, piece.chunk.last is None
            if piece.batches:
                yield pa.Table.from_batches(piece.batches)
            self._progress(piece.rows)

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Values that were not carried as they were, by kind and column."""
        found: dict[str, dict[str, int]] = {}
        for (kind, column), many in self._counts.items():
            found.setdefault(kind, {})[column] = many
        return found


def move(
    pieces: Generator[Piece, None, None],
    stop: Callable[[], None],
    upload: Callable[[int], Upload],
    seal: Callable[[Load, Part], None],
    progress: Callable[[int], None],
) -> bool:
    """Move all pieces. ``upload`` makes the way of a part, by its number; ``stop`` ends the reading early.

    False: the pass was cut off, because its hours are over or it was asked to stop.

    Raises:
        ElError: as reading, upload or seal raise it. Parts that were whole by then are sealed or not begun.
    """
    _give_memory_back()
    with ThreadPoolExecutor(1) as sealer, Ahead(pieces, stop) as ahead:

        def send(way: Upload, part: Part) -> None:
            seal(way.send(), part)

        before: Future[None] | None = None
        number, done, cut_off = 0, False, False
        while not (done or cut_off):
            way, part = upload(number), Part(ahead, progress)
            way.write(part)
            try:
                if before:
                    before.result()  # one after the other: an error of the part before ends it all
            except BaseException:
                way.delete()
                raise
            before = sealer.submit(send, way, part)
            number, done, cut_off = number + 1, part.done, part.cut_off
        assert before
        before.result()
        return done


def _give_memory_back() -> None:
    """Have glibc give each block of 256 KB or more back to the system when it is freed.

    By itself it raises that size to that of the largest block it has seen, up to 32 MB: the whole chunk would stay.
    """
    with suppress(AttributeError, OSError):  # another C library
        m_mmap_threshold = -3
        ctypes.CDLL(None).mallopt(m_mmap_threshold, 256 * 1024)
