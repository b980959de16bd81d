"""Raw tables: made and widened by dlt's own Redshift client, from the schema that dlt wrote to the landing.

In: a commit. Out: a raw table that has its columns, ``_dlt_version`` and ``_dlt_loads`` beside it, so that dlt's
tools keep working. dlt only ever adds columns; whatever else has changed (a type, a length) is found here and stops
the table with a clear message, because a value would be cut or refused later, or land in a wrong column.
"""

from __future__ import annotations

import json
import re
import threading
import time
from typing import Any

from el import settings
from el.errors import LandingError, WarehouseError
from el.landing import Commit, TableLanding
from el.redshift.connection import Connection, quoted, rows
from el.redshift.ledger import Position, ledger_schema, raw_schema
from el.settings import Redshift

_ATTEMPTS = 5
_ONE_AT_A_TIME = threading.Lock()
#: information_schema's names for the types that we write in DDL.
_NAMES = {
    "character varying": "varchar",
    "varchar": "varchar",
    "numeric": "decimal",
    "decimal": "decimal",
    "timestamp without time zone": "timestamp",
    "timestamp": "timestamp",
    "timestamp with time zone": "timestamptz",
    "timestamptz": "timestamptz",
    "binary varying": "varbyte",
    "varbyte": "varbyte",
    "varbinary": "varbyte",
}


def prepare(
    connection: Connection,
    server: Redshift,
    commit: Commit,
    landing: TableLanding,
    raw_name: str,
    position: Position | None,
) -> None:
    """Make the raw table fit a commit.

    Raises:
        WarehouseError: the table is gone although commits were applied to it, or a column has another type.
    """
    label = f"{commit.source}.{commit.table}"
    where = quoted(raw_schema(commit.source), raw_name)
    before = columns(connection, commit.source, raw_name)
    # Empty: a load was cut off between making the table and its first commit.
    unknown = bool(before and position is None and rows(connection, f"select 1 from {where} limit 1"))
    connection.rollback()
    if position and not before:
        raise WarehouseError(
            f"{label}: the ledger says that commit {position.seq} is applied, but {where} is gone. Nothing was changed."
            f" To build it again from the landing, drop its ledger and load: "
            f"drop table {quoted(ledger_schema(commit.source), raw_name)}"
        )
    if unknown:
        raise WarehouseError(
            f"{label}: {where} is there, but the ledger knows nothing of it, so it is not known what its rows are. "
            f"Nothing was changed. Rename it, or drop it, and load again: drop table {where}"
        )
    _differences(label, raw_name, commit, before)
    missing = [column.name for column in commit.columns if column.name not in before]
    if missing or position is None or position.schema_hash != commit.dlt_schema_hash:
        _apply(server, commit, landing, raw_name)


def columns(connection: Connection, source: str, raw_name: str) -> dict[str, str]:
    """Columns of a raw table and their types as we write them; empty if there is no such table."""
    found = rows(
        connection,
        "select column_name, data_type, character_maximum_length, numeric_precision, numeric_scale "
        "from information_schema.columns where table_schema = %s and table_name = %s order by ordinal_position",
        (raw_schema(source), raw_name),
    )
    return {str(name): _spelled(str(kind), length, precision, scale) for name, kind, length, precision, scale in found}


def _spelled(kind: str, length: Any, precision: Any, scale: Any) -> str:
    name = _NAMES.get(kind.lower(), kind.lower())
    if name == "varchar":
        return f"varchar({length or 65535})"
    return f"decimal({precision},{scale})" if name == "decimal" else name


