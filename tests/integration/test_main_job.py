"""The main job on the demo source: MySQL and Redshift agree, and nothing moves that did not change."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from tests.compare import assert_equal
from tests.conftest import REPOSITORY, Source

CLINIC = yaml.safe_load((REPOSITORY / "el" / "sources" / "clinic.yml").read_text())


def clinic(source: Source, command: str, *arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "local.clinic", command, "--database", source.name, *arguments],
        cwd=REPOSITORY,
        env=source.env,
        check=True,
        capture_output=True,
    )


def assert_all_equal(source: Source, deleted: bool = False) -> int:
    total = 0
    for name, options in CLINIC["tables"].items():
        total += assert_equal(
            source,
            name,
            exclude=options.get("exclude", ()),
            hashed=options.get("hash", ()),
            key=source.env["EL_HASH_KEY"].encode(),
            deleted=deleted and options.get("mode") != "replace",
        )
    return total


def sequences(source: Source) -> dict[str, Any]:
    """Which commit brought each table's rows."""
    return {
        name: source.redshift(f"select _seq, _dlt_load_id, count(*) from raw.{name} group by 1, 2 order by 1, 2")
        for name in CLINIC["tables"]
    }


@pytest.fixture
def demo(source: Source) -> Source:
    clinic(source, "create", "--scale", "0.02")
    source.configure(CLINIC["tables"], CLINIC["retention"], **CLINIC["defaults"])
    return source


def test_the_demo_arrives_value_by_value_and_stays_right_while_it_changes(demo: Source) -> None:
    first = demo.el("run")
    assert "clinic" not in first.err.lower() or "error" not in first.err.lower()
    assert assert_all_equal(demo) > 2_000

    before, commits = sequences(demo), demo.objects()
    again = demo.el("run", "--json")
    assert [(t["extracted"], t["loaded"], t["extract_commits"]) for t in again.json["tables"]] == (
        [(0, 0, 0)] * len(CLINIC["tables"])
    )
    assert demo.objects() == commits
    assert sequences(demo) == before

    clinic(demo, "activity")
    shutil.rmtree(demo.folder / "home")  # no local folder is needed from one run to the next
    changed = demo.el("run", "--json")
    assert 0 < sum(t["extracted"] for t in changed.json["tables"]) < 1_000
    assert_all_equal(demo, deleted=True)

    clinic(demo, "activity", "--seed", "7")
    demo.el("extract")
    demo.el("load")
    assert_all_equal(demo, deleted=True)


def test_excluded_and_hashed_columns_never_reach_s3_in_clear(demo: Source) -> None:
    demo.el("run", "clinic.patients".replace("clinic", demo.name))
    columns = {
        name
        for (name,) in demo.redshift(
            "select column_name from information_schema.columns where table_schema = %s and table_name = 'patients'",
            f"raw_{demo.name}",
        )
    }
    assert "ssn" not in columns
    assert "email" in columns
    assert "ssn" not in {column["name"] for column in demo.commit("patients", 1)["columns"]}
    connection = demo.connect()
    with connection.cursor() as cursor:
        cursor.execute("select email from patients where email is not null and email <> ''")
        emails = [row[0].encode() for row in cursor.fetchall()]
    connection.close()
    files = [key for key in demo.objects("patients/patients/") if key.endswith(".parquet")]
    assert files
    assert len(emails) > 10
    for key in files:
        place = f"landing/{demo.name}/{key}"
        body = demo.s3.get_object(Bucket="el-landing", Key=place)["Body"].read()
        assert not any(email in body for email in emails)


@pytest.mark.long
def test_extract_needs_no_redshift_and_load_needs_no_mysql(demo: Source) -> None:
    def without(prefix: str) -> dict[str, str]:
        return {name: "" for name in demo.env if name.startswith(prefix)}

    demo.el("extract", env=without("DESTINATION__"))
    demo.el("load", env=without("SOURCES__") | without("EL_HASH_KEY"))
    assert_all_equal(demo)


@pytest.mark.long
def test_a_landing_that_was_lost_is_copied_in_full_again_and_said(demo: Source) -> None:
    demo.el("run")
    demo.delete_objects()
    clinic(demo, "activity")
    again = demo.el("run")
    assert "no longer holds commit" in again.out
    assert_all_equal(demo, deleted=True)
    quiet = demo.el("run", "--json")
    assert not any(t["extract_commits"] or t["load_commits"] or t["warnings"] for t in quiet.json["tables"])


def test_status_shows_what_is_pending(demo: Source) -> None:
    table = f"{demo.name}.devices"
    assert demo.el("status", table, "--json").json[0]["commits"] == 0
    demo.el("extract", table)
    (waiting,) = demo.el("status", table, "--json").json
    assert (waiting["commits"], waiting["applied"], waiting["pending"]) == (1, None, 1)
    demo.el("load", table)
    (done,) = demo.el("status", table, "--json").json
    assert (done["commits"], done["applied"], done["pending"]) == (1, 1, 0)
    assert done["watermark"] is not None
    assert "watermark" in demo.el("status").out


def test_the_log_of_a_run_is_where_the_report_says_and_holds_no_secret(demo: Source) -> None:
    done = demo.el("run", f"{demo.name}.patients")
    path = done.out.strip().splitlines()[-1].removeprefix("log: ")
    with open(path) as file:
        log = file.read()
    assert f"{demo.name}.patients" in log
    secrets = [
        demo.env["EL_HASH_KEY"],
        demo.env["DESTINATION__REDSHIFT__CREDENTIALS__PASSWORD"],
        demo.env[f"SOURCES__{demo.name.upper()}__CREDENTIALS"].split(":")[2].split("@")[0],
    ]
    for secret in secrets:
        assert secret not in log + done.out + done.err


def test_two_sources_are_kept_apart(make_source: Callable[[], Source]) -> None:
    one, two = make_source(), make_source()
    for source, value in ((one, 1), (two, 2)):
        source.mysql(
            "create table t (id int primary key, v int, updated_at timestamp(6) default current_timestamp(6) "
            "on update current_timestamp(6), key (updated_at))",
            f"insert into t (id, v) values (1, {value})",
        )
        source.configure({"t": {}})
    shutil.copy(two.folder / "sources" / f"{two.name}.yml", one.folder / "sources")
    both = {name: value for name, value in two.env.items() if name.startswith("SOURCES__")}
    one.el("run", env=both)
    assert one.redshift("select v from raw.t") == [(1,)]
    assert two.redshift("select v from raw.t") == [(2,)]
    assert os.path.exists(one.folder / "home" / "logs")
