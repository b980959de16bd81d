"""``el init``: reads a database's catalog and writes a source file that runs as it is.

In: a source's name and its MySQL. Out: a YAML text in which every table has a line, and comments say why it is so and
what speaks against it.

Why a line is judged by parsing it and making the table's shape: those are the rules of ``el extract``. A copy of them
would let a file be written that does not run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from el import config, settings
from el.config import raw_name
from el.errors import ConfigError, SourceError, UsageError
from el.mysql import guess
from el.mysql.catalog import Catalog, TableShape, not_carried, read_catalog, shapes
from el.mysql.connection import connected, quoted
from el.mysql.cursors import kind_of
from el.mysql.types import CatalogColumn
from el.source_text import Entry, printable, text, word, words

#: From here on a table that is copied whole is worth a word about what that costs.
_LARGE_ROWS, _LARGE_BYTES = 1_000_000, 100_000_000


@dataclass(frozen=True)
class Draft:
    """A source file that is not written yet, and one line about it."""

    text: str
    summary: str


def draft(source: str) -> Draft:
    """The source file of a database as it is now.

    Raises:
        UsageError: the name cannot be a source's, or its variable is missing.
        SourceError: MySQL cannot be reached, or no table in it can be copied.
    """
    if not re.fullmatch(config.SOURCE_NAME, source):
        raise UsageError(
            f'source "{source}" must begin with a letter and hold only a-z, 0-9 and _. Nothing was read or written.'
        )
    server = settings.mysql(source)
    with connected(source, server) as connection:
        catalog = read_catalog(connection)
    entries = [_entry(source, catalog, name) for name in sorted(catalog.about)]
    _leave_out_same_names(entries)
    taken = [entry for entry in entries if not entry.left_out]
    if not taken:
        why = "".join(f"\n{printable(f'{entry.name}: {entry.comments[0]}')}" for entry in entries)
        raise SourceError(
            f"source {source}: MySQL at {server.where} has no table that the user may read and el can copy. "
            f"Nothing was written. Check the database's name and the user's grants.{why}"
        )
    written = text(source, server.database, entries)
    try:
        shapes(catalog, config.parse_source(written, file_of(source)).tables)
    except ConfigError as error:
        raise SourceError(
            f"source {source}: no file that runs could be made of this database. Nothing was written. "
            f"This is a mistake of el init; please report it:\n{error}"
        ) from None
    merged = sum("cursor" in entry.options for entry in taken)
    reviewed = sum(entry.reviewed > 0 for entry in taken)
    return Draft(
        written,
        f"{merged} tables merged, {len(taken) - merged} copied whole, {len(entries) - len(taken)} left out; "
        f"{reviewed} have columns to review",
    )


def file_of(source: str) -> Path:
    """Where a source's file is."""
    return settings.sources_folder() / f"{source}.yml"


def refuse_to_overwrite(file: Path) -> None:
    """Before MySQL is asked.

    Raises:
        UsageError: the file is there.
    """
    if file.exists() or file.is_symlink():
        raise UsageError(
            f"{file} is there already and was left as it is. What would be written now: el init {file.stem} --print. "
            "To write it, move the file away first."
        )


def write(file: Path, content: str) -> None:
    """Write a file that is not there yet, whole or not at all.

    Raises:
        UsageError: the file is there, or the folder cannot be written.
    """
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            beside.write_text(content, encoding="utf-8")
            os.link(beside, file)  # unlike a rename, it fails if the file is there
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        refuse_to_overwrite(file)
        raise UsageError(f"{file} cannot be written: {type(error).__name__}. Nothing was written.") from None


def _entry(source: str, catalog: Catalog, name: str) -> Entry:
    about = catalog.about[name]
    entry = _choose(catalog, name)
    try:
        shape = shapes(catalog, config.parse_source(text(source, "", [entry]), file_of(source)).tables)[name]
    except ConfigError as error:
        table = f'table "{name}": '
        entry.comments = [f"left out: {problem.partition(table)[2] or problem}" for problem in error.problems]
        entry.left_out = True
        return entry
    if about.is_view or about.is_sequence:
        what = "a view; what it shows is in tables" if about.is_view else "a sequence; it counts, and holds no rows"
        entry.comments = [f"left out: {what}. It can be copied whole:"]
        entry.left_out = True
        return entry
    entry.comments += [f"note: {warning}" for warning in shape.warnings]
    entry.comments += _remedies(catalog, shape)
    _review(catalog, entry)
    entry.unzoned = shape.cursor is not None and shape.cursor.zone_unknown
    return entry


