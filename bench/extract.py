"""How fast and in how much memory ``el extract`` moves a table from MySQL to a commit, beside other ways to read it.

The contenders take turns, round after round, so that all of them have the same hour and the same machine; the best
round of each counts. Time is that of the whole process, from its start. Memory is the resident sets of the process and
its children together, sampled. Writes a table below bench/results.

    python -m bench.extract [--rounds N] [--scale 0.1] [--only lineitem] [--skip-slow] [--no-result]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import boto3
import pymysql

from bench import extract_tables
from bench.extract_report import report
from bench.measured import ROOT, Measured, measured
from tests.mysql_sql import numbers

PEERS = ROOT / ".venv-bench" / "bin"
SLING = next(PEERS.parent.glob("lib/python*/site-packages/sling_linux_amd64/bin/sling-linux-amd64"), None)
TABLES = {"lineitem": 3_000_000, "narrow": 4_000_000, "wide": 200_000}
MEMORY_ROWS = (1_000_000, 10_000_000)
IDLE_TABLES = 100
#: Read too slowly to wait for every round: they have one.
SLOW = ("dlt pyarrow", "Sling → CSV")


@dataclass(frozen=True)
class Stack:
    """The local stack's variables and how to log in to its MySQL."""

    env: dict[str, str]

    @property
    def admin(self) -> dict[str, Any]:
        url = urlsplit(self.env["EL_MYSQL_ADMIN_URL"])
        return {"host": url.hostname, "port": url.port, "user": url.username, "password": unquote(url.password or "")}

    def url(self, database: str) -> str:
        return self.env["SOURCES__CLINIC__CREDENTIALS"].rpartition("/")[0] + "/" + database

    def queries(self) -> int:
        """How many statements the server has been sent since it started."""
        with pymysql.connect(**self.admin) as connection, connection.cursor() as cursor:
            cursor.execute("show global status like 'Questions'")
            return int(cursor.fetchone()[1])

    @contextmanager
    def source(self, database: str, tables: dict[str, dict[str, str]]) -> Iterator[dict[str, str]]:
        """The environment of an ``el`` with these tables and an empty landing."""
        name, bucket = f"b_{uuid4().hex[:8]}", urlsplit(self.env["LANDING_URL"]).netloc
        with tempfile.TemporaryDirectory(prefix="bench-extract-") as folder:
            content = {"source": name, "defaults": {"mode": "merge", "cursor": "updated_at"}, "tables": tables}
            (Path(folder) / f"{name}.yml").write_text(json.dumps(content))
            yield self.env | {
                f"SOURCES__{name.upper()}__CREDENTIALS": self.url(database),
                "EL_SOURCES": folder,
                "EL_HOME": f"{folder}/home",
                "LANDING_URL": f"s3://{bucket}/{name}",
            }
        s3 = boto3.resource("s3", endpoint_url=self.env["AWS_ENDPOINT_URL"], region_name="us-east-1",
                            aws_access_key_id="local", aws_secret_access_key="local")  # fmt: skip
        s3.Bucket(bucket).objects.filter(Prefix=name).delete()


def wire(stack: Stack, table: str, rows: int) -> Measured:
    """What one connection gives: the server's own client, which throws every row away."""
    login = stack.admin
    command = ["mariadb", "--quick", "-h", login["host"], "-P", login["port"], "-u", login["user"]]
    query = ["-D", extract_tables.DATABASE, "-N", "-e", f"select * from {table}"]
    shell = ["sh", "-c", '"$@" > /dev/null', "sh", *command, *query]
    return measured(shell, stack.env | {"MYSQL_PWD": login["password"]})[0]


def el(stack: Stack, table: str, rows: int) -> Measured:
    """``el extract``: from the start of the program to the last commit."""
    with stack.source(extract_tables.DATABASE, {table: {}}) as env:
        done, printed = measured([sys.executable, "-m", "el.cli", "extract", "--json"], env)
    (result,) = json.loads(printed)["tables"]
    assert (result["extracted"], result["error"]) == (rows, None), result
    return done


