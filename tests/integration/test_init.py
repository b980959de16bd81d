"""``el init`` on databases as they are found: what it writes runs, and says why."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from el import config, settings
from el.errors import UsageError
from el.init import write
from el.mysql import catalog, cursors
from el.mysql.connection import connected, rows
from tests.compare import assert_equal
from tests.conftest import REPOSITORY, Source
from tests.mysql_sql import numbers

STAMP = "updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6), key (updated_at)"


def file_of(source: Source) -> Path:
    return source.folder / "sources" / f"{source.name}.yml"


def init(source: Source) -> str:
    source.el("init", source.name)
    return file_of(source).read_text()


def tables(text: str) -> dict[str, Any]:
    return dict(yaml.safe_load(text)["tables"])


def said(text: str, table: str) -> str:
    """The comments above a table's line, or above its commented line, without the breaks that wrapping made."""
    lines = text.partition("\ntables:\n")[2].splitlines()
    (at,) = [n for n, line in enumerate(lines) if re.match(rf"  (# )?{re.escape(table)}: \{{", line)]
    first = at
    while first and lines[first - 1].startswith("  # ") and not re.search(r": \{.*\}$", lines[first - 1]):
        first -= 1
    return " ".join(line.removeprefix("  # ").strip() for line in lines[first:at])


def test_what_init_writes_for_the_demo_clinic_runs_and_moves_every_row(source: Source) -> None:
    statements = (REPOSITORY / "local" / "clinic" / "schema.sql").read_text()
    source.mysql(*[s for s in re.sub(r"(?m)^--.*$", "", statements).split(";\n") if s.strip()])
    source.mysql(
        "insert into specialties values (1, 'CARD', 'Cardiology', 1, 100)",
        "insert into providers (specialty_id, npi, first_name, last_name, hired_on) "
        "values (1, '1', 'A', 'B', '2020-01-01')",
        "insert into patients (ssn, first_name, last_name) values ('1', 'C', 'D'), (null, 'E', 'F')",
    )
    text = init(source)
    assert tables(text)["specialties"] == {"mode": "replace"}
    assert all(options == {} for name, options in tables(text).items() if name != "specialties")
    assert yaml.safe_load(text)["defaults"] == {"mode": "merge", "cursor": "updated_at"}
    assert "exclude: [ssn, email, first_name, last_name, birth_date, " in said(text, "patients")
    source.el("run")
    assert [assert_equal(source, name) for name in ("specialties", "providers", "patients")] == [1, 1, 2]
    source.mysql("update patients set last_name = 'G' where ssn = '1'", "update specialties set base_fee = 7")
    source.el("run")
    assert [assert_equal(source, name) for name in ("specialties", "patients", "messages")] == [1, 2, 0]


ODD = [
    f"create table `null` (id int primary key, {STAMP})",
    f"create table `on` (`yes` int primary key, `email,x]` int, {STAMP})",
    f"create table `123` (id int primary key, `~` int, {STAMP})",
    f"create table `a: b # c` (id int primary key, `name: {{x}}` int, {STAMP})",
    f'create table `it\'s "q"` (id int primary key, {STAMP})',
    f"create table `Bücher 目录` (id int primary key, `straße_name` int, {STAMP})",
    f"create table `line\nbreak` (id int primary key, `e\nmail` int, `phone\n  x: {{}}` int, {STAMP})",
    f"create table `line\u2028sep\u0085\tx` (id int primary key, {STAMP})",
    f"create table `- dash` (id int primary key, {STAMP})",
    f"create table `{'n' * 60}` (id int primary key, {STAMP})",
    "create table `key\nwith break` (`#id\n x` int primary key, `last\nupdate` int, `updated\nat` datetime)",
    "create table `no\nkey` (a int)",
]


def test_names_of_every_kind_make_a_file_that_runs(source: Source) -> None:
    source.mysql(*ODD)
    with source.admin.cursor() as cursor:
        cursor.execute("show tables")
        names = {row[0] for row in cursor.fetchall()}
    assert len(names) == len(ODD)
    text = init(source)
    (read,) = config.load_sources(file_of(source).parent).values()
    assert {table.name for table in read.tables} == names
    source.el("run")
    source.mysql(*(f"insert into `{name}` (id) values (1)" for name in ("null", "123", 'it\'s "q"', "a: b # c")))
    report = source.el("run", "--json").json
    assert {table["table"].partition(".")[2] for table in report["tables"]} == names
    assert sum(table["loaded"] for table in report["tables"]) == 4
    assert "exclude: [e\\u000amail" not in text  # a list to copy is YAML, not a comment's spelling
    assert 'exclude: ["e\\nmail", "phone\\n  x: {}"]' in text