def _choose(catalog: Catalog, name: str) -> Entry:
    """Mode, cursor and what must be excluded, with the reasons."""
    columns, key = catalog.columns.get(name, {}), catalog.keys.get(name, ())
    found = guess.cursor(name, columns, catalog.behaviour)
    cursor = found if key else None
    if cursor:
        set_by = "MySQL sets it at every update" if guess.sets_itself(cursor) else "its name says so"
        entry = Entry(name, {"cursor": cursor.name}, [f"merge: {cursor.name} is when a row was changed ({set_by})"])
    else:
        why = "no column tells when a row was changed" if key else "no primary key"
        reasons = [f"replace: {why}; {_size(catalog, name)}", *_other_ways(catalog, name, found)]
        entry = Entry(name, {"mode": "replace"}, reasons)
    # Of two columns with one raw name the later is excluded: not the key, not the cursor.
    first = [*key, *([cursor.name] if cursor else [])]
    ordered = [columns[column] for column in dict.fromkeys([*first, *columns])]
    unfit = {column: why for column, why in not_carried(ordered).items() if column not in key}
    if unfit:
        entry.options["exclude"] = list(unfit)
        entry.comments += [f"excluded: {why}" for why in unfit.values()]
    return entry


def _size(catalog: Catalog, name: str) -> str:
    about = catalog.about[name]
    size = about.estimated_rows * about.average_row
    said = f"about {about.estimated_rows:,} rows, {size / 1e6:,.1f} MB"
    if about.estimated_rows < _LARGE_ROWS and size < _LARGE_BYTES:
        return f"{said}, read by every run and copied whole when one of them changed"
    return (
        f"LARGE: {said}. Every run reads all of them for a checksum; when one has changed it reads all of them again, "
        "and all of them go through S3 into Redshift"
    )


def _other_ways(catalog: Catalog, name: str, found: CatalogColumn | None) -> list[str]:
    """What would make a table that is copied whole one that is merged."""
    columns, key = catalog.columns.get(name, {}), catalog.keys.get(name, ())
    if not key:
        return [f"to merge it, give it a primary key{f'; then cursor: {word(found.name)}' if found else ''}"]
    grows = guess.grows(columns, key)
    if grows and catalog.behaviour.increment == 1:
        number, made = (word(column.name) for column in grows)
        return [
            f"it looks as if it only grows: {number} counts up, {made} is when a row was made. cursor: {number} in "
            "place of mode: replace reads new rows only. It is your promise that no row is updated or deleted and that "
            "MySQL gives out every number: what breaks it is never seen"
        ]
    if "updated_at" in map(raw_name, columns):
        return []
    return [
        "to merge it, add a cursor:",
        f"  alter table {quoted(name)} add column updated_at timestamp(6) not null default current_timestamp(6) "
        "on update current_timestamp(6), add key (updated_at);",
    ]


def _remedies(catalog: Catalog, shape: TableShape) -> list[str]:
    """Statements that a person may run, for what the cursor lacks."""
    if shape.cursor is None:
        return []
    said = []
    cursor = catalog.columns[shape.name][shape.cursor.name]
    table, column = quoted(shape.name), quoted(cursor.name)
    kind, digits = kind_of(cursor)
    if cursor.nullable:
        said.append(
            f"note: cursor {cursor.name} may be NULL; rows without one are read again whenever anything changed"
        )
    lacking = cursor.nullable or cursor.starts_fixed or not guess.sets_itself(cursor)
    if lacking and kind != "date" and not re.search("virtual|stored|persistent", cursor.extra):
        now = f"current_timestamp({digits})" if digits else "current_timestamp"
        always = f"not null default {now} on update {now}" + (" invisible" if "invisible" in cursor.extra else "")
        said += [
            "to let MySQL set it always (first fill what is NULL; a comment of the column must be repeated here):",
            f"  alter table {table} modify {column} {cursor.column_type} {always};",
        ]
    if (shape.name, cursor.name) not in catalog.behaviour.indexed:
        said += ["to find changed rows without reading the whole table:", f"  alter table {table} add key ({column});"]
    return said


def _review(catalog: Catalog, entry: Entry) -> None:
    """Say which columns may be personal. The list to be excluded has those that the line excludes already."""
    columns, key = catalog.columns[entry.name], catalog.keys.get(entry.name, ())
    excluded = list(entry.options.get("exclude", []))
    found = [
        column.name
        for column in columns.values()
        if guess.is_personal(column) and column.name not in (*excluded, entry.options.get("cursor"))
    ]
    entry.reviewed = len(found)
    said = []
    if free := [name for name in found if name not in key]:
        said.append(f"may be personal: exclude: {words([*excluded, *free])} or hash: {words(free)}")
    if fixed := [name for name in found if name in key]:
        said.append(f"may be personal, but the primary key cannot be excluded or hashed: {words(fixed)}")
    if said:
        entry.comments.append(f"review: {'; '.join(said)}")


def _leave_out_same_names(entries: Sequence[Entry]) -> None:
    """Of two tables that would be one in Redshift the first stays."""
    by_raw_name: dict[str, str] = {}
    for entry in entries:
        if not entry.left_out and (first := by_raw_name.setdefault(raw_name(entry.name), entry.name)) != entry.name:
            entry.left_out = True
            entry.comments = [f'left out: would be the same Redshift table as "{first}": {raw_name(entry.name)}']
