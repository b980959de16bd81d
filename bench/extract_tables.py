"""The tables of ``bench/extract.py``, made once in a database of their own and left there for the next run.

narrow: five columns. wide: a hundred of the usual types. lineitem: TPC-H's, by ``tpchgen-cli``, with a cursor.
Doubles are eighths: dlt's pyarrow backend makes decimals of them, and ends when one has more than nine places.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pymysql

from tests.mysql_sql import hash_of, numbers

DATABASE = "bench_extract"
#: Rows of last year: those of the last minute would be read for the fingerprint too.
CURSOR = "updated_at timestamp(6) not null default '2025-11-01 12:00:00', key (updated_at)"
_LINEITEM = """l_orderkey bigint, l_partkey int, l_suppkey int, l_linenumber int, l_quantity decimal(15,2),
    l_extendedprice decimal(15,2), l_discount decimal(15,2), l_tax decimal(15,2), l_returnflag char(1),
    l_linestatus char(1), l_shipdate date, l_commitdate date, l_receiptdate date, l_shipinstruct char(25),
    l_shipmode char(10), l_comment varchar(44)"""
#: Rows of lineitem at scale factor 1.
_LINEITEM_ROWS = 6_001_215


def make(admin: dict[str, Any], programs: Path, table: str, rows: int) -> int:
    """Make ``table`` with about so many rows unless it is there; the number of its rows."""
    connection = pymysql.connect(**admin, local_infile=True, autocommit=True)
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"create database if not exists {DATABASE}")
            cursor.execute(f"use {DATABASE}")
            cursor.execute("show tables like %s", (f"{table}_{rows}",))
            if not cursor.fetchone():
                cursor.execute("drop table if exists unfinished")
                _MAKERS[table](cursor, programs, rows)
                cursor.execute(f"rename table unfinished to {table}_{rows}")
                cursor.execute(f"analyze table {table}_{rows}")
            cursor.execute(f"select count(*) from {table}_{rows}")
            return int(cursor.fetchone()[0])
    finally:
        connection.close()


def _narrow(cursor: Any, _: Path, rows: int) -> None:
    cursor.execute(f"create table unfinished (id bigint primary key, n int, kind varchar(20), v double, {CURSOR})")
    cursor.execute(
        "insert into unfinished (id, n, kind, v) select seq, crc32(seq) % 1000000, "
        f"elt(1 + seq % 4, 'created', 'updated', 'archived', 'deleted'), seq / 8e0 from {numbers(rows)} n"
    )


def _wide(cursor: Any, _: Path, rows: int) -> None:
    kinds = [
        ("int", "crc32(seq * {n}) % 100000"),
        ("varchar(40)", hash_of("seq * {n}")),
        ("decimal(12,2)", "(crc32(seq + {n}) % 1000000) / 100"),
        ("datetime", "'2020-01-01' + interval (seq % 80000) * {n} second"),
        ("double", "seq * {n} / 8e0"),
        ("date", "'1990-01-01' + interval (seq % 9000) + {n} day"),
        ("tinyint", "seq % {n}"),
        ("varchar(20)", "if(seq % 5 = 0, null, concat('value ', seq % 97))"),
    ]
    columns = [(f"c{n}", *kinds[n % len(kinds)]) for n in range(1, 99)]
    made = ", ".join(f"{name} {kind}" for name, kind, _ in columns)
    cursor.execute(f"create table unfinished (id int primary key, {made}, {CURSOR})")
    values = ", ".join(value.format(n=n) for n, (_, _, value) in enumerate(columns, 1))
    names = ", ".join(name for name, _, _ in columns)
    cursor.execute(f"insert into unfinished (id, {names}) select seq, {values} from {numbers(rows)} n")


def _lineitem(cursor: Any, programs: Path, rows: int) -> None:
    key = "primary key (l_orderkey, l_linenumber)"
    cursor.execute(f"create table unfinished ({_LINEITEM}, {CURSOR}, {key})")
    names = ", ".join(re.findall(r"l_\w+", _LINEITEM))
    with tempfile.TemporaryDirectory() as folder:
        scale = str(rows / _LINEITEM_ROWS)
        command = [programs / "tpchgen-cli", "tbl", "-s", scale, "--tables=lineitem", f"--output-dir={folder}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        cursor.execute(
            f"load data local infile '{folder}/lineitem.tbl' into table unfinished fields terminated by '|' ({names})"
        )


_MAKERS: dict[str, Callable[[Any, Path, int], None]] = {"narrow": _narrow, "wide": _wide, "lineitem": _lineitem}