def test_the_cursor_is_the_column_that_most_likely_tells_of_a_change(source: Source) -> None:
    now = "default current_timestamp on update current_timestamp"
    source.mysql(
        f"create table a (id int primary key, {STAMP})",
        f"create table b (id int primary key, updated_at datetime not null, row_time timestamp not null {now})",
        "create table c (id int primary key, modified_at datetime, LastModified datetime not null, key (LastModified))",
        "create table d (id int primary key, password_changed_at datetime, updated_by int, created_at datetime)",
        "create table e (id int primary key, updated_at int, update_time datetime(3))",
        "create table f (id int primary key, updated_on date)",
        "create table g (id int primary key, updated_at datetime not null, changed_at datetime(6) not null)",
        "create table h (id int primary key, one timestamp not null default '2001-01-01' on update current_timestamp, "
        f"two timestamp not null {now})",
        "create table i (id int primary key, updated_at datetime, changed_at datetime, key (changed_at))",
        "create table j (id int primary key, updated_at datetime, changed_at datetime not null)",
    )
    text = init(source)
    usual = yaml.safe_load(text)["defaults"]["cursor"]
    assert usual == "changed_at"  # the commonest
    found = {name: options.get("cursor", options.get("mode", usual)) for name, options in tables(text).items()}
    assert found == {
        "a": "updated_at",
        "b": "row_time",
        "c": "LastModified",
        "d": "replace",
        "e": "update_time",
        "f": "updated_on",
        "g": "changed_at",
        "h": "two",
        "i": "changed_at",
        "j": "changed_at",
    }
    source.el("extract", source.name)


def test_what_a_cursor_lacks_is_said_with_a_statement_that_gives_it(source: Source) -> None:
    source.mysql(
        "create table p (id int primary key)",
        "create table bad (id int primary key, `updated_at` datetime(3) null, p_id int, "
        "constraint to_p foreign key (p_id) references p (id) on delete set null)",
        f"create table good (id int primary key, {STAMP})",
        f"create table isam (id int primary key, {STAMP}) engine = myisam",
        "create table fixed (id int primary key, "
        "updated_at datetime not null default '2001-01-01' on update current_timestamp, key (updated_at))",
        "create table computed (id int primary key, j int, "
        "updated_at datetime as ('2020-01-01' + interval j day) stored, key (updated_at))",
    )
    text = init(source)
    bad = said(text, "bad")
    for part in ("has no index", "is not set by MySQL", "may be NULL", "to_p (on delete set null)"):
        assert part in bad
    assert said(text, "good") == "merge: updated_at is when a row was changed (MySQL sets it at every update)"
    assert "MyISAM, which has no transactions" in said(text, "isam")
    assert "not at an insert" in said(text, "fixed")
    assert "alter table" not in said(text, "computed")
    statements = re.findall(r"^  #   (alter table .*);$", text, re.MULTILINE)
    assert len(statements) == 4  # bad: MODIFY and an index; fixed: MODIFY; p: ADD COLUMN
    source.mysql(*statements)
    file_of(source).unlink()
    text = init(source)
    assert "alter table" not in text
    assert tables(text)["p"] == {}
    assert "foreign keys change rows" in said(text, "bad")  # no statement changes that


def test_a_table_that_cannot_be_merged_says_why_and_how_large_it_is(source: Source) -> None:
    source.mysql(
        f"create table keyless (a int, {STAMP})",
        "create table still (id int primary key, b int, updated_at int)",
        "create table large (a int) engine = myisam",
        f"insert into keyless (a) select seq from {numbers(2000)} n",
        f"insert into large select seq from {numbers(1000000)} n",
        "analyze table keyless, large",
    )
    text = init(source)
    assert tables(text) == {name: {"mode": "replace"} for name in ("keyless", "large", "still")}
    assert "defaults" not in yaml.safe_load(text)
    keyless = said(text, "keyless")
    assert "replace: no primary key; about 2,000 rows, " in keyless
    assert "give it a primary key; then cursor: updated_at" in keyless
    assert "replace: no primary key; LARGE: about 1,000,000 rows, 7.0 MB. Every run reads all of them" in said(
        text, "large"
    )
    assert "no column tells when a row was changed" in said(text, "still")
    assert "add column" not in said(text, "still")  # it has one of that name
    assert "LARGE" not in keyless


