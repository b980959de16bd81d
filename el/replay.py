"""``el load --replay … --swap``: the rows of a table that was built anew replace those of the raw table.

In: a loader that has built the table in another schema from the landing. Out: the raw table with the rows of that one,
in one transaction; readers see either. The rebuilt table stays where it is.

Refused unless nothing is lost by it. A replay has the rows of the landing's commits: from a full copy on, which holds
what MySQL had then. A row that was archived or deleted in MySQL before is in the raw table only, if at all. So what
decides is not how far back the commits say that they go, but the rows: each key of the raw table must be in the rebuilt
one. Both must have applied the same commit last, under the locks of both ledgers.

Why DELETE and INSERT, and not ALTER TABLE … RENAME: Redshift moves no table to another schema. So the table keeps its
grants, its layout and the views on it, and room for its rows is needed twice until VACUUM has run.
"""

from __future__ import annotations

from el.errors import WarehouseError
from el.landing import Commit, LandedColumn
from el.load import Loader
from el.redshift import catalog, ledger, receipt
from el.redshift.catalog import Target, raw_schema
from el.redshift.connection import Connection, changed, explained, quoted, rows
from el.redshift.ledger import Changed, Position
from el.redshift.merge import is_text


def swap(loader: Loader) -> str:
    """Replace the raw table's rows by those that the loader has built; what was done, in words.

    Raises:
        WarehouseError: rows or columns would be lost, the two are not at the same commit, or Redshift refuses.
    """
    built, live = loader.target, Target(raw_schema(loader.table.source), loader.raw_name)
    with loader.warehouse.one() as connection, explained(f"{loader.table.label}, swapping {built.raw} in"):
        before = _position(connection, loader, live, built)
        commit = loader.landing.commit(before.seq)
        names = _columns(connection, loader, live, built)
        _refuse_loss(connection, loader, commit, live, built)
        listed = ", ".join(map(quoted, names))
        deleted = changed(connection, f"delete from {live.raw}")
        inserted = changed(connection, f"insert into {live.raw} ({listed}) select {listed} from {built.raw}")
        done = Changed(deleted, inserted)
        written = receipt.of_swap(commit, live, built, before, done, loader.id, loader.run_name)
        ledger.swapped(connection, live, before, inserted, loader.landing.write_receipt([commit], written, "-swap"))
        connection.commit()
    return (
        f"swapped in: {live.raw} had {deleted:,} rows and has the {inserted:,} of {built.raw} now, which can be dropped"
    )


def _refused(loader: Loader, why: str) -> WarehouseError:
    return WarehouseError(f"{loader.table.label}: not swapped: {why}")


def _position(connection: Connection, loader: Loader, live: Target, built: Target) -> Position:
    """Where both are; locks both ledgers, that of the raw table first."""
    known = ledger.known(connection, live.schema)
    if live.table in known.refused:
        raise WarehouseError(known.refused[live.table])
    if live.table not in known.positions or live.table not in known.raw:
        raise _refused(
            loader,
            f"there is no {live.raw}, or its ledger knows of no commit. Nothing was changed. To build it from the "
            f"landing no replay is needed: el load {loader.table.label}",
        )
    ledger.lock(connection, live)
    ledger.lock(connection, built)
    theirs, mine = ledger.last(connection, live), ledger.last(connection, built)
    if theirs is None or mine is None:
        raise _refused(loader, f"a ledger is empty. Nothing was changed. Run: el load {loader.table.label}")
    if (theirs.seq, theirs.load_id) != (mine.seq, mine.load_id):
        raise _refused(
            loader,
            f"{live.raw} is at commit {theirs.seq} and {built.raw} at commit {mine.seq}. Nothing was changed. Run "
            f"first: el load {loader.table.label}; and then the replay again",
        )
    if mine.hole and not theirs.hole:
        raise _refused(
            loader,
            f"commit {mine.hole.seq} was skipped in {built.raw}, and {live.raw} has its rows. Nothing was changed",
        )
    return theirs


def _columns(connection: Connection, loader: Loader, live: Target, built: Target) -> list[str]:
    """The columns of both, which must be the same."""
    theirs, mine = catalog.columns(connection, live), catalog.columns(connection, built)
    other = sorted(name for name in theirs.keys() | mine.keys() if theirs.get(name) != mine.get(name))
    if other:
        said = "; ".join(
            f"{name} is {theirs.get(name, 'not there')} and {mine.get(name, 'not there')}" for name in other
        )
        raise _refused(
            loader,
            f"{live.raw} and {built.raw} have other columns: {said}. Nothing was changed. Columns and types are those "
            "of all commits that are applied, so the landing's do not go back to the first of the raw table",
        )
    return list(theirs)


def _refuse_loss(connection: Connection, loader: Loader, commit: Commit, live: Target, built: Target) -> None:
    keys = [column for column in commit.columns if column.key]
    if keys and commit.mode == "merge":
        same = " and ".join(_same(column) for column in keys)
        sql = f"select count(*) from {live.raw} live left join {built.raw} built on {same} where built._seq is null"
        ((lost,),) = rows(connection, sql)
    else:  # the rows of one copy of the whole table, which both have applied
        ((lost,),) = rows(connection, f"select (select count(*) from {live.raw}) - (select count(*) from {built.raw})")
    if int(lost) > 0:
        raise _refused(
            loader,
            f"{int(lost):,} rows of {live.raw} are not in {built.raw}: MySQL no longer had them, archived or deleted, "
            "at the full copy that the landing's commits begin with. Nothing was changed. Query the rebuilt table "
            "where it is, or bring those rows into it first",
        )


def _same(column: LandedColumn) -> str:
    name = quoted(column.name)
    # Trailing blanks do not count in Redshift's comparison.
    length = f" and octet_length(live.{name}) = octet_length(built.{name})" if is_text(column) else ""
    return f"live.{name} = built.{name}{length}"
