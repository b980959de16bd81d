"""SQL for tests that MySQL and MariaDB both understand, where the obvious words are those of one of them."""

from __future__ import annotations

import os
from typing import Any


def numbers(last: int, first: int = 1) -> str:
    """A derived table with a column ``seq`` from ``first`` to ``last``, in order: ``insert … from {numbers(9)} n``.

    MariaDB has ``seq_1_to_9``. MySQL has recursive tables, which end after ``cte_max_recursion_depth`` rows; so digits
    are joined. Good up to some millions.
    """
    tens = range(len(str(last - first)))
    highest = (last - first) // 10 ** tens[-1]
    seq = " + ".join([str(first), *(f"d{ten}.d * {10**ten}" for ten in tens)])
    digits = ", ".join(f"{_digits(highest if ten == tens[-1] else 9)} d{ten}" for ten in tens)
    return f"(select {seq} as seq from {digits} where {seq} <= {last} order by seq limit {last - first + 1})"


def _digits(highest: int) -> str:
    return f"(select {' union all select '.join(['0 as d', *map(str, range(1, highest + 1))])})"


def hash_of(expression: str) -> str:
    """32 hexadecimal digits that look random. MySQL 9 has no ``md5()``."""
    return f"left(sha2({expression}, 256), 32)"


def no_pad_bin() -> str:
    """The collation that tells 'a' from 'A' and from 'a ', of the server under test."""
    return "utf8mb4_0900_bin" if os.environ["TEST_MYSQL"] == "mysql" else "utf8mb4_nopad_bin"


def explained(cursor: Any, sql: str) -> list[dict[str, Any]]:
    """What EXPLAIN says of a statement: a row per table, by column. MySQL 9's own default is a tree."""
    cursor.execute(f"explain format=traditional {sql}")
    names = [column[0].lower() for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def session_status(name: str) -> str:
    """A query for one of the session's status variables."""
    schema = "performance_schema" if os.environ["TEST_MYSQL"] == "mysql" else "information_schema"
    return f"select variable_value as value from {schema}.session_status where variable_name = '{name}'"