def test_a_table_that_only_grows_is_told_of_the_integer_cursor_which_then_works(source: Source) -> None:
    source.mysql(
        "create table clicks (`click id` bigint unsigned auto_increment primary key, created_at datetime not null)",
        "create table people (id int auto_increment primary key, hired date)",
        "insert into clicks (created_at) values (now()), (now())",
    )
    text = init(source)
    assert tables(text)["clicks"] == {"mode": "replace"}
    assert "looks as if it only grows: click id counts up, created_at is when" in said(text, "clicks")
    assert "promise that no row is updated or deleted" in said(text, "clicks")
    assert "grows" not in said(text, "people")
    file_of(source).write_text(text.replace("clicks: {mode: replace}", "clicks: {cursor: click id}"))
    source.el("run")
    source.mysql("insert into clicks (created_at) values (now())")
    source.el("run")
    assert assert_equal(source, "clicks", by_position=True) == 3


def test_columns_that_cannot_be_carried_or_share_a_name_are_excluded_with_the_reason(source: Source) -> None:
    source.mysql(
        "create table t (userId int, user_id int, _seq int, `Updated At` datetime, "
        "updated_at datetime not null default current_timestamp on update current_timestamp, "
        "email varchar(9), primary key (user_id))",
        "insert into t (userId, user_id, email) values (1, 2, 'a')",
    )
    text = init(source)
    assert tables(text) == {"t": {"exclude": ["userId", "_seq", "Updated At"]}}
    assert 'excluded: column "userId" would be user_id in Redshift, as user_id is' in said(text, "t")
    assert "as a column that el adds is" in said(text, "t")
    assert "_seq, Updated At, email] or hash: [email]" in said(text, "t")
    source.el("run")
    assert assert_equal(source, "t", exclude=["userId", "_seq", "Updated At"]) == 1


def test_what_cannot_be_copied_or_need_not_be_is_a_comment_with_the_reason(source: Source) -> None:
    has_sequences = os.environ["TEST_MYSQL"] == "mariadb"
    source.mysql(
        f"create table t (id int primary key, {STAMP})",
        f"create table `T!` (id int primary key, {STAMP})",
        "create table gone (id int)",
        "create view v as select id from t",
        "create view w as select id from gone",
        "drop table gone",
        *(["create sequence s"] if has_sequences else []),
        "create table clash (userId int, user_id int, primary key (userId, user_id))",
    )
    text = init(source)
    assert list(tables(text)) == ["T!"]
    assert 'left out: would be the same Redshift table as "T!": t' in said(text, "t")
    assert "a view; what it shows is in tables" in said(text, "v")
    assert "the view cannot be read" in said(text, "w")
    if has_sequences:
        assert "a sequence" in said(text, "s")
    assert "would be user_id in Redshift, as userId is" in said(text, "clash")
    for name in ("v", "s") if has_sequences else ("v",):
        text = text.replace(f"  # {name}: ", f"  {name}: ")
    file_of(source).write_text(text)
    source.el("run")
    assert source.redshift("select count(*) from raw.v") == [(0,)]
    if has_sequences:
        assert source.redshift("select count(*) from raw.s") == [(1,)]


def test_personal_looking_columns_are_named_and_stay_in(source: Source) -> None:
    source.mysql(
        "create table t (mrn varchar(9) primary key, homePhone int, lat double, ip varchar(45), amount int, "
        f"zipped int, `text` int comment 'free text, PHI', email_id int, message_id int, {STAMP})"
    )
    text = init(source)
    assert tables(text) == {"t": {}}
    listed = "[homePhone, lat, ip, text, email_id]"
    assert said(text, "t").endswith(
        f"review: may be personal: exclude: {listed} or hash: {listed}; may be personal, but the primary key cannot be "
        "excluded or hashed: [mrn]"
    )
    file_of(source).write_text(text.replace("t: {}", f"t: {{exclude: {listed}}}"))
    source.el("extract")


