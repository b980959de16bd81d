"""COPY: the Parquet files of a manifest into a temporary table, which is made for them.

In: the table's name and columns, a manifest on S3. Out: a table that holds what Redshift read in the files. A Parquet
COPY is positional: the columns are those of the files, in their order. Whoever copies counts what came.
"""

from __future__ import annotations

from collections.abc import Iterable

from el.redshift.connection import Connection, quoted, rows


def copy(connection: Connection, table: str, columns: Iterable[tuple[str, str]], manifest: str, role: str) -> None:
    """Make a temporary table and fill it. ``columns`` are names and types; ``role`` is an IAM role's ARN or "default".

    Raises:
        psycopg2.Error: the table is there already, or Redshift refuses; ``connection.explained`` puts it into words.
    """
    made = ", ".join(f"{quoted(name)} {kind}" for name, kind in columns)
    rows(connection, f"create temp table {table} ({made})")
    clause = "default" if role == "default" else f"'{_literal(role)}'"
    rows(connection, f"copy {table} from '{_literal(manifest)}' iam_role {clause} format as parquet manifest")


def _literal(text: str) -> str:
    return text.replace("'", "''")
