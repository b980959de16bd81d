"""How much memory a large COPY takes in the local Redshift, and how fast it is beside psql's \\copy of the same rows.

Makes a million rows of sixteen columns as Parquet and as CSV, starts an S3 API and a local Redshift of its own, and
loads both in one run, so that the rates have the same hour and the same machine. Writes a table below bench/results.
The rates say what the emulator costs. They say nothing about Redshift.

    python -m bench.local_redshift_copy [--rows N] [--limit-mb 300] [--no-result]
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import platform
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import psutil
import psycopg2
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from moto.server import ThreadedMotoServer

from local.redshift.postgres import programs

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "bench" / "results" / "local_redshift_copy.md"
PASSWORD, BUCKET, ROUNDS = "only-for-the-benchmark", "bench", 3
COLUMNS = {
    "order_key": "bigint", "part_key": "integer", "supplier_key": "integer", "line_number": "smallint",
    "quantity": "decimal(15,2)", "price": "decimal(15,2)", "discount": "decimal(15,2)", "tax": "decimal(15,2)",
    "return_flag": "char(1)", "line_status": "char(1)", "ship_date": "date", "commit_date": "date",
    "received_at": "timestamp", "instruction": "varchar(25)", "mode": "varchar(10)", "comment": "varchar(44)",
}  # fmt: skip


def rows(count: int, first: int) -> pa.Table:
    """Rows like those of TPC-H's lineitem; the same ones each time."""
    chance = random.Random(first)
    cent = pa.scalar(Decimal("0.01"), pa.decimal128(3, 2))

    def number(low: int, high: int, kind: pa.DataType) -> pa.Array:
        return pa.array(chance.choices(range(low, high), k=count), kind)

    def money(low: int, high: int) -> pa.Array:
        whole = number(low, high, pa.int64()).cast(pa.decimal128(19, 0))
        return pc.multiply(whole, cent).cast(pa.decimal128(15, 2))

    def choice(values: list[str]) -> pa.Array:
        return pa.array(chance.choices(values, k=count))

    words = ["carefully", "final", "deposits", "sleep", "quickly", "ironic", "above", "the", "packages"]
    day = number(8_000, 12_000, pa.int32())
    second = number(8_000 * 86_400, 12_000 * 86_400, pa.int64())
    made = [
        pa.array(range(first, first + count), pa.int64()), number(1, 200_000, pa.int32()), number(1, 9_999, pa.int32()),
        number(1, 8, pa.int16()), money(100, 5_000), money(90_000, 9_000_000), money(0, 11), money(0, 9),
        choice(["A", "N", "R"]), choice(["O", "F"]), day.cast(pa.date32()),
        pc.add(day, pa.scalar(30, pa.int32())).cast(pa.date32()),
        pc.multiply(second, 1_000_000).cast(pa.timestamp("us")),
        choice(["DELIVER IN PERSON", "COLLECT COD", "NONE", "TAKE BACK RETURN"]),
        choice(["AIR", "RAIL", "SHIP", "TRUCK", "MAIL"]),
        choice([f"{a} {b} {c}" for a in words for b in words for c in words]),
    ]  # fmt: skip
    return pa.Table.from_arrays(made, names=list(COLUMNS))


