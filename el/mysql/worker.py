"""The process that runs connectorx: SQL in, Arrow out.

In, on standard input: one JSON line with the URL and the session's statements, then one SQL query per line (JSON).
Out, on standard output: per query one Arrow IPC stream, then one line with the number of its rows.

Why the line: an Arrow stream that is cut off reads like one that has ended, so a panic in the middle would lose the
rest of the chunk in silence.

Why a process of its own: connectorx panics on what it cannot decode and prints the value to file descriptor 2, it
has no backpressure and gives memory back only when its process ends. Standard error is captured by ``reader.py``.
"""

from __future__ import annotations

import json
import sys


def main() -> None:
    import connectorx
    import pyarrow as pa

    settings = json.loads(sys.stdin.readline())
    output = pa.PythonFile(sys.stdout.buffer, "w")
    for line in iter(sys.stdin.readline, ""):
        stream = connectorx.read_sql(
            settings["url"],
            json.loads(line),
            return_type="arrow_stream",
            batch_size=settings["batch_rows"],
            pre_execution_query=settings["session"],
        )
        rows = 0
        with pa.ipc.new_stream(output, stream.schema) as writer:
            for batch in stream:
                writer.write_batch(batch)
                rows += len(batch)
        sys.stdout.buffer.write(b"%d\n" % rows)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
