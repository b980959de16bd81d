"""How fast ``el-archive run`` copies, proves and deletes rows, beside pt-archiver, which copies and deletes them.

Each contender in its turn gets the same table anew, on a MySQL server of this benchmark's own that writes its log at
every commit (``innodb_flush_log_at_trx_commit=1``). pt-archiver writes to a local file; its default, a row at a time,
is ended after half a minute. The best round of each counts. Writes a table below bench/results.

    python -m bench.archive [--rounds N] [--rows N] [--no-result]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pymysql

from bench.measured import ROOT, Measured, machine, measured, versions
from local.mysql_server import chosen, find
from tests.mysql_sql import hash_of, numbers
from tests.private_mysql import PrivateMySQL

AS_OF, CUTOFF = "2026-07-01", "2026-01-01 00:00:00"
OLD, NEW = "2025-06-01", "2026-06-15"
#: An audit log as applications have it, about 250 bytes a row.
TABLE = f"""create table events (id bigint unsigned auto_increment primary key, user_id int not null,
    kind varchar(30) not null, ip varchar(45), amount decimal(12,2), detail varchar(255) not null, score double,
    created_at datetime not null, updated_at timestamp(6) not null default '{OLD}', key (user_id), key (created_at))"""
ROWS = f"""insert into events (user_id, kind, ip, amount, detail, score, created_at)
    select crc32(seq) % 50000, elt(1 + seq % 4, 'created', 'updated', 'viewed', 'deleted'),
    concat_ws('.', seq % 256, seq % 251, seq % 241, seq % 239), (crc32(seq) % 1000000) / 100,
    repeat({hash_of("seq")}, 5), seq / 8e0, if(seq % 10, '{OLD}', '{NEW}') + interval seq % 86400 second from """
BULK = ("--limit", "1000", "--commit-each", "--bulk-delete")
DEFAULTS_SECONDS = 30
#: Of the second table, by which memory is compared.
LARGER = 4


@dataclass(frozen=True)
class Archived:
    """One run: how the program did, rows that it deleted, and its longest transaction in seconds if it is known."""

    run: Measured
    deleted: int
    longest: float | None = None

    @property
    def rate(self) -> float:
        return self.deleted / self.run.seconds


class Bench:
    """The server, and the contenders on it."""

    def __init__(self, server: PrivateMySQL, folder: Path) -> None:
        self._server, self._folder = server, folder

    def old(self) -> int:
        """How many old rows there are."""
        with self._server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("select count(*) from events where created_at < %s", (CUTOFF,))
            return int(cursor.fetchone()[0])

    def table(self, rows: int) -> int:
        """The table as it is before a run; how many of its rows are old."""
        with self._server.connect() as connection, connection.cursor() as cursor:
            for statement in ("drop table if exists events", TABLE, f"{ROWS}{numbers(rows)} n"):
                cursor.execute(statement)
            connection.commit()
            cursor.execute("analyze table events")
        return self.old()

    def el(self, rows: int) -> Archived:
        """``el-archive run --execute``, to S3, with everything that it proves."""
        old = self.table(rows)
        name, place = f"b_{uuid4().hex[:8]}", self._folder / "el"
        shutil.rmtree(place, ignore_errors=True)
        (place / "sources").mkdir(parents=True)
        content = {
            "source": name,
            "defaults": {"mode": "merge", "cursor": "updated_at"},
            "retention": {"transient": {"keep": "6 months", "archive": "7 years"}},
            "tables": {"events": {"archive": {"class": "transient", "age": "created_at"}}},
        }
        (place / "sources" / f"{name}.yml").write_text(json.dumps(content))
        env = os.environ | {
            f"ARCHIVE__{name.upper()}__CREDENTIALS": f"mysql://root:@127.0.0.1:{self._server.port}/db",
            "EL_SOURCES": str(place / "sources"),
            "EL_HOME": str(place / "home"),
            "EL_ALERTS_SNS_TOPIC": "",
        }
        command = [sys.executable, "-m", "el.archive.cli", "run", "--execute", "--as-of", AS_OF, "--json"]
        run, printed = measured(command, env)
        (result,) = json.loads(printed)["tables"]
        assert (result["state"], result["deleted"], self.old()) == ("done", old, 0), result
        return Archived(run, old, result["longest"])

    def pt_archiver(self, rows: int, *options: str) -> Archived:
        """pt-archiver, to a local file."""
        old = self.table(rows)
        file = self._folder / "pt-archiver.txt"
        file.unlink(missing_ok=True)
        dsn = f"h=127.0.0.1,P={self._server.port},D=db,t=events,u=root,i=PRIMARY,A=utf8mb4"
        where = ["--where", f"created_at < '{CUTOFF}'", "--file", file, "--no-check-charset"]
        run, _ = measured(["pt-archiver", "--source", dsn, *where, *options], dict(os.environ), ends=(0, 1))
        deleted = old - self.old()
        assert deleted and ("--run-time" in options or deleted == old), deleted
        return Archived(run, deleted)


@contextmanager
def server() -> Iterator[PrivateMySQL]:
    """A server of the kind of the local stack, as durable as one in production."""
    with tempfile.TemporaryDirectory(prefix="bench-archive-") as folder:
        program = find(chosen(ROOT / ".local"))
        private = PrivateMySQL(Path(folder), program)
        log = "--innodb-redo-log-capacity=512M" if program.is_mysql else "--innodb-log-file-size=512M"
        try:
            private.start("--innodb-flush-log-at-trx-commit=1", "--innodb-buffer-pool-size=512M", log,
                          "--character-set-server=utf8mb4")  # fmt: skip
            yield private
        finally:
            private.kill()


OURS, DEFAULTS, IN_BULK = "el-archive run", "pt-archiver", f"pt-archiver {' '.join(BULK)}"


def report(found: dict[str, list[Archived]], memory: dict[int, Archived], version: str) -> str:
    """The page in Markdown."""
    best = {name: max(runs, key=lambda each: each.rate) for name, runs in found.items()}
    toolkit = re.search(r"[\d.]+", subprocess.run(["pt-archiver", "--version"], capture_output=True, text=True).stdout)
    assert toolkit
    lines = [
        "# Archive, beside pt-archiver",
        "",
        f"{machine()} {version}, pt-archiver {toolkit[0]}, {versions('connectorx', 'pyarrow', 'moto')}.",
        "",
        "The contenders took turns, each with the same table anew; of each the best round counts. Time is that of the",
        f"whole program from its start; pt-archiver's default was ended after {DEFAULTS_SECONDS} s. el-archive writes",
        "Parquet to S3, reads every object back and compares every row under the lock it is deleted by; pt-archiver",
        "writes to a local file and proves nothing. `innodb_flush_log_at_trx_commit=1`, no binary log. CPU is the",
        "client's alone. Use the ratios: no figure is one of your servers.",
        "",
        "| | rows/s | el-archive is | CPU s per 100,000 rows | peak memory | longest transaction |",
        "|---|---|---|---|---|---|",
    ]
    for name, one in best.items():
        longest = "" if one.longest is None else f"{max(each.longest or 0 for each in found[name]) * 1000:,.0f} ms"
        lines.append(
            f"| {name} | {one.rate:,.0f} | {best[OURS].rate / one.rate:.1f} times as fast | "
            f"{one.run.cpu / one.deleted * 100_000:.1f} | {max(r.run.peak for r in found[name]) / 1e6:,.0f} MB | "
            f"{longest} |"
        )
    lines += ["", "## Memory of el-archive", "", "| rows deleted | peak memory | rows/s |", "|---|---|---|"]
    lines += [f"| {one.deleted:,} | {one.run.peak / 1e6:,.0f} MB | {one.rate:,.0f} |" for one in memory.values()]
    return "\n".join([*lines, "", "Again: `make bench-archive`.", ""])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.archive", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--rows", type=int, default=300_000, help="of the table, 9 in 10 old (default: %(default)s)")
    parser.add_argument("--only", choices=["el", "pt", "memory"], help="one of the parts, without a result")
    parser.add_argument("--no-result", action="store_true", help="print the page, do not write it")
    options = parser.parse_args()
    with server() as private, tempfile.TemporaryDirectory(prefix="bench-archive-") as folder:
        bench = Bench(private, Path(folder))
        contenders: dict[str, Callable[[], Archived]] = {}
        if options.only in (None, "el"):
            contenders[OURS] = lambda: bench.el(options.rows)
        if options.only in (None, "pt"):
            contenders[DEFAULTS] = lambda: bench.pt_archiver(options.rows, "--run-time", f"{DEFAULTS_SECONDS}s")
            contenders[IN_BULK] = lambda: bench.pt_archiver(options.rows, *BULK)
        found: dict[str, list[Archived]] = {name: [] for name in contenders}
        for _ in range(options.rounds):
            for name, run in contenders.items():
                found[name].append(run())
                print(f"{name}: {found[name][-1].rate:,.0f} rows/s, {found[name][-1]}", file=sys.stderr)
        memory = {}
        if options.only in (None, "memory"):
            memory = {rows: bench.el(rows) for rows in (options.rows, options.rows * LARGER)}
            print(memory, file=sys.stderr)
        if options.only:
            return 0
        with private.connect() as connection:
            text = report(found, memory, pymysql_version(connection))
    if not options.no_result:
        (ROOT / "bench" / "results" / "archive.md").write_text(text)
    print(text)
    return 0


def pymysql_version(connection: pymysql.connections.Connection) -> str:
    """The server's version."""
    return str(connection.get_server_info()).removeprefix("5.5.5-")


if __name__ == "__main__":
    if not shutil.which("pt-archiver"):
        sys.exit("pt-archiver is not on PATH: install percona-toolkit, the package of your system")
    sys.exit(main())
