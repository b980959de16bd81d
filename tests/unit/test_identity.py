"""Which server a commit was read from, and whether another one's history holds what was read."""

from __future__ import annotations

import pytest

from el.landing import Server
from el.mysql.identity import change, from_variables, holds, must_be

A, B = "3e11fa47-71ca-11e1-9e33-c80aa9429562", "7a0c2f9e-4d11-11ee-9d6e-0242ac120002"

# What SHOW GLOBAL VARIABLES prints for the names that are asked; MySQL has no gtid_current_pos, MariaDB no server_uuid.
RECORDED = {
    "MySQL 5.7 without GTIDs": (
        {"gtid_executed": "", "hostname": "ip-10-1-2-3", "port": "3306", "server_id": "1", "server_uuid": A},
        [],
        Server(A, None, None),
    ),
    "MySQL 8.0 with GTIDs of two servers": (
        {
            "gtid_executed": f"{A}:1-77,\n{B}:1-5:9",
            "gtid_mode": "ON",
            "log_bin": "ON",
            "hostname": "ip-10-1-2-3",
            "port": "3306",
            "server_id": "1",
            "server_uuid": A,
        },
        [412331],
        Server(A, f"{A}:1-77,{B}:1-5:9", 412331),
    ),
    "MySQL 8.4 with a tag": (
        {
            "gtid_executed": f"{A}:1-3:nightly:1-2",
            "gtid_mode": "ON_PERMISSIVE",
            "log_bin": "ON",
            "hostname": "h",
            "port": "3306",
            "server_id": "1",
            "server_uuid": A,
        },
        [7],
        Server(A, f"{A}:1-3:nightly:1-2", 7),
    ),
    "MySQL 8.0 that gives no GTIDs any more": (
        {"gtid_executed": f"{A}:1-3", "gtid_mode": "OFF_PERMISSIVE", "log_bin": "ON", "server_uuid": A},
        [7],
        Server(A, None, 7),
    ),
    "MySQL 8.0 without a binary log": (
        {"gtid_executed": f"{A}:1-3", "gtid_mode": "ON", "log_bin": "OFF", "server_uuid": A},
        [7],
        Server(A, None, 7),
    ),
    "MariaDB 10.11 that was a replica and has no binary log": (
        {"gtid_current_pos": "0-1-1234", "log_bin": "OFF", "hostname": "db-1", "port": "3306", "server_id": "1"},
        [99],
        Server("db-1:3306/1", None, 99),
    ),
    "MariaDB 10.11 with a binary log": (
        {
            "gtid_current_pos": "0-1-1234,5-2-9",
            "log_bin": "ON",
            "hostname": "db-1",
            "port": "3306",
            "server_id": "1",
        },
        [99],
        Server("db-1:3306/1", "0-1-1234,5-2-9", 99),
    ),
    "MariaDB 10.6 without": (
        {"gtid_current_pos": "", "hostname": "db-1", "port": "3306", "server_id": "1"},
        [99],
        Server("db-1:3306/1", None, 99),
    ),
}


@pytest.mark.parametrize("server", RECORDED)
def test_a_server_is_known_by_what_it_has(server: str) -> None:
    variables, positions, expected = RECORDED[server]
    assert from_variables(variables, positions) == expected


def test_a_replica_has_what_came_with_a_gtid_whatever_it_writes_itself() -> None:
    variables = {"gtid_executed": f"{A}:1-3", "gtid_mode": "ON", "log_bin": "OFF", "server_uuid": B}
    assert from_variables(variables, [], replica=True) == Server(B, f"{A}:1-3", None)


def test_mysql_is_checked_by_its_uuid_and_mariadb_by_what_it_has() -> None:
    assert "@@server_uuid" in must_be(Server(A, None, None))
    assert "@@hostname" in must_be(Server("db-1:3306/1", None, None))


@pytest.mark.parametrize(
    ("now", "before", "held"),
    [
        (f"{A}:1-10", f"{A}:1-10", True),
        (f"{A}:1-11", f"{A}:1-10", True),
        (f"{A}:1-9", f"{A}:1-10", False),
        (f"{A}:1-10,{B}:1", f"{A}:1-10", True),
        (f"{B}:1-500", f"{A}:1-10", False),
        (f"{A}:1-3:5-10", f"{A}:1-2:6", True),
        (f"{A}:1-3:5-10", f"{A}:4", False),
        (f"{A.upper()}:1-3", f"{A}:2", True),
        (f"{A}:1-3:nightly:1-2", f"{A}:1-3", True),
        (f"{A}:1-3:nightly:1-2", f"{A}:nightly:1-3", False),
        ("0-1-10,1-1-5", "0-1-10", True),
        ("0-2-11", "0-1-10", True),
        ("0-1-9", "0-1-10", False),
        ("1-1-99", "0-1-10", False),
    ],
)
def test_a_history_holds_another(now: str, before: str, held: bool) -> None:
    assert holds(now, before) is held


def test_another_server_is_a_continuation_only_if_its_history_says_so() -> None:
    before = Server("a:3306/1", "0-1-10", 500)
    assert change(before, Server("a:3306/1", "0-1-12", 510)) == "same"
    assert change(before, Server("b:3306/2", "0-2-12", 4)) == "continued"
    assert change(before, Server("b:3306/2", "0-2-9", 900)) == "went back"
    assert change(before, Server("b:3306/2", None, 900)) == "other"
    assert change(Server("a:3306/1", None, None), Server("b:3306/2", "0-2-9", 900)) == "other"


def test_the_same_server_with_a_shorter_history_went_back() -> None:
    before = Server(A, f"{A}:1-10", 500)
    assert change(before, Server(A, f"{A}:1-9", 600)) == "went back"
    assert change(before, Server(A, None, 499)) == "went back"
    assert change(before, Server(A, None, 500)) == "same"