def _differences(label: str, raw_name: str, commit: Commit, before: dict[str, str]) -> None:
    wrong = []
    for column in commit.columns:
        has = before.get(column.name)
        if before and has is None and column.key:
            wrong.append(f"{column.name} is part of the primary key now and is not there")
        if has is None or has == column.redshift:
            continue
        lengths = [re.fullmatch(r"varchar\((\d+)\)", kind) for kind in (has, column.redshift)]
        if lengths[0] and lengths[1] and int(lengths[0][1]) >= int(lengths[1][1]):
            continue  # wider than needed: every value fits
        wrong.append(f"{column.name} is {has.upper()} there and {column.redshift.upper()} in the commit")
    if wrong:
        raise WarehouseError(
            f"{label}: commit {commit.seq} does not fit {quoted(raw_schema(commit.source), raw_name)}: "
            f"{'; '.join(wrong)}. Nothing was changed and the commit waits. Drop the table and its ledger, "
            f"{quoted(ledger_schema(commit.source), raw_name)}, and run: el load {label}. "
            "The full copy that came with the change is loaded then; rows that MySQL no longer has are not"
        )


def _apply(server: Redshift, commit: Commit, landing: TableLanding, raw_name: str) -> None:
    schema = _stored_schema(commit, landing)
    destination = _destination(server)
    from dlt.common.destination.exceptions import DestinationException
    from dlt.destinations.impl.redshift.configuration import RedshiftClientConfiguration

    config = RedshiftClientConfiguration()._bind_dataset_name(dataset_name=raw_schema(commit.source))
    for attempt in range(_ATTEMPTS):
        try:
            # Tables loaded side by side would make the schema and dlt's own tables at the same time.
            with _ONE_AT_A_TIME, destination.client(schema, config) as client:
                client.initialize_storage()
                client.update_stored_schema(only_tables=[raw_name, "_dlt_version", "_dlt_loads"], force=True)
            return
        except DestinationException as error:  # another loader may be making the same tables
            if attempt == _ATTEMPTS - 1:
                raise WarehouseError(
                    f"{commit.source}.{commit.table}: {quoted(raw_schema(commit.source), raw_name)} could not be made "
                    f"or widened ({type(error).__name__}). No row was changed and the commit waits. Check the "
                    "user's rights in the schema, then run: el load"
                ) from None
            time.sleep(0.2 * (attempt + 1))


def _stored_schema(commit: Commit, landing: TableLanding) -> Any:
    """The schema that dlt wrote to the landing for this load."""
    settings.configure_dlt()
    from dlt.common.schema import Schema
    from dlt.destinations import filesystem
    from dlt.destinations.impl.filesystem.configuration import FilesystemDestinationClientConfiguration

    config = FilesystemDestinationClientConfiguration()._bind_dataset_name(dataset_name=landing.dlt_dataset)
    destination = filesystem(bucket_url=landing.dlt_bucket_url, enable_dataset_name_normalization=False)
    # Found by its hash: the name that the client asks for does not matter, and a long one would be refused.
    with destination.client(Schema("el"), config) as client:
        stored = client.get_stored_schema_by_hash(commit.dlt_schema_hash)
    if stored is None:
        raise LandingError(
            f"{landing.url}: dlt's schema {commit.dlt_schema_hash} of commit {commit.seq} is missing. Redshift was not "
            "changed. Restore it from the bucket's versions, or copy the table again: el run --full"
        )
    return Schema.from_dict(json.loads(stored.schema))


def _destination(server: Redshift) -> Any:
    """dlt's Redshift, with the types of our own type table: its own has no REAL and no length in bytes."""
    from dlt.destinations import redshift
    from dlt.destinations.impl.redshift.factory import RedshiftTypeMapper

    class TypeMapper(RedshiftTypeMapper):
        def to_destination_type(self, column: Any, table: Any) -> str:
            own: str | None = column.get("x-redshift-type")
            return own or super().to_destination_type(column, table)

    class Destination(redshift):
        def _raw_capabilities(self) -> Any:
            capabilities = super()._raw_capabilities()
            capabilities.type_mapper = TypeMapper
            return capabilities

        @property
        def destination_type(self) -> str:
            return "dlt.destinations.redshift"

    return Destination(
        credentials={
            "host": server.host,
            "port": server.port,
            "database": server.database,
            "username": server.user,
            "password": server.password,
            "query": {"sslmode": server.sslmode, "sslrootcert": server.sslrootcert},
        }
    )
