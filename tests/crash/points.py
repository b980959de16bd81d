"""The points at which a run is killed or disturbed: each write to S3, each statement in Redshift, the reads of MySQL.

A new point is a new line. ``test_matrix.py`` makes the cells of the matrix of them, and fails when a run writes or
says something that is no point.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

#: What may happen at a point. Killed: with SIGKILL. Lost: it was done, and the answer never came.
Fault = Literal["killed before", "killed after", "500", "503", "slow", "torn", "lost", "cut before", "cut after"]
KILLS: tuple[Fault, ...] = ("killed before", "killed after")
#: ``make soak`` tries all of these.
ALL: dict[str, tuple[Fault, ...]] = {
    "s3": (*KILLS, "500", "503", "slow", "torn", "lost"),
    "mysql": (*KILLS, "cut before", "cut after"),
    "redshift": (*KILLS, "cut before", "cut after"),
}


@dataclass(frozen=True)
class Point:
    """The ``nth`` thing on a wire that looks like ``seen``: "PUT key", or the text of a statement.

    ``quick``: the faults that ``make test`` tries; the state after a write is that before the next, so one is enough.
    """

    name: str
    wire: Literal["s3", "mysql", "redshift"]
    seen: str
    nth: int = 1
    quick: tuple[Fault, ...] = ("killed after",)

    def matches(self, wire: str, text: str) -> bool:
        return wire == self.wire and re.search(self.seen, text, re.DOTALL) is not None


_EXTRACT = [
    Point("the record", "s3", r"^PUT .*/_runs/.*\.json$", quick=()),
    Point("the catalog", "mysql", "column_comment, extra", quick=()),
    Point("the window", "mysql", "start transaction with consistent snapshot", quick=()),
    Point("the lease", "s3", "^PUT .*/_leases/", quick=("killed after",)),
    Point("the fingerprint", "mysql", "bit_xor", quick=()),
    Point("the rows", "mysql", r"^.{4}\x17", quick=("killed after", "cut after")),
    Point("dlt's folder", "s3", "^PUT .*/init$"),
    Point("dlt's schema", "s3", "^PUT .*/_dlt_version/"),
    Point("a file", "s3", r"^PUT .*\.parquet$", quick=("killed after", "torn")),
    Point("dlt's seal", "s3", "^PUT .*/_dlt_loads/", quick=("killed after",)),
    Point("the server's history", "mysql", "Innodb_lsn_current", nth=2, quick=()),
    Point("the commit", "s3", "^PUT .*/_commits/", quick=("killed after", "503", "lost")),
    Point("the lease, given back", "s3", "^PUT .*/_leases/", nth=2),
    Point("the record, at the end", "s3", r"^PUT .*/_runs/.*\.json$", nth=2, quick=()),
    Point("the log", "s3", r"^PUT .*/_runs/.*\.log$", quick=()),
]
_TRANSACTION = [
    Point("the lock", "redshift", "^Q.{4}lock table", quick=("killed before",)),
    Point("the incoming table", "redshift", "^Q.{4}create temp table", quick=()),
    Point("COPY", "redshift", "^Q.{4}copy el__incoming", quick=("killed before", "killed after", "cut after")),
    Point("the count", "redshift", "^Q.{4}select entries.position", quick=()),
    Point("the delete by key", "redshift", '^Q.{4}delete from "raw_', quick=("killed after",)),
    Point("the insert", "redshift", r'^Q.{4}insert into "raw_\w+(?<!_el)"."[a-z]', quick=("killed after",)),
    Point("the receipt", "s3", "^PUT .*/_receipts/", quick=("killed after", "503")),
    Point("the ledger's row", "redshift", r'^Q.{4}insert into "raw_\w+_el"."', quick=("killed after",)),
    Point("dlt's load", "redshift", r'^Q.{4}insert into "raw_\w+"."_dlt_loads"', quick=("killed after",)),
]
_LOAD = [
    Point("the record", "s3", r"^PUT .*/_runs/.*\.json$", quick=()),
    Point("the lease", "s3", "^PUT .*/_leases/"),
    Point("the manifest", "s3", "^PUT .*/_manifests/", quick=("killed after", "500", "torn", "slow")),
    *_TRANSACTION,
    Point("COMMIT", "redshift", "^Q.{4}COMMIT", quick=KILLS),
    Point("the horizon", "s3", r"^PUT .*/_applied\.json$", quick=("killed after", "lost")),
    Point("the lease, given back", "s3", "^PUT .*/_leases/", nth=2, quick=()),
    Point("the problems", "s3", "^PUT .*/_alerts/"),
    Point("the record, at the end", "s3", r"^PUT .*/_runs/.*\.json$", nth=2, quick=()),
    Point("the log", "s3", r"^PUT .*/_runs/.*\.log$", quick=()),
]
#: Of ``el load --skip`` alone.
SKIP = Point("the skip", "s3", "^PUT .*/_skipped/")
#: Of ``el load --replay … --swap`` alone.
SWAP = [
    Point("the delete", "redshift", '^Q.{4}delete from "raw_'),
    Point("the insert", "redshift", '^Q.{4}insert into "raw_.* from "replay_'),
    Point("the receipt", "s3", "^PUT .*/_receipts/.*-swap"),
    Point("the ledger's row", "redshift", '^Q.{4}update "raw_'),
    Point("COMMIT", "redshift", "^Q.{4}COMMIT"),
]
#: Of a load that finds other columns, and a copy of the whole table to put in the place of what is there.
_COPY = [
    Point("a new column", "redshift", '^Q.{4}alter table "raw_.* add column', quick=("killed before", "cut after")),
    Point("a longer text", "redshift", '^Q.{4}alter table "raw_.* alter column', quick=("killed after", "cut before")),
    Point("dlt's schema", "redshift", "^Q.{4}INSERT INTO .*_dlt_version", quick=()),
    Point("COMMIT of dlt's schema", "redshift", "^Q.{4}COMMIT"),
    Point("the delete of all", "redshift", r'^Q.{4}delete from "raw_\w+"."\w+"\0', quick=("killed after", "cut after")),
    Point("the insert of all", "redshift", r"^Q.{4}insert into .* from el__incoming\0", quick=(*KILLS, "cut before")),
    Point("COMMIT", "redshift", "^Q.{4}COMMIT", nth=2, quick=("killed after", "cut after", "killed before")),
]
#: Points of a load that do not come in one of a copy, or are others there.
_NOT_OF_A_COPY = ("the delete by key", "the insert", "COMMIT", "the horizon", "the problems")
_AGAIN = {"a file": ("killed after",), "the commit": ("killed before", "killed after", "lost")}


def _quick(point: Point, faults: tuple[Fault, ...]) -> Point:
    return Point(point.name, point.wire, point.seen, point.nth, faults)


#: The runs of one table's life, and the points of each.
STAGES: dict[str, list[Point]] = {
    "first extract": _EXTRACT,
    "first load": [
        *[_quick(point, ()) for point in _LOAD if point.name != "COMMIT" and point.name != "the problems"],
        Point("the ledger's schema", "redshift", r'^Q.{4}create schema if not exists "raw_\w+_el"'),
        Point("the ledger", "redshift", r'^Q.{4}create table if not exists "raw_\w+_el"', quick=("killed before",)),
        Point("the ledger's view", "redshift", "^Q.{4}create or replace view", quick=()),
        Point("COMMIT of the ledger", "redshift", "^Q.{4}COMMIT", quick=("killed before", "killed after")),
        Point("the raw schema", "redshift", r'^Q.{4}create schema if not exists "raw_\w+(?<!_el)"'),
        Point("the raw table", "redshift", r'^Q.{4}create table if not exists "raw_\w+(?<!_el)"'),
        Point("dlt's tables", "redshift", "^Q.{4}CREATE TABLE"),
        Point("dlt's schema", "redshift", "^Q.{4}INSERT INTO .*_dlt_version"),
        Point("COMMIT of dlt's schema", "redshift", "^Q.{4}COMMIT", nth=2, quick=KILLS),
        Point("COMMIT", "redshift", "^Q.{4}COMMIT", nth=3, quick=("killed after",)),
    ],
    "extract": [
        *[
            _quick(point, _AGAIN.get(point.name, ()))
            for point in _EXTRACT
            if point.name not in ("dlt's folder", "dlt's schema")
        ],
        Point("the glance", "mysql", r"limit \d+\) found", quick=()),
    ],
    "load": _LOAD,
    "changed load": [
        *[_quick(point, ()) for point in _LOAD if point.name not in _NOT_OF_A_COPY],
        *_COPY,
    ],
}