def sling(stack: Stack, table: str, rows: int) -> Measured:
    """Sling to a CSV file."""
    with tempfile.TemporaryDirectory(prefix="bench-sling-") as folder:
        env = {"BENCH": stack.url(extract_tables.DATABASE) + "?tls=false", "HOME": folder, "PATH": os.environ["PATH"]}
        stream = ["--src-conn", "BENCH", "--src-stream", f"{extract_tables.DATABASE}.{table}"]
        done, _ = measured([SLING, "run", *stream, "--tgt-object", f"file://{folder}/out.csv"], env)
        with (Path(folder) / "out.csv").open("rb") as written:
            assert sum(1 for _ in written) == rows + 1
    return done


def peer(name: str, stack: Stack, table: str, rows: int) -> Measured:
    """One of ``extract_peers.py``."""
    with tempfile.TemporaryDirectory(prefix="bench-peer-") as folder:
        script = [PEERS / "python", ROOT / "bench" / "extract_peers.py", name]
        env = os.environ | {"BENCH": stack.url(extract_tables.DATABASE)}
        done, printed = measured([*script, table, folder], env)
    assert int(printed.split()[-1]) == rows, printed
    return done


def contest(stack: Stack, table: str, rows: int, rounds: int, skip_slow: bool) -> dict[str, list[Measured]]:
    """Every contender, in turn, so many times."""
    contenders = {"mariadb --quick, thrown away": wire, "el extract": el}
    for name in ("connectorx", "connectorx 2", "dlt connectorx", "dlt pyarrow"):
        contenders[name] = lambda *arguments, name=name: peer(name, *arguments)
    if SLING:
        contenders["Sling → CSV"] = sling
    found: dict[str, list[Measured]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name, run in contenders.items():
            if name not in SLOW or (number == 0 and not skip_slow):
                found[name].append(run(stack, table, rows))
                print(f"{table}: {name}: {found[name][-1]}", file=sys.stderr)
    return {name: each for name, each in found.items() if each}


def idle(stack: Stack) -> tuple[Measured, float]:
    """A run over many tables that have nothing new, and statements sent to MySQL per table."""
    database = f"{extract_tables.DATABASE}_idle"
    with pymysql.connect(**stack.admin, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(f"drop database if exists {database}")
        cursor.execute(f"create database {database}")
        cursor.execute(f"use {database}")
        for number in range(IDLE_TABLES):
            columns = f"id int primary key, v int, {extract_tables.CURSOR}, key (updated_at)"
            cursor.execute(f"create table t{number} ({columns})")
            cursor.execute(f"insert into t{number} (id, v) select seq, seq from {numbers(1000)} n")
    with stack.source(database, {f"t{number}": {} for number in range(IDLE_TABLES)}) as env:
        command = [sys.executable, "-m", "el.cli", "extract", "--json"]
        measured(command, env)
        before = stack.queries()
        done, printed = measured(command, env)
        queries = stack.queries() - before
    assert {table["extract_commits"] for table in json.loads(printed)["tables"]} == {0}
    return done, queries / IDLE_TABLES


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.extract", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--scale", type=float, default=1.0, help="of the rows of the contests (default: %(default)s)")
    parser.add_argument("--only", choices=[*TABLES, "memory", "idle"], help="one of the parts")
    parser.add_argument("--skip-slow", action="store_true", help=f"without {', '.join(SLOW)}")
    parser.add_argument("--no-result", action="store_true", help="print the tables, do not write them")
    options = parser.parse_args()
    stack = Stack(dict(os.environ))
    parts = [options.only] if options.only else [*TABLES, "memory", "idle"]
    contests, memory, at_rest = {}, {}, None
    for part in parts:
        if part in TABLES:
            asked = int(TABLES[part] * options.scale)
            rows = extract_tables.make(stack.admin, PEERS, part, asked)
            contests[part] = rows, contest(stack, f"{part}_{asked}", rows, options.rounds, options.skip_slow)
        elif part == "memory":
            for asked in MEMORY_ROWS:
                memory[asked] = el(stack, f"narrow_{asked}", extract_tables.make(stack.admin, PEERS, "narrow", asked))
        else:
            at_rest = idle(stack)
        text = report(contests, memory, at_rest, stack.admin, bool(SLING))
        if not options.no_result:  # after each part: what was measured stays if the next one ends it
            (ROOT / "bench" / "results" / "extract.md").write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    if not shutil.which("mariadb"):
        sys.exit("the mariadb client is not on PATH")
    sys.exit(main())
