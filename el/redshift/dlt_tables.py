"""dlt's own tables beside the raw ones, ``_dlt_version`` and ``_dlt_loads``, so that dlt's tools keep working.

In: a commit. Out: the schema that dlt wrote to the landing for it, stored in Redshift by dlt's own client, on the
connection that is there already. Called only when a commit brings another schema than the one before: the client asks
half a dozen questions, and importing dlt takes longer than most loads.
"""

from __future__ import annotations

import json
import threading
from typing import Any

import psycopg2

from el import settings
from el.errors import LandingError, WarehouseError, WarehouseLost
from el.landing import Commit, TableLanding
from el.redshift.catalog import Target
from el.redshift.connection import Connection, quoted, rows
from el.retry import RACE, Backoff

_ONE_AT_A_TIME = threading.Lock()


def keep_schema(connection: Connection, commit: Commit, landing: TableLanding, target: Target) -> None:
    """Store a commit's dlt schema. The raw table must have all its columns by then, so dlt alters nothing.

    Raises:
        LandingError: the schema is not in the landing.
        WarehouseError: Redshift refuses.
    """
    schema = _stored_schema(commit, landing)
    from dlt.common.destination.exceptions import DestinationException
    from dlt.destinations import redshift
    from dlt.destinations.impl.redshift.configuration import RedshiftClientConfiguration

    config = RedshiftClientConfiguration()._bind_dataset_name(dataset_name=target.schema)
    # It never logs in: it is given a connection that is.
    destination = redshift(credentials={"host": "-", "database": "-", "username": "-", "password": "-"})
    backoff = Backoff(RACE)
    while True:
        try:
            # Tables loaded side by side would make dlt's own tables at the same time.
            with _ONE_AT_A_TIME, _on(destination.client(schema, config), connection) as client:
                client.initialize_storage()
                client.update_stored_schema(only_tables=[target.table, "_dlt_version", "_dlt_loads"], force=True)
            return
        except (DestinationException, psycopg2.Error) as error:  # another loader may be making the same tables
            if connection.closed:
                raise WarehouseLost(
                    f"{commit.source}.{commit.table}, commit {commit.seq}: the connection to Redshift was lost before "
                    "a row was changed. Run again: el load"
                ) from None
            connection.rollback()
            refused = WarehouseError(
                f"{commit.source}.{commit.table}: dlt's tables in {quoted(target.schema)} could not be "
                f"made or written ({type(error).__name__}). No row was changed and the commit waits. Check the "
                "user's rights in the schema, then run: el load"
            )
            refused.__suppress_context__ = True
            backoff.pause(refused)


def add_loads(connection: Connection, commits: list[Commit], target: Target, schema_name: str) -> None:
    """Write that dlt's load packages are in Redshift; part of the transaction that brings them."""
    loads = [(load_id, commit.dlt_schema_hash) for commit in commits for load_id in commit.load_ids]
    if not loads:
        return
    values = [value for load_id, schema_hash in loads for value in (load_id, schema_name, schema_hash)]
    rows(
        connection,
        f"insert into {quoted(target.schema, '_dlt_loads')} (load_id, schema_name, status, "
        f"inserted_at, schema_version_hash) values {', '.join(['(%s, %s, 0, getdate(), %s)'] * len(loads))}",
        values,
    )


def _on(client: Any, connection: Connection) -> Any:
    """dlt's client on a connection that stays open behind it."""
    sql = client.sql_client

    def take() -> Connection:
        connection.autocommit = True  # dlt begins its transactions itself
        sql._conn = connection
        return connection

    sql.open_connection, sql.close_connection = take, lambda: None
    return client


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
