"""A whole table by one query, row by row: for a table without a primary key, which has no ranges.

In: a table's shape and its SELECT list. Out: Arrow batches as ``values.py`` takes them.

Why not connectorx: it takes rows as fast as MySQL sends them, whether anybody wants them or not, so memory would grow
with the table. PyMySQL leaves them in MySQL until they are taken. It is about ten times slower.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
from pymysql.cursors import SSCursor

from el.mysql.catalog import TableShape
from el.mysql.connection import bound, connected
from el.settings import MySQL

_BATCH_ROWS = 10_000
#: The whole table is one statement. A client that died ends it: the server cannot send its rows (net_write_timeout).
_SECONDS = 7 * 24 * 3600


def stream(label: str, server: MySQL, shape: TableShape, sql: str) -> Iterator[pa.RecordBatch]:
    """The rows of one query; ``label`` is SOURCE.TABLE. Values are MySQL's own texts, which are exact.

    Raises:
        SourceError: MySQL refused, or the connection was lost.
    """
    with connected(label.partition(".")[0], server, as_text=True) as connection:
        connection.query(bound(_SECONDS))
        cursor = connection.cursor(SSCursor)  # not closed: that would read the rows that are left
        cursor.execute(sql)
        while found := cursor.fetchmany(_BATCH_ROWS):
            # What is to be hashed may be binary, whatever its hash is.
            types = [pa.binary() if c.hashed or pa.types.is_binary(c.arrow) else pa.string() for c in shape.columns]
            arrays = [pa.array(values, kind) for values, kind in zip(zip(*found, strict=True), types, strict=True)]
            yield pa.RecordBatch.from_arrays(arrays, names=[f"c{number}" for number in range(len(arrays))])
