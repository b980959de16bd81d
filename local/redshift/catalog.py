"""Puts Redshift's types, functions and system views into every database of the cluster.

They go into template1 before any database is made, so CREATE DATABASE hands them on. The text of sql/*.sql is hashed:
a cluster made by an older version gets the new one at the next start. Every file can be run again.
"""

from __future__ import annotations

import contextlib
import hashlib
from importlib import resources

import psycopg2
from psycopg2 import extensions, sql

from .lexer import literal
from .postgres import OWNER, Postgres, PostgresError

_FILES = (
    "types.sql", "comparison.sql", "functions.sql", "dates.sql", "strings.sql", "aggregates.sql", "percentiles.sql",
    "super.sql",     "super_operators.sql", "json.sql", "late_binding.sql", "materialized.sql",
    "declarations.sql", "catalog.sql", "tables.sql", "loads.sql", "privileges.sql",
)  # fmt: skip
_SESSION = "set standard_conforming_strings = on; set client_min_messages = error; set search_path = pg_catalog;"


def install(postgres: Postgres, user: str, password: str, database: str) -> None:
    """Leaves the user, with this password, and the database there, both as good as on Redshift."""
    text = "\n".join(resources.files(__package__).joinpath("sql", name).read_text() for name in _FILES)
    version = hashlib.sha256(text.encode()).hexdigest()
    _install(postgres, "template1", text, version)
    connection = postgres.connect("postgres")
    try:
        with connection.cursor() as cursor:
            _user(cursor, user, password)
            cursor.execute("select datname from pg_database where not datistemplate")
            databases = {row[0] for row in cursor.fetchall()} - {"postgres"}
            if database not in databases:
                name, owner = sql.Identifier(database), sql.Identifier(user)
                cursor.execute(sql.SQL("create database {} owner {}").format(name, owner))
    finally:
        connection.close()
    for name in databases:
        _install(postgres, name, text, version)


def _install(postgres: Postgres, database: str, text: str, version: str) -> None:
    connection = postgres.connect(database)
    try:
        with connection.cursor() as cursor:
            cursor.execute("select obj_description(to_regnamespace('redshift_internal'), 'pg_namespace')")
            if cursor.fetchone() == (version,):
                return
            try:
                done = f"comment on schema redshift_internal is {literal(version)}"
                cursor.execute(f"begin; {_SESSION} {text}; {done}; commit")
            except psycopg2.Error as error:
                raise PostgresError(
                    f"the catalog of database {database} in {postgres.cluster} could not be renewed ({error.pgerror}). "
                    "It was made by another version of the local Redshift: stop it and remove its data folder"
                ) from error
    finally:
        connection.close()


def _user(cursor: extensions.cursor, user: str, password: str) -> None:
    """The configured user, a superuser as an administrator is on Redshift. The password travels as its hash only."""
    digest = "md5" + hashlib.md5((password + user).encode(), usedforsecurity=False).hexdigest()
    if user == OWNER:
        raise ValueError(f"the user may not be called {OWNER}")
    name = sql.Identifier(user)
    with contextlib.suppress(psycopg2.errors.DuplicateObject):
        cursor.execute(sql.SQL("create role {} login superuser").format(name))
    cursor.execute(sql.SQL("alter role {} login superuser password {}").format(name, sql.Literal(digest)))
