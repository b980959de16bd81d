"""One peer reads one table: ``python extract_peers.py <peer> <table> <folder>``; runs in .venv-bench.
BENCH holds the URL: a password is no argument.

It prints the number of rows that it has read. dlt writes Parquet to a folder, as it would before an upload.
"""

from __future__ import annotations

import os
import sys


def connectorx(url: str, table: str, _: str) -> int:
    """Raw connectorx: one query to Arrow batches, which are dropped."""
    import connectorx

    stream = connectorx.read_sql(url, f"select * from {table}", return_type="arrow_stream", batch_size=50_000)
    return sum(len(batch) for batch in stream)


def connectorx_2(url: str, table: str, _: str) -> int:
    """Raw connectorx with two queries at once, by the parity of the first column of the key."""
    import connectorx

    key = "l_orderkey" if table.startswith("lineitem") else "id"
    halves = [f"select * from {table} where {key} % 2 = {half}" for half in (0, 1)]
    stream = connectorx.read_sql(url, halves, return_type="arrow_stream", batch_size=50_000)
    return sum(len(batch) for batch in stream)


def dlt(url: str, table: str, folder: str, backend: str) -> int:
    """dlt's own source ``sql_database``, to Parquet in a local folder."""
    os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "NORMALIZE__WORKERS": "1"}
    import dlt
    from dlt.sources.sql_database import sql_table

    scheme, _, rest = url.partition("://")
    options = {"backend_kwargs": {"return_type": "arrow", "conn": url}} if backend == "connectorx" else {}
    resource = sql_table(
        credentials=f"{scheme}+pymysql://{rest}",
        table=table,
        backend=backend,
        chunk_size=50_000,
        reflection_level="full_with_precision",
        **options,
    )
    pipeline = dlt.pipeline(
        "bench", pipelines_dir=f"{folder}/work", destination=dlt.destinations.filesystem(f"file://{folder}/out")
    )
    pipeline.run(resource, loader_file_format="parquet")
    trace = pipeline.last_trace.last_normalize_info
    return int(trace.row_counts[table])


def main() -> None:
    peer, table, folder = sys.argv[1:]
    url = os.environ["BENCH"]
    match peer:
        case "connectorx":
            rows = connectorx(url, table, folder)
        case "connectorx 2":
            rows = connectorx_2(url, table, folder)
        case _:
            rows = dlt(url, table, folder, peer.removeprefix("dlt "))
    print(rows)


if __name__ == "__main__":
    main()
