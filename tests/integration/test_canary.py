"""Secrets in every variable, a canary in every cell: neither is in anything that runs leave or say, whatever fails."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote

import pytest

from el.settings import VARIABLES
from tests.conftest import Source
from tests.proxy import s3_proxy
from tests.receivers import Hook, Queue
from tests.tcp_proxy import tcp_proxy

CURSOR = (
    "updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6), key (updated_at)"
)
#: In every cell, as text, number, date and bytes.
TEXT, NUMBER, DATE = "canary-cell", 867530921, "1987-06-05"
CANARIES = [TEXT, str(NUMBER), DATE, TEXT.encode().hex(), TEXT.upper()]
#: In every variable that is a secret, beside the local stack's own.
SECRET = "planted-secret"


@pytest.fixture
def planted(source: Source, queue: Queue, web: Hook) -> Source:
    source.env |= {
        "LANDING_URL": f"s3://el-landing/{source.name}",
        "EL_ALERTS_SNS_TOPIC": queue.topic,
        "EL_ALERTS_APPRISE": web.url.replace("hook-secret", SECRET),
        "EL_HASH_KEY": f"{SECRET}-of-the-hash-key",
        "AWS_SESSION_TOKEN": f"{SECRET}-token",
        "SOURCES__OTHER__CREDENTIALS": f"mysql://el:{SECRET}@127.0.0.1/other",
    }
    row = f"('{TEXT}', {NUMBER}, {NUMBER}.5, '{DATE}', '{DATE} 01:02:03', '{{\"k\": \"{TEXT}\"}}', '{TEXT}', '{TEXT}')"
    source.mysql(
        "create table t (s varchar(80) primary key, n bigint, p decimal(20,4), d date, m datetime, j json, "
        f"b varbinary(80), h varchar(80), {CURSOR})",
        f"insert into t (s, n, p, d, m, j, b, h) values {row}",
        f"create table u (id bigint primary key, v mediumtext, {CURSOR})",
        f"insert into u (id, v) values ({NUMBER}, '{TEXT}')",
        "create table r (s varchar(80), n bigint)",
        f"insert into r values ('{TEXT}', {NUMBER})",
    )
    source.configure({"t": {"hash": ["h"]}, "u": {}, "r": {"mode": "replace"}})
    return source


def secrets(source: Source) -> list[str]:
    """Values of every variable of the one list that is a secret, and the passwords in URLs."""
    names = {re.sub(r"<SOURCE>", source.name.upper(), variable.name) for variable in VARIABLES if variable.secret}
    values = [source.env[name] for name in names if source.env.get(name)]
    return [SECRET, *values, *(found[1] for value in values if (found := re.search(r"//[^:/]*:([^@/]+)@", value)))]


def said(source: Source, outputs: list[str], queue: Queue, web: Hook) -> dict[str, str]:
    """Everything that was printed, written or sent, by where it is."""
    found = {"printed": "\n".join(outputs), "queue": json.dumps(queue.received()), "web": json.dumps(web.received())}
    for file in (source.folder / "home").rglob("*"):
        if file.is_file():
            found[str(file.name)] = file.read_text(errors="replace")
    pages = source.s3.get_paginator("list_object_versions").paginate(Bucket="el-landing", Prefix=f"{source.name}/_")
    for version in [v for page in pages for v in page.get("Versions", [])]:
        body = source.s3.get_object(Bucket="el-landing", Key=version["Key"], VersionId=version["VersionId"])["Body"]
        found[f"{version['Key']} {version['VersionId']}"] = body.read().decode()
    return found


def test_no_secret_and_no_cell_is_in_anything_that_a_run_leaves_or_says(
    planted: Source, queue: Queue, web: Hook
) -> None:
    outputs: list[str] = []
    credentials = f"SOURCES__{planted.name.upper()}__CREDENTIALS"
    redshift = "DESTINATION__REDSHIFT__CREDENTIALS__"

    def el(*arguments: str, code: int, **env: str) -> None:
        done = planted.el(*arguments, code=code, env=env)
        outputs.append(done.out + done.err)

    def through(answer: Any, *arguments: str, code: int) -> None:
        with s3_proxy(planted.env["AWS_ENDPOINT_URL"], answer) as endpoint:
            el(*arguments, code=code, AWS_ENDPOINT_URL=endpoint)

    # It goes well.
    el("run", code=0)
    el("run", "--json", "--full", code=0)
    # MySQL: a wrong password, nobody there, a URL that is none; a statement that fails with a value in its message.
    user, database = "el", planted.name
    el("run", code=1, **{credentials: f"mysql://{user}:{SECRET}@{planted.env[credentials].rpartition('@')[2]}"})
    el("extract", code=1, **{credentials: f"mysql://{user}:{SECRET}@127.0.0.1:1/{database}"})
    el("extract", code=2, **{credentials: f"mysql:/{user}:{SECRET}/{database}"})
    # Redshift: a wrong password, nobody there, a table that does not fit.
    el("load", code=1, **{redshift + "PASSWORD": SECRET})
    el("load", code=1, **{redshift + "PORT": "1"})
    # Values: too long, a date that is none, JSON that Redshift cannot parse, another type.
    planted.mysql(
        "set session sql_mode = ''",
        f"update u set v = repeat('{TEXT}', 9000)",
        "update t set d = '0000-00-00'",
        f"""insert into t (s, j) values ('{TEXT} 2', '{{"k": "{TEXT}\\\\\\\\u0000"}}')""",
    )
    el("run", code=1)
    planted.mysql("update u set v = 'x'", "alter table t modify n varchar(80), modify h varchar(90)")
    el("run", code=1)
    # S3: refuses, is busy, lost a file.
    through(lambda method, path: 403 if method == "PUT" else None, "run", code=1)
    through(lambda method, path: 503 if "_commits" in path else None, "extract", "--full", code=1)
    planted.mysql(f"update u set v = '{TEXT} 3'")
    el("extract", f"{planted.name}.u", code=0)
    planted.delete_objects("u/u/")
    el("load", f"{planted.name}.u", code=1)
    # Wrong usage, with what may be in a hurry be typed.
    el("run", f"mysql://{user}:{SECRET}@db/{TEXT}", code=2)
    el("run", code=2, EL_HASH_KEY="short")
    # Whoever looks.
    for command in (("status",), ("status", "--json"), ("runs",), ("runs", "--failed", "--json"), ("notify", "test")):
        el(*command, code=0)
    for record in planted.el("runs", "--json").json:
        el("runs", "show", record["run"], code=0)
        el("logs", record["run"], code=0)

    found = said(planted, outputs, queue, web)
    assert "extract failed" in found["queue"], "alerts"
    assert "extract failed" in found["web"], "alerts"
    assert_no_leak(planted, found)


def assert_no_leak(source: Source, found: dict[str, str]) -> None:
    assert any("/_runs/" in place for place in found), "records"
    assert any("/_alerts/" in place for place in found), "problems"
    wanted = [*CANARIES, *secrets(source)]
    assert len(wanted) > 8
    leaks = {
        f"{value!r} in {place}"
        for place, text in found.items()
        for value in {form for one in wanted for form in (one, quote(one, safe=""), json.dumps(one)[1:-1])}
        if value in text
    }
    assert not leaks


#: Errors of Redshift that quote a value: to which message, SQLSTATE, message, detail, and what el says of it.
#: Those that come before a row moves,
BEFORE = [
    (r"^.{4}\x00\x03\x00\x00", "28000", f"no entry for user {TEXT}", f"password {SECRET}", "OperationalError"),
    ("^Q.{4}select table_schema", "42501", f"permission denied for {TEXT}", f"({TEXT})", "42501"),
    ("^Q.{4}create schema if not exists .*_el", "XX000", f"Assert {TEXT}", f"({TEXT})", "XX000"),
    ('^Q.{4}create table if not exists "raw_\\w+"[.]"t"', "42501", f"denied: {TEXT}", f"({TEXT})", "42501"),
    ("^Q.{4}INSERT INTO .*_dlt_version", "22001", f"too long: {TEXT}", f"Value: {TEXT}", "DatabaseTerminalException"),
]
ALTER = ('^Q.{4}alter table "raw_', "0A000", f"cannot alter: {TEXT}", f"({TEXT})", "0A000")
#: and those of the transaction.
WITHIN = [
    ("^Q.{4}copy el__incoming", "XX000", "Spectrum Scan Error", f"context: Value '{TEXT}', row {NUMBER}", "Spectrum"),
    ("^Q.{4}copy el__incoming", "XX000", "Load into table failed", f"Value: {TEXT}", "XX000"),
    ("^Q.{4}select entries.position", "22P02", f'invalid input syntax for integer: "{TEXT}"', DATE, "22P02"),
    ('^Q.{4}insert into "raw_\\w+"[.]"t"', "23505", "duplicate key", f"Key (s)=({TEXT}) already exists.", "23505"),
    ('^Q.{4}insert into "raw_\\w+"[.]"t"', "22P02", f"incompatible Parquet schema for column '{TEXT}'", "", "22P02"),
    ('^Q.{4}insert into "raw_\\w+_el"', "42703", f'value for column "s" {TEXT} does not exist', TEXT, "42703"),
    ("^Q.{4}COMMIT", "XX000", f"Assert {TEXT}", f"context: {NUMBER} {TEXT.upper()}", "XX000"),
]
#: Another transaction was in the way: it is noted, and tried again.
CONFLICT = ("^Q.{4}copy el__incoming", "40001", f"1023 {TEXT}", f"context: {NUMBER} {TEXT}", "tried again")


@pytest.mark.timeout(900)
def test_no_value_that_redshift_quotes_in_an_error_is_passed_on(planted: Source, queue: Queue, web: Hook) -> None:
    """The server answers as Redshift may, through psycopg2 and through dlt's client; DETAIL, CONTEXT and HINT too."""
    outputs, answered = [], []
    now: list[tuple[str, ...]] = []

    def cut(data: bytes) -> bytes | None:
        if not now or not re.search(now[0][0].encode(), data, re.DOTALL):
            return None
        _, code, message, detail, _ = now[0]
        answered.append(now[0])
        if now[0] == CONFLICT:
            now.clear()
        fields = {
            "S": "ERROR",
            "C": code,
            "M": message,
            "D": detail,
            "H": f"see {TEXT}",
            "W": f"row '{TEXT}', {NUMBER}",
        }
        body = b"".join(kind.encode() + text.encode() + b"\0" for kind, text in fields.items()) + b"\0"
        return b"E" + (len(body) + 4).to_bytes(4) + body + b"Z\0\0\0\5E"

    def el(case: tuple[str, ...], *arguments: str, code: int = 1) -> str:
        now[:] = [case]
        done = planted.el(*arguments, code=code, env={port: str(at), "EL_REDSHIFT_SSLMODE": "disable"})
        now.clear()
        outputs.append(done.out + done.err)
        assert answered.count(case), "the statement never came"
        return done.err

    port, table = "DESTINATION__REDSHIFT__CREDENTIALS__PORT", f"{planted.name}.t"
    planted.el("extract")
    with tcp_proxy(int(planted.env[port]), cut) as at:
        for case in BEFORE:
            assert case[-1] in el(case, "load", table), "the class of the error"
        for command in (("status",), ("load", "--skip", table, "1", "--reason", "for the test")):
            el(BEFORE[1], *command)
        planted.el("load")
        planted.mysql("alter table t add column w int")
        planted.el("extract")
        assert ALTER[-1] in el(ALTER, "load", table)
        planted.el("load")
        planted.mysql("update t set n = n + 1")
        planted.el("extract")
        for case in WITHIN:
            assert case[-1] in el(case, "load", table), "the class of the error"
        el(CONFLICT, "load", table, code=0)
    planted.el("load")  # nothing was half done
    found = said(planted, outputs, queue, web)
    assert "load failed" in found["queue"] + found["web"], "alerts"
    assert any(CONFLICT[-1] in text for place, text in found.items() if place.endswith(".log")), "logs"
    assert_no_leak(planted, found)
