"""Which servers are refused by what they print as their version, and what error numbers are in words."""

from __future__ import annotations

import pytest

from el.mysql.connection import reason, unsupported


@pytest.mark.parametrize(
    "version",
    [
        "8.0.35",
        "8.0.36-28",  # Percona
        "8.0.42-0ubuntu0.24.04.1",
        "8.0.mysql_aurora.3.04.0",
        "8.4.6",
        "9.7.4-2",
        "9.7.4-commercial",
        "10.6.18-MariaDB",
        "10.11.8-MariaDB-log",
        "5.5.5-10.6.18-MariaDB-log",
        "11.4.2-MariaDB-ubu2404",
        "12.0.1-MariaDB",
    ],
)
def test_a_supported_version_is_not_refused(version: str) -> None:
    assert unsupported(version) == ""


@pytest.mark.parametrize(
    "version",
    [
        "5.6.24",
        "5.7.44-log",
        "5.7.mysql_aurora.2.11.4",
        "8.1.0",
        "8.3.0",
        "10.0.1",
        "5.5.5-10.5.25-MariaDB",
        "10.5.25-MariaDB-log",
        "5.5.68-MariaDB",
        "8.0.11-TiDB-v7.5.1",
        "8.0.30-Vitess",
        "",
    ],
)
def test_any_other_version_is_refused_by_its_name_in_one_sentence(version: str) -> None:
    said = unsupported(version)
    assert said == f"the server is {version}; supported are MySQL 8.0, 8.4 and 9.x and MariaDB 10.6 and newer"


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (1044, "set default role"),
        (1049, "a new replica"),
        (1104, "max_join_size"),
        (1115, "character set"),
        (1142, "set default role"),
        (1143, "grant it on the whole table"),
        (1176, "invisible"),
        (1227, "PROCESS"),
        (1251, "caching_sha2_password"),
        (1292, "no date, time or number"),
        (1370, "grant execute"),
        (1525, "sql_mode"),
        (1690, "max_allowed_packet"),
        (1698, "give it"),
        (1969, "max_statement_time"),
        (2061, "ssl-mode=required"),
        (3024, "max_execution_time"),
        (3822, "names are unique"),
        (3948, "local_infile"),
    ],
)
def test_an_error_number_that_the_settings_of_a_server_cause_has_words(number: int, remedy: str) -> None:
    assert remedy in reason(number)
