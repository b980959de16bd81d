"""The process that runs connectorx: SQL in, Arrow out.

In, on standard input: one JSON line with the session's statements, then one with URL and SQL for each query.
Out, on standard output: per query, in the order of asking, one Arrow IPC stream, then one line with the number of its
rows. A query begins when it is asked for, while the rows of those before it are still being written.

Why the line: an Arrow stream that is cut off reads like one that has ended, so a panic in the middle would lose the
rest of the chunk in silence.

Why a process of its own: connectorx panics on what it cannot decode and prints the value to file descriptor 2, it
has no backpressure and gives memory back only when its process ends. ``process.py`` captures standard error.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from queue import Queue
from typing import Any


def main() -> None:
    # Ctrl-C and a service manager reach every process of a run; el alone decides when the reading ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    import pyarrow as pa

    begun: Queue[Any] = Queue()
    threading.Thread(target=_begin_queries, args=[begun], daemon=True).start()
    output = pa.PythonFile(sys.stdout.buffer, "w")
    while (stream := begun.get()) is not None:
        if isinstance(stream, BaseException):
            raise stream
        rows = 0
        with pa.ipc.new_stream(output, stream.schema) as writer:
            for batch in stream:
                writer.write_batch(batch)
                rows += len(batch)
        sys.stdout.buffer.write(b"%d\n" % rows)
        sys.stdout.buffer.flush()


def _begin_queries(begun: Queue[Any]) -> None:
    """Put a stream into the queue for each query; None, or what went wrong, at the end."""
    parent = os.getppid()
    try:
        import connectorx

        settings = json.loads(sys.stdin.readline())
        for line in iter(sys.stdin.readline, ""):
            query = json.loads(line)
            stream = connectorx.read_sql(  # returns at once, and reads on in threads of its own
                query["url"],
                query["sql"],
                return_type="arrow_stream",
                batch_size=settings["batch_rows"],
                pre_execution_query=settings["session"],
            )
            begun.put(stream)
        if os.getppid() != parent:  # el has died: a query that nobody waits for must not go on
            os._exit(1)
        begun.put(None)
    except BaseException as error:  # a panic is no Exception; it has to end the process, not this thread alone
        begun.put(error)


if __name__ == "__main__":
    main()
