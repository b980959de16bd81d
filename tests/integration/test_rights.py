"""A user with fewer rights than the documentation asks for: what is read is right, or it is refused, with the remedy.

One test per right that is missing. The server is the shared one; the users are made and dropped here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests import compare
from tests.conftest import Source

STAMP = "updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6), key (updated_at)"
#: Gives the source's user these rights alone; ``{db}`` and ``{user}`` stand for the source's.
Allow = Callable[..., None]


@pytest.fixture
def allow(source: Source) -> Iterator[Allow]:
    """The source's user is a new one, who has the rights that are given, and no other."""
    user = f"{source.name}@'127.0.0.1'"
    source.mysql(f"create user {user} identified by 'only-a-test'")
    variable = f"SOURCES__{source.name.upper()}__CREDENTIALS"
    url = urlsplit(source.env[variable])
    source.env[variable] = f"mysql://{source.name}:only-a-test@{url.hostname}:{url.port}/{source.name}"

    def give(*statements: str) -> None:
        source.mysql(*(each.format(db=source.name, user=user) for each in statements))

    yield give
    source.mysql(f"drop user {user}", f"drop role if exists {source.name}_role")


def make(source: Source) -> None:
    source.mysql(
        "create table parent (id int primary key)",
        "insert into parent values (1), (2)",
        f"create table t (id int primary key, j json, x longtext comment 'CHECK (json_valid(`x`))', "
        f"secret int, parent int, {STAMP}, foreign key (parent) references parent (id) on delete set null)",
        """insert into t (id, j, x, secret, parent) values (1, '{"a": [1, "é"]}', '{"b": 1}', 7, 1),
        (2, null, 'no JSON', null, 2)""",
    )
    source.configure({"t": {}})


def test_rights_on_tables_alone_give_the_same_columns_and_warnings(source: Source, allow: Allow) -> None:
    make(source)
    before = source.el("extract", "--json", env=as_admin(source)).table("t")
    allow("grant select on {db}.t to {user}")
    done = source.el("extract", "--json").table("t")
    assert done["extracted"] == 0, "the columns have another form than for a user with more rights"
    assert [warning for warning in done["warnings"] if "PROCESS" not in warning] == before["warnings"]
    assert "foreign keys change rows" in str(done["warnings"])
    source.el("load")
    assert compare.assert_equal(source, "t") == 2
    source.mysql("update t set j = '[1]' where id = 2")
    source.el("run")
    assert compare.assert_equal(source, "t") == 2


def as_admin(source: Source) -> dict[str, str]:
    """The source is read by a user with every right."""
    admin = source.env["EL_MYSQL_ADMIN_URL"]
    return {f"SOURCES__{source.name.upper()}__CREDENTIALS": admin + source.name}


@pytest.mark.parametrize("mode", ["merge", "replace"])
def test_a_table_with_columns_that_may_not_be_read_is_refused_and_says_what_to_grant(
    source: Source, allow: Allow, mode: str
) -> None:
    make(source)
    source.configure({"t": {"mode": mode}} if mode == "replace" else {"t": {}})
    allow("grant select (id, j, updated_at) on {db}.t to {user}", "grant select on {db}.parent to {user}")
    done = source.el("run", code=None)
    assert done.code == 2
    assert 'table "t": the user has no right on some of its columns' in done.err
    assert "Grant select on the whole table" in done.err
    assert source.objects() == []
    drafted = source.el("init", source.name, "--print").out
    assert "left out: the user has no right on some of its columns" in drafted
    assert "parent: {}" in drafted or "parent: {mode: replace}" in drafted
    allow("grant select on {db}.t to {user}")
    source.el("run")
    assert compare.assert_equal(source, "t") == 2


def test_a_role_that_is_not_active_is_named_and_works_when_it_is(source: Source, allow: Allow) -> None:
    make(source)
    role = f"{source.name}_role"
    allow(f"create role {role}", f"grant select on {{db}}.* to {role}", f"grant {role} to {{user}}")
    done = source.el("run", code=1)
    assert "set default role" in done.err
    assert source.objects() == []
    mysql = os.environ["TEST_MYSQL"] == "mysql"
    allow(f"set default role {role} {'to' if mysql else 'for'} {{user}}")
    source.el("run")
    assert compare.assert_equal(source, "t") == 2


def test_without_the_right_to_see_other_transactions_the_run_says_what_may_be_missed(
    source: Source, allow: Allow
) -> None:
    make(source)
    allow("grant select on {db}.* to {user}")
    done: Any = source.el("run", "--json").json
    assert "grant process on *.*" in str(done)
    assert compare.assert_equal(source, "t") == 2


def test_a_view_whose_function_may_not_be_called_is_refused_with_a_reason(source: Source, allow: Allow) -> None:
    source.mysql(
        "create function secret_of(n int) returns int deterministic return n + 1",
        f"create table t (id int primary key, {STAMP})",
        "insert into t (id) values (1)",
        "create sql security invoker view v as select id, secret_of(id) as n from t",
    )
    source.configure({"v": {"mode": "replace"}, "t": {}})
    allow("grant select on {db}.* to {user}")
    done = source.el("run", code=None)
    assert done.code in (1, 2)
    assert "grant execute" in done.err
    source.configure({"t": {}})
    source.el("run")
    assert compare.assert_equal(source, "t") == 1
