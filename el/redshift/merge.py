"""The transaction that applies a batch of commits: all of it, once, or nothing.

    lock the table's ledger          first: a LOCK takes no snapshot, a SELECT would
    create the incoming temp table   the commits' columns in their order: a Parquet COPY is positional
    COPY one manifest                one statement for all files of all commits
    recount, and read the position   the rows of each commit and their summary; whether another loader was faster;
                                     whether the raw table has the rows of the commit before
    delete by primary key            mode replace: delete everything
    insert by column names           latest row per key
    the receipt, on S3               what came, and what became of it
    ledger rows, dlt's _dlt_loads    then commit

The ledger position is re-read after the COPY, in the statement that counts rows, which saves a round trip. The COPY is
wasted only if two loaders run on one table, which the lease (``lease.py``) normally prevents. Correctness does not
depend on the lease: the ledger's lock is held from the first statement on, and a position that has moved rolls all of
it back.

The receipt is written before the commit, so that no ledger row is without one. One of a transaction that was rolled
back is overwritten by the next attempt, and until then no ledger row names it.

Why not Redshift's MERGE: it refuses duplicates in the source, takes no ``_seq`` order, and hides two scans.
Why not TRUNCATE for mode replace: it commits at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from el.errors import WarehouseError
from el.landing import MAX_VARCHAR, Commit, LandedColumn
from el.redshift import dlt_tables, ledger, recount, went_back
from el.redshift.batch import Batch
from el.redshift.catalog import Target
from el.redshift.connection import Connection, changed, explained, quoted, rows
from el.redshift.copy import copy
from el.redshift.keys import partition, same
from el.redshift.ledger import Changed
from el.summary import Summary

#: Two underscores: no raw table and no column is ever called so (config.raw_name).
_INCOMING = "el__incoming"
#: A SELECT list ends at some 1,600 expressions, and a column has two or three.
_SUMMED_AT_ONCE = 400
#: Columns that a message names.
_NAMED = 5


@dataclass(frozen=True)
class Transaction:
    """What one transaction does. ``manifest`` names the files, None: there are none; ``copy_role`` reads them.

    ``before`` is the position that it is for, ``layout`` how the table lies, ``loader`` who applies it.
    """

    batch: Batch
    target: Target
    manifest: str | None
    copy_role: str
    before: ledger.Position | None
    layout: str
    loader: str


def apply(
    connection: Connection,
    one: Transaction,
    misses: Counter[str],
    keep: Callable[[Changed, Mapping[int, Summary]], str | None],
) -> ledger.Position | None:
    """Apply a batch; the new position.

    ``misses`` counts JSON values that could not be parsed, per column; it is right as soon as the COMMIT is sent.
    ``keep`` writes the receipt, of what changed and of what came, by seq, and gives its key.

    None if another loader has moved the position in the meantime.

    Raises:
        WarehouseConflict, WarehouseLost: trying again may help; after the latter, look first.
        WarehouseError: Redshift refused, or the rows that arrived are not those of the commits.
    """
    batch, target = one.batch, one.target
    source = batch.last.source
    misses.clear()
    with explained(f"{source}.{batch.last.table}, {batch.name}"):
        ledger.lock(connection, target)
        by_seq: dict[int, Counter[str]] = {}
        came: dict[int, Summary] = {}
        if one.manifest:
            now = _copy(connection, one, one.manifest, by_seq, came)
        else:
            last = ledger.last(connection, target)
            now = last.position if last else None
        if now != (one.before.position if one.before else None):
            connection.rollback()
            return None
        done = _merge(connection, batch, target.raw)
        missed = {seq: found.total() for seq, found in by_seq.items()}
        entry = ledger.Entry(one.layout, one.loader, missed, done, keep(done, came))
        position = ledger.record(connection, target, one.before, batch.steps, entry)
        dlt_tables.add_loads(connection, batch.copied, target, f"{source}_{target.table}")
        for found in by_seq.values():
            misses.update(found)
        connection.commit()
        return position


def _copy(
    connection: Connection,
    one: Transaction,
    manifest: str,
    misses: dict[int, Counter[str]],
    came: dict[int, Summary],
) -> int | None:
    """Fill the incoming table; the ledger's position. ``misses``: JSON values that became NULL, by seq and column.
    ``came``: what came, by seq.

    Raises:
        WarehouseError: the rows or the values that came are not those of the commits.
    """
    columns = one.batch.last_copied.columns
    if connection.has_incoming:
        rows(connection, f"drop table if exists {_INCOMING}")
    connection.has_incoming = True
    copy(connection, _INCOMING, map(_incoming, columns), manifest, one.copy_role)
    return _recount(connection, one, manifest, misses, came)


def _recount(
    connection: Connection,
    one: Transaction,
    manifest: str,
    misses: dict[int, Counter[str]],
    came: dict[int, Summary],
) -> int | None:
    """Hold what came against the commits; the ledger's position, which the same statement reads.

    Raises:
        WarehouseError: the rows or the values that came are not those of the commits.
    """
    batch, target = one.batch, one.target
    columns, salt = batch.last_copied.columns, batch.last_copied.summary.salt
    json_columns = [column.name for column in columns if column.json]
    parts = _parted(recount.summed(columns))
    counted = [
        f"sum(case when {name} is not null and not can_json_parse({name}) then 1 else 0 end)"
        for name in map(quoted, json_columns)
    ]
    incoming = recount.weighted(_INCOMING, columns, salt)
    select = ", ".join(["count(*)", recount.keys(), *recount.sums(parts[0]), *counted])
    found = rows(
        connection,
        f"select entries.position, _seq, _dlt_load_id, {select}, went_back.entries from {incoming} "
        f"cross join (select max(position) as position from {target.ledger}) entries "
        f"cross join ({went_back.question(target)}) went_back "
        "group by entries.position, _seq, _dlt_load_id, went_back.entries",
    )
    if found[0][-1] and not batch.starts_over:
        raise went_back.refusal(connection, target, f"{batch.last.source}.{batch.last.table}")
    found = [row[:-1] for row in found]
    _check_counts(batch, manifest, {(int(seq), str(load_id)): int(many) for _, seq, load_id, many, *_ in found})
    came |= {commit.seq: Summary(salt) for commit in batch.copied}
    for _, seq, _, many, keys, *more in found:
        came[int(seq)] += recount.summary(salt, int(many), keys, parts[0], more[: 2 * len(parts[0])])
        missed = zip(json_columns, more[2 * len(parts[0]) :], strict=True)
        by_column = {column: int(number) for column, number in missed if number}
        misses.setdefault(int(seq), Counter()).update(by_column)
    for part in parts[1:]:
        select = ", ".join(["count(*)", *recount.sums(part)])
        for seq, many, *more in rows(connection, f"select _seq, {select} from {incoming} group by _seq"):
            came[int(seq)] += recount.summary(salt, int(many), 0, part, more)
    for commit in batch.copied:
        _check_summary(batch, manifest, commit, came[commit.seq])
    return None if found[0][0] is None else int(found[0][0])


def _parted(columns: list[LandedColumn]) -> list[list[LandedColumn]]:
    return [columns[at : at + _SUMMED_AT_ONCE] for at in range(0, len(columns), _SUMMED_AT_ONCE)]


def _check_summary(batch: Batch, manifest: str, commit: Commit, found: Summary) -> None:
    """What lies in the incoming table must add up to what was read in MySQL."""
    wrong = commit.summary.differences(found) if commit.rows else []
    if not wrong:
        return
    label = f"{batch.last.source}.{batch.last.table}"
    more = f", and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
    raise WarehouseError(
        f"{label}, commit {commit.seq}: what COPY brought is not what was read in MySQL: "
        f"{'; '.join(wrong[:_NAMED])}{more}. Rolled back; Redshift is as it was. If the files are those of the commit "
        f"({manifest}), Redshift reads these types otherwise than they were written: run make conformance, and report "
        f"it. To have the rows once more: el run --full {label}"
    )


def _check_counts(batch: Batch, manifest: str, found: dict[tuple[int, str], int]) -> None:
    """Every row must be of a load that one of the commits names, and each load must have come whole."""
    expected: Counter[tuple[int, str]] = Counter()
    files: dict[tuple[int, str], list[str]] = {}
    for commit in batch.copied:
        for file in commit.files:
            load = commit.seq, file.load_id
            expected[load] += file.rows
            files.setdefault(load, []).append(file.key)
    label = f"{batch.last.source}.{batch.last.table}"
    for load in sorted(expected.keys() | found.keys()):
        if found.get(load, 0) == expected.get(load, 0):
            continue
        came = f"COPY brought {found.get(load, 0):,} rows and the commit has {expected.get(load, 0):,}"
        where = f"in {', '.join(files[load])}" if load in files else f"of load {load[1]}, which no commit names"
        raise WarehouseError(
            f"{label}, commit {load[0]}: {came} {where}. Rolled back; Redshift is as it was. The files in the landing, "
            f"or the manifest {manifest}, are not those of the commit: compare them with it, or copy the table again: "
            f"el run --full {label}"
        )


def _merge(connection: Connection, batch: Batch, raw: str) -> Changed:
    """What changed in the raw table.

    Raises:
        WarehouseError: fewer rows came into it than must, or more.
    """
    deleted = inserted = 0
    if not batch.copied:
        return Changed(deleted, inserted)
    commit: Commit = batch.last_copied
    if commit.mode == "replace":
        deleted = changed(connection, f"delete from {raw}")
    if not batch.rows:
        return Changed(deleted, inserted)
    keys = [column for column in commit.columns if column.key]
    if commit.mode == "merge":
        deleted = changed(connection, f"delete from {raw} using {_INCOMING} where {same(raw, _INCOMING, keys)}")
    names = ", ".join(quoted(column.name) for column in commit.columns)
    values = ", ".join(_value(column) for column in commit.columns)
    source = _INCOMING if commit.mode == "replace" else _latest(keys)
    inserted = changed(connection, f"insert into {raw} ({names}) select {values} from {source}")
    least = max(one.rows for one in batch.copied)  # no key stands twice in one commit
    if not least <= inserted <= batch.rows:
        raise WarehouseError(
            f"{commit.source}.{commit.table}, {batch.name}: of {batch.rows:,} rows {inserted:,} came into {raw}, and "
            f"{least:,} at least must: two of one commit have the same key in Redshift. Rolled back; Redshift is as it "
            "was. Compare the primary key with that of MySQL, and report it"
        )
    return Changed(deleted, inserted)


def _incoming(column: LandedColumn) -> tuple[str, str]:
    # SUPER would hold the text as a quoted string: it arrives as text and is parsed on its way into the raw table.
    return column.name, f"varchar({MAX_VARCHAR})" if column.json else column.redshift


def _value(column: LandedColumn) -> str:
    name = quoted(column.name)
    return f"case when can_json_parse({name}) then json_parse({name}) end" if column.json else name


def _latest(keys: list[LandedColumn]) -> str:
    return (
        f"(select *, row_number() over (partition by {partition(keys)} order by _seq desc) as el__rank "
        f"from {_INCOMING}) ranked where el__rank = 1"
    )
