"""A user of the archive with fewer rights: each is either right or refused, and it is said what to grant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from el.archive.rights import has_trigger
from tests.archive.test_run import AGE, AS_OF, OLD, configure, live, one, run
from tests.conftest import Source

PASSWORD = "p4ss"
COLUMNS = "id, v, created_at"


class User:
    """A user of one test, and what he may."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.name = f"'u_{uuid4().hex[:8]}'@'127.0.0.1'"
        self.role = f"r_{uuid4().hex[:8]}"
        source.mysql(f"create user {self.name} identified by '{PASSWORD}'", f"create role {self.role}")
        server = urlsplit(source.env["EL_MYSQL_ADMIN_URL"])
        bare = self.name.split("'")[1]
        source.env[f"ARCHIVE__{source.name.upper()}__CREDENTIALS"] = (
            f"mysql://{bare}:{PASSWORD}@127.0.0.1:{server.port}/{source.name}"
        )

    def grant(self, *grants: str, to: str | None = None) -> None:
        self.source.mysql(*(f"grant {grant} to {to or self.name}" for grant in grants))

    def refusals(self) -> str:
        (plan,) = self.source.archive("plan", "--as-of", AS_OF, "--json", code=None).json["tables"]
        return " ".join([*plan["refusals"], plan["failure"]])


@pytest.fixture
def user(source: Source) -> Iterator[User]:
    source.mysql(
        f"create table t (id int primary key, v int, {AGE})", f"insert into t values (1, 1, '{OLD}'), (2, 2, '{OLD}')"
    )
    configure(source, "t")
    made = User(source)
    yield made
    source.mysql(f"drop user {made.name}", f"drop role {made.role}")


def test_rights_on_the_table_alone_are_enough(user: User) -> None:
    user.grant("process on *.*", f"select, delete, trigger on {user.source.name}.t")
    assert user.refusals().strip() == ""
    assert one(run(user.source))["deleted"] == 2


def test_rights_of_an_active_role_are_enough(user: User) -> None:
    user.grant("process on *.*", f"select, delete, trigger on {user.source.name}.*", to=user.role)
    user.grant(user.role)
    word = "to" if "MariaDB" not in version(user.source) else "for"
    user.source.mysql(f"set default role {user.role} {word} {user.name}")
    assert user.refusals().strip() == ""
    assert one(run(user.source))["deleted"] == 2


def version(source: Source) -> str:
    with source.admin.cursor() as cursor:
        cursor.execute("select version()")
        return str(cursor.fetchone()[0])


def test_a_role_that_is_not_active_gives_nothing_and_is_told_of(user: User) -> None:
    user.grant("process on *.*", f"select, delete on {user.source.name}.t")
    user.grant(f"trigger on {user.source.name}.*", to=user.role)
    user.grant(user.role)
    assert "set default role" in user.refusals()
    assert one(run(user.source, code=1))["state"] == "refused"
    assert live(user.source) == [1, 2]


def test_a_trigger_that_the_user_may_not_see_is_no_reason_to_believe_that_there_is_none(user: User) -> None:
    user.grant("process on *.*", f"select, delete on {user.source.name}.*")
    user.source.mysql(
        "create table log (id int)", "create trigger x after delete on t for each row insert into log values (1)"
    )
    assert f"grant trigger on `{user.source.name}`.`t`" in user.refusals()
    assert one(run(user.source, code=1))["deleted"] == 0
    user.grant(f"trigger on {user.source.name}.t")
    assert "triggers on DELETE would run" in user.refusals()


def test_without_process_hidden_foreign_keys_cannot_be_known(user: User) -> None:
    user.grant(f"select, delete, trigger on {user.source.name}.*")
    assert "grant process on *.*" in user.refusals()
    assert one(run(user.source, code=1))["deleted"] == 0


def test_a_column_that_the_user_may_not_read_is_refused_by_name(user: User) -> None:
    user.grant("process on *.*", f"select (id, created_at), delete, trigger on {user.source.name}.t")
    found = user.refusals()
    assert "v" in found and f"grant select on `{user.source.name}`.`t`" in found
    assert one(run(user.source, code=1))["deleted"] == 0
    user.grant(f"select ({COLUMNS}) on {user.source.name}.t")
    assert user.refusals().strip() == ""
    assert one(run(user.source))["deleted"] == 2


def test_a_table_that_the_user_may_not_read_is_refused(user: User) -> None:
    user.grant("process on *.*")
    assert "may not" in user.refusals()


GRANTS: dict[str, tuple[list[str], bool]] = {
    "all": (["GRANT ALL PRIVILEGES ON *.* TO `u`@`%` IDENTIFIED BY PASSWORD '*94BD'"], True),
    "global": (["GRANT SELECT, TRIGGER ON *.* TO `u`@`%`"], True),
    "other": (["GRANT SELECT, DELETE ON *.* TO `u`@`%`"], False),
    "database": (["GRANT USAGE ON *.* TO `u`@`%`", "GRANT SELECT, TRIGGER ON `shop`.* TO `u`@`%`"], True),
    "other database": (["GRANT TRIGGER ON `shop2`.* TO `u`@`%`"], False),
    "escaped": (["GRANT TRIGGER ON `sh\\_op`.* TO `u`@`%`"], False),
    "pattern": (["GRANT TRIGGER ON `sh%`.* TO `u`@`%`"], True),
    "one letter": (["GRANT TRIGGER ON `sho_`.* TO `u`@`%`"], True),
    "name before pattern": (["GRANT TRIGGER ON `sh%`.* TO `u`@`%`", "GRANT SELECT ON `shop`.* TO `u`@`%`"], False),
    "table": (["GRANT SELECT (`a`, `id`), DELETE, TRIGGER ON `shop`.`orders` TO `u`@`%`"], True),
    "other table": (["GRANT TRIGGER ON `shop`.`orders2` TO `u`@`%`"], False),
    "column of that name": (["GRANT SELECT (`TRIGGER`), DELETE ON `shop`.`orders` TO `u`@`%`"], False),
    "role": (["GRANT `TRIGGER`@`%` TO `u`@`%`"], False),
    "procedure": (["GRANT EXECUTE ON PROCEDURE `shop`.`orders` TO `u`@`%`"], False),
    "revoked": (["GRANT SELECT, TRIGGER ON *.* TO `u`@`%`", "REVOKE TRIGGER ON `shop`.* FROM `u`@`%`"], False),
    "revoked elsewhere": (["GRANT TRIGGER ON *.* TO `u`@`%`", "REVOKE TRIGGER ON `other`.* FROM `u`@`%`"], True),
}


@pytest.mark.parametrize("case", GRANTS)
def test_the_lines_of_show_grants_are_read_as_mysql_means_them(case: str) -> None:
    lines, expected = GRANTS[case]
    assert has_trigger(lines, "shop", "orders", any_case=False) is expected


@pytest.mark.only_on("mysql", reason="MariaDB has no partial revokes")
def test_a_partial_revoke_counts(user: User, private: Any) -> None:
    private.start("--partial-revokes=ON")
    private.run(
        "create user u@'127.0.0.1'", "grant select, delete, process, trigger on *.* to u@'127.0.0.1'",
        "revoke trigger on db.* from u@'127.0.0.1'", f"create table db.t (id int primary key, v int, {AGE})",
    )  # fmt: skip
    name = f"ARCHIVE__{user.source.name.upper()}__CREDENTIALS"
    user.source.env[name] = f"mysql://u@127.0.0.1:{private.port}/db"
    assert "grant trigger on `db`.`t`" in user.refusals()