def test_datetime_cursors_are_listed_because_their_zone_is_not_known(source: Source) -> None:
    source.mysql(
        f"create table a (id int primary key, {STAMP})",
        "create table b (id int primary key, updated_at datetime)",
    )
    head = init(source).partition("source:")[0].replace("\n# ", " ")
    assert "whose time zone MySQL does not know, in: b. Where its writers use neither UTC nor" in head


def test_a_file_that_is_there_is_not_touched_and_print_writes_none(source: Source) -> None:
    source.mysql(f"create table t (id int primary key, {STAMP})")
    printed = source.el("init", source.name, "--print").out
    assert list(file_of(source).parent.iterdir()) == []
    assert init(source) == printed
    file_of(source).write_text("mine")
    refused = source.el("init", source.name, code=2)
    assert f"{file_of(source)} is there already" in refused.err
    assert refused.out == ""
    assert file_of(source).read_text() == "mine"
    assert source.el("init", source.name, "--print").out == printed
    assert [file.name for file in file_of(source).parent.iterdir()] == [file_of(source).name]


def test_a_folder_is_made_and_the_file_is_readable_as_any_other(source: Source) -> None:
    source.mysql(f"create table t (id int primary key, {STAMP})")
    folder = source.folder / "new" / "sources"
    done = source.el("init", source.name, env={"EL_SOURCES": str(folder)})
    file = folder / f"{source.name}.yml"
    assert done.out == f"{file}: 1 tables merged, 0 copied whole, 0 left out; 0 have columns to review. " + (
        f"Read it, then: el run {source.name}\n"
    )
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(file.stat().st_mode) == 0o666 & ~mask


@pytest.mark.parametrize("name", ["../clinic", "Clinic", "cli nic", ""])
def test_a_name_that_no_source_can_have_is_refused(source: Source, name: str) -> None:
    assert "must begin with a letter" in source.el("init", name, code=2).err
    assert list(file_of(source).parent.iterdir()) == []


def test_a_database_without_tables_is_a_failure_that_says_so(source: Source) -> None:
    source.mysql("create view v as select 1 as a")
    failed = source.el("init", source.name, code=1)
    assert "has no table that the user may read and el can copy. Nothing was written." in failed.err
    assert "v: left out: a view" in failed.err
    assert list(file_of(source).parent.iterdir()) == []


def test_a_variable_that_is_missing_is_named(source: Source) -> None:
    source.el("init", "other", code=2, env={"SOURCES__OTHER__CREDENTIALS": ""})
    assert "SOURCES__OTHER__CREDENTIALS is not set" in source.el("init", "other", code=2).err


def test_a_file_that_appears_while_mysql_is_read_is_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "clinic.yml"
    file.write_text("mine")
    with pytest.raises(UsageError, match="is there already and was left as it is"):
        write(file, "ours")
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("clinic.yml", "mine")]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "sources").write_text("a file")
    with pytest.raises(UsageError, match=r"sources/clinic.yml cannot be written: \w+. Nothing was written"):
        write(tmp_path / "sources" / "clinic.yml", "ours")


@pytest.mark.only_on("mariadb", reason="MySQL keeps its catalog in tables and opens none of the user's")
def test_only_the_source_s_own_database_is_opened_to_read_its_catalog(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MariaDB opens every table and view of every database where a query does not tell it that one is enough."""
    asked: list[str] = []

    def noting(connection: Any, sql: str, parameters: Any = None) -> Any:
        asked.append(sql)
        return rows(connection, sql, parameters)

    monkeypatch.setattr(catalog, "rows", noting)
    monkeypatch.setattr(cursors, "rows", noting)
    source.mysql(f"create table t (id int primary key, `j``s` json, j json, {STAMP})")
    variable = f"SOURCES__{source.name.upper()}__CREDENTIALS"
    monkeypatch.setenv(variable, source.env[variable])
    with connected(source.name, settings.mysql(source.name)) as connection:
        found = catalog.read_catalog(connection)
        plans = [row[-1] for sql in asked for row in rows(connection, f"explain {sql}")]
    assert [name for name, column in found.columns["t"].items() if column.is_json] == ["j`s", "j"]
    assert len(asked) > 5
    assert sum("Scanned 1 database" in plan for plan in plans) > 4
    assert not [plan for plan in plans if "all databases" in plan]
