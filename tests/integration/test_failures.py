"""Something is down or wrong: one clear message, the right exit code, nothing half done, and the next run completes."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

import pytest

from el.landing import COMMIT
from tests.compare import assert_equal
from tests.conftest import REPOSITORY, Finished, Source

CURSOR = (
    "updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6), key (updated_at)"
)


@pytest.fixture
def tables(source: Source) -> Source:
    for name in ("a", "b"):
        source.mysql(
            f"create table {name} (id int primary key, v varchar(30), {CURSOR})",
            f"insert into {name} (id, v) values (1, 'canary-value')",
        )
    source.configure({"a": {}, "b": {}})
    return source


#: Bound and never listening: nobody else gets the port of one, and nothing answers there.
_CLOSED: list[socket.socket] = []


def closed_port() -> int:
    _CLOSED.append(socket.socket())
    _CLOSED[-1].bind(("127.0.0.1", 0))
    return int(_CLOSED[-1].getsockname()[1])


def assert_clear(done: Finished, *parts: str) -> None:
    """One message that holds the parts; no traceback, no value."""
    text = done.out + done.err
    for part in parts:
        assert part in text
    assert "Traceback" not in text
    assert "canary-value" not in text
    errors = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert len(errors) <= 1, errors


def assert_next_run_completes(source: Source) -> None:
    source.el("run")
    assert_equal(source, "a")
    assert_equal(source, "b")


def test_an_unknown_selector(tables: Source) -> None:
    done = tables.el("run", f"{tables.name}.nosuch", code=2)
    assert_clear(done, f"{tables.name}.nosuch: no such source or table")
    assert done.out == ""
    assert tables.objects() == []


def test_a_wrong_mysql_password(tables: Source) -> None:
    name = f"SOURCES__{tables.name.upper()}__CREDENTIALS"
    done = tables.el("run", code=1, env={name: re.sub(":[^:@/]+@", ":wrong-secret@", tables.env[name])})
    assert_clear(done, "the user name or password is wrong", name)
    assert "wrong-secret" not in done.out + done.err
    assert tables.objects() == []
    assert_next_run_completes(tables)


def test_mysql_down(tables: Source) -> None:
    name = f"SOURCES__{tables.name.upper()}__CREDENTIALS"
    done = tables.el("run", code=1, env={name: f"mysql://el:x@127.0.0.1:{closed_port()}/{tables.name}"})
    assert_clear(done, "nothing answers there")
    assert_next_run_completes(tables)


def test_s3_down(tables: Source) -> None:
    done = tables.el("run", code=1, env={"AWS_ENDPOINT_URL": f"http://127.0.0.1:{closed_port()}"})
    assert_clear(done, "S3 cannot be reached", "AWS_ENDPOINT_URL")
    assert tables.objects() == []
    assert_next_run_completes(tables)


def test_a_bucket_that_is_not_there(tables: Source) -> None:
    done = tables.el("extract", code=1, env={"LANDING_URL": "s3://no-such-bucket-here/landing"})
    assert_clear(done, "there is no such bucket", "LANDING_URL")


def test_redshift_down(tables: Source) -> None:
    port = {"DESTINATION__REDSHIFT__CREDENTIALS__PORT": str(closed_port())}
    done = tables.el("run", code=1, env=port)
    assert_clear(done, "Redshift at", "nothing answers there")
    assert_next_run_completes(tables)


def test_a_wrong_redshift_password(tables: Source) -> None:
    done = tables.el("load", code=1, env={"DESTINATION__REDSHIFT__CREDENTIALS__PASSWORD": "wrong-secret"})
    assert_clear(done, "the user name or password is wrong")
    assert "wrong-secret" not in done.out + done.err


def test_a_missing_variable_is_wrong_usage(tables: Source) -> None:
    assert_clear(tables.el("run", code=2, env={"LANDING_URL": ""}), "LANDING_URL is not set")
    assert_clear(tables.el("load", code=2, env={"DESTINATION__REDSHIFT__CREDENTIALS__HOST": ""}), "HOST is not set")


def test_every_problem_with_the_catalog_is_reported_before_a_row_moves(tables: Source) -> None:
    tables.mysql(
        "create table no_key (id int, updated_at timestamp)",
        "create table wrong_cursor (id int primary key, created int)",
    )
    tables.configure(
        {"a": {"exclude": ["vv"]}, "no_key": {}, "wrong_cursor": {"cursor": "create"}, "bb": {}, "b": {"cursor": "v"}}
    )
    done = tables.el("run", code=2)
    file = Path(tables.folder / "sources" / f"{tables.name}.yml")
    lines = done.err.strip().splitlines()
    assert all(line.startswith(f"{file}:") for line in lines)
    text = done.err
    for part in (
        'table "a": exclude: no column "vv" (did you mean "v"?)',
        'table "no_key": mode merge needs a primary key',
        'table "wrong_cursor": cursor "create" is no column (did you mean "created"?)',
        'table "bb": no such table in MySQL',
        'table "b": cursor "v" is VARCHAR(30); it must be a TIMESTAMP, DATETIME or DATE',
    ):
        assert part in text
    assert tables.objects() == []


def test_one_table_that_fails_leaves_the_others_done(tables: Source) -> None:
    tables.mysql("alter table a add column big mediumtext", "update a set big = repeat('canary-value', 9000)")
    done = tables.el("run", code=1)
    assert_clear(done, f"{tables.name}.a: column big: 1 of 1 rows read hold more than the 65,535 bytes")
    assert_equal(tables, "b")
    tables.configure({"a": {"exclude": ["big"]}, "b": {}})
    tables.el("run")
    assert_equal(tables, "a", exclude=["big"])


def test_a_landed_file_that_was_changed_is_refused_by_name(tables: Source) -> None:
    tables.el("extract")
    (file,) = tables.commit("a", 1)["files"]
    key = f"landing/{tables.name}/a/{file['key']}"
    body = bytearray(tables.s3.get_object(Bucket="el-landing", Key=key)["Body"].read())
    body[len(body) // 2] ^= 1
    tables.s3.put_object(Bucket="el-landing", Key=key, Body=bytes(body))
    done = tables.el("load", code=1)
    assert_clear(done, file["key"], "is not the file that its commit names")
    assert_equal(tables, "b")
    assert tables.redshift(
        f"select count(*) from information_schema.tables where table_schema = 'raw_{tables.name}' and table_name = 'a'"
    ) == [(0,)]
    mended = tables.el("run", "--full", f"{tables.name}.a")  # as the message advises
    assert "commit 1 is missing or damaged; loaded from the full copy that begins at commit 2" in mended.out
    assert_equal(tables, "a")


def test_a_commit_whose_count_is_not_that_of_its_files_is_refused(tables: Source) -> None:
    tables.el("extract")
    key = f"landing/{tables.name}/a/_commits/{1:020d}.json"
    body = tables.s3.get_object(Bucket="el-landing", Key=key)["Body"].read()
    assert body.count(b'"rows": 1') == 3  # of the file, of the commit, of the fingerprint
    tables.s3.put_object(Bucket="el-landing", Key=key, Body=body.replace(b'"rows": 1', b'"rows": 2'))
    done = tables.el("load", code=1)
    assert_clear(done, "COPY brought 1 rows and the commit has 2", tables.commit("a", 1)["files"][0]["key"])
    assert tables.redshift("select count(*) from raw.a") == [(0,)]
    assert_equal(tables, "b")


def test_a_missing_commit_is_a_gap_and_is_refused(tables: Source) -> None:
    tables.el("extract")
    tables.mysql("update a set v = 'x'")
    tables.el("extract")
    tables.delete_objects("a/_commits/00000000000000000001.json")
    done = tables.el("load", code=1)
    assert_clear(done, f"{tables.name}.a: commit 1 is missing")
    assert_equal(tables, "b")
    tables.el("run", "--full", f"{tables.name}.a")  # as the message advises
    assert_equal(tables, "a")


def test_a_landing_that_went_back_is_refused_until_a_full_copy(tables: Source) -> None:
    for value in "xyz":
        tables.mysql(f"update a set v = '{value}'")
        tables.el("run")
    tables.delete_objects("a/_commits/00000000000000000003.json")
    tables.delete_objects("a/_commits/00000000000000000002.json")
    tables.mysql("update a set v = 'after'")
    done = tables.el("run", code=1)
    assert_clear(done, "it has lost commits", f"el run --full {tables.name}.a")
    tables.el("run", "--full", f"{tables.name}.a")
    assert_equal(tables, "a")


def test_a_raw_table_that_was_dropped_is_not_made_anew_in_silence(tables: Source) -> None:
    tables.el("run")
    tables.redshift(f"drop table raw_{tables.name}.a")
    tables.mysql("update a set v = 'x'")
    done = tables.el("run", code=1)
    assert_clear(done, "commit 1 is applied, but", "is gone")
    tables.redshift(f"drop table raw_{tables.name}_el.a")
    tables.el("load")
    assert_equal(tables, "a")


def test_a_commit_of_another_format_is_refused_by_name(tables: Source) -> None:
    tables.el("extract")
    key = f"landing/{tables.name}/a/_commits/{1:020d}.json"
    body = tables.s3.get_object(Bucket="el-landing", Key=key)["Body"].read()
    content = json.loads(body) | {"format": 99}
    tables.s3.put_object(Bucket="el-landing", Key=key, Body=json.dumps(content).encode())
    assert_clear(tables.el("load", code=1), f"has format 99 and this el knows format {COMMIT.number}")


def test_help_answers_without_loading_the_libraries() -> None:
    import subprocess
    import sys

    script = (
        "import sys\nsys.argv = ['el', '--help']\nfrom el.cli import main\ntry:\n    main()\nexcept SystemExit:\n    "
        "print(sorted({'dlt', 'pyarrow', 'boto3', 'connectorx', 'pydantic', 'psycopg2'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")
    assert "Usage:" in done.stdout