class Peak:
    """The most memory that a process has held since."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.own = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._ended.wait(0.02):
            self.own = max(self.own, self._process.memory_info().rss)

    def stop(self) -> int:
        self._ended.set()
        self._thread.join()
        return self.own


@contextmanager
def servers(folder: Path) -> Iterator[tuple[int, int, Any]]:
    """(process id, port, S3 client) of a local Redshift and an S3 of its own."""
    s3 = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    s3.start()
    host, port = s3.get_host_and_port()
    environment = os.environ | {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "us-east-1", "LOCAL_REDSHIFT_PASSWORD": PASSWORD,
    }  # fmt: skip
    command = [sys.executable, "-m", "local.redshift", "--data", str(folder / "data"), "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        client = boto3.client("s3", endpoint_url=environment["AWS_ENDPOINT_URL"], aws_access_key_id="local",
                              aws_secret_access_key="local", region_name="us-east-1")  # fmt: skip
        client.create_bucket(Bucket=BUCKET)
        yield process.pid, int(line.split("ready on ")[1].split(",")[0].rsplit(":", 1)[1]), client
    finally:
        process.terminate()
        process.wait(30)
        s3.stop()


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.local_redshift_copy", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="default: %(default)s")
    parser.add_argument("--files", type=int, default=1, help="default: one, with one row group (%(default)s)")
    parser.add_argument("--limit-mb", type=int, default=300, help="fail above this much memory (default: %(default)s)")
    parser.add_argument("--no-result", action="store_true", help="print the table, do not write it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-copy-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL may run as another user
        with servers(folder) as (pid, port, client):
            csv = _make(folder, client, options.rows, options.files)
            idle = psutil.Process(pid).memory_info().rss
            # In turn, and the middle one of each counts: the machine may be busy with something else.
            rounds = [(_copy(pid, port, "parquet", options.rows), _psql(folder, csv)) for _ in range(ROUNDS)]
            parquet = sorted(first for first, _ in rounds)[ROUNDS // 2]
            psql = sorted(seconds for _, seconds in rounds)[ROUNDS // 2]
            measured = [(*parquet[:2], max(first[2] for first, _ in rounds))]
            measured.append(_copy(pid, port, "csv gzip", options.rows))
    table = _table(options, idle, measured, psql)
    print(table)
    if not options.no_result:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(table)
    worst = max(peak for _, _, peak in measured)
    if worst > options.limit_mb * 1_000_000:
        print(f"COPY took {worst / 1e6:.0f} MB, more than {options.limit_mb} MB", file=sys.stderr)
        return 1
    return 0


def _make(folder: Path, client: Any, count: int, files: int) -> Path:
    """Parquet and gzipped CSV on S3; the same CSV on disk."""
    csv = folder / "rows.csv"
    with csv.open("wb") as plain:
        each = -(-count // files)
        for number, first in enumerate(range(0, count, each)):
            part = rows(min(each, count - first), first)
            local = folder / "part"
            pq.write_table(part, local, row_group_size=each)
            client.upload_file(str(local), BUCKET, f"parquet/{number}")
            with pa.CompressedOutputStream(str(local), "gzip") as packed:
                pacsv.write_csv(part, packed, pacsv.WriteOptions(include_header=False))
            client.upload_file(str(local), BUCKET, f"csv/{number}")
            pacsv.write_csv(part, plain, pacsv.WriteOptions(include_header=False))
    return csv


def _copy(pid: int, port: int, form: str, count: int) -> tuple[str, float, int]:
    """(what, seconds, peak bytes)"""
    connection = psycopg2.connect(host="127.0.0.1", port=port, user="el", password=PASSWORD, dbname="dev")
    with connection.cursor() as cursor:
        cursor.execute("drop table if exists t")
        cursor.execute(f"create table t ({', '.join(f'{n} {k}' for n, k in COLUMNS.items())})")
        connection.commit()
        peak, start = Peak(pid), time.perf_counter()
        cursor.execute(f"copy t from 's3://{BUCKET}/{form.split()[0]}/' iam_role default {form}")
        connection.commit()
        seconds = time.perf_counter() - start
        most = peak.stop()
        cursor.execute("select count(*) from t")
        assert cursor.fetchone() == (count,)
    connection.close()
    return f"COPY … {form.upper()}", seconds, most


def _psql(folder: Path, csv: Path) -> float:
    """Seconds of psql's \\copy into the PostgreSQL that the local Redshift runs on, by the same settings."""
    from local.redshift.postgres import Postgres

    postgres = Postgres(folder / "plain")
    postgres.start()
    try:
        with postgres.connect("postgres") as connection, connection.cursor() as cursor:
            cursor.execute(
                f"drop table if exists t; create table t ({', '.join(f'{n} {k}' for n, k in COLUMNS.items())})"
            )
        connection.close()
        command = [
            str(programs() / "psql"),
            "-q",
            "-h",
            str(Path(postgres.socket_path).parent),
            "-U",
            "rdsdb",
            "-d",
            "postgres",
        ]
        environment = os.environ | {"PGPASSWORD": postgres._owner_password()}
        start = time.perf_counter()
        with csv.open("rb") as file:
            subprocess.run(
                [*command, "-c", "\\copy t from stdin (format csv)"], check=True, stdin=file, env=environment
            )
        return time.perf_counter() - start
    finally:
        postgres.stop()


def _table(options: argparse.Namespace, idle: int, measured: list[tuple[str, float, int]], psql: float) -> str:
    version = subprocess.run([programs() / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    count = options.rows
    memory = psutil.virtual_memory().total / 2**30
    lines = [
        "# COPY into the local Redshift",
        "",
        f"{count:,} rows of {len(COLUMNS)} columns in {options.files} file(s) of one row group each, "
        f"{dt.date.today():%Y-%m-%d}. One run, one machine: {os.cpu_count()} cores shared with other work, "
        f"{memory:.0f} GB, {platform.system()} {platform.machine()}. Python {platform.python_version()}, "
        f"pyarrow {pa.__version__}, {version.strip()}.",
        f"Parquet and psql in turn, {ROUNDS} times: the middle time, the most memory. Then CSV once.",
        "Memory is the resident set of the server's process, sampled every 20 ms, without PostgreSQL.",
        "No figure here is a figure of Redshift.",
        "",
        "| | seconds | rows/s | beside psql | peak memory |",
        "|---|---|---|---|---|",
        *(
            f"| `{what}` | {s:.1f} | {count / s:,.0f} | {psql / s:.2f} | {peak / 1e6:.0f} MB |"
            for what, s, peak in measured
        ),
        f"| `psql \\copy`, CSV, plain PostgreSQL | {psql:.1f} | {count / psql:,.0f} | 1.00 | |",
        "",
        f"Before the first COPY the server held {idle / 1e6:.0f} MB. Again: `make bench-local-redshift`.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
