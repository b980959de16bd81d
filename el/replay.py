"""``el load --replay … --swap``: the rows of a table that was built anew replace those of the raw table.

In: a loader that has built the table in another schema from the landing, and perhaps a raw table with what the landing
does not reach back to. Out: the raw table with the rows of those, in one transaction; readers see either. The rebuilt
table stays where it is.

Refused unless nothing is lost by it. A replay has the rows of the landing's commits: from a full copy on, which holds
what MySQL had then. A row that was archived or deleted in MySQL before is in the raw table only, if at all. So what
decides is not how far back the commits say that they go, but the rows: each key of the raw table must be in the rebuilt
one. Both must have applied the same commit last, under the locks of both ledgers.

``--with``: the archive fills the rest. Its rows come back into a table of MySQL (``el-archive restore``), and that is
extracted and loaded like any other; so they have the form that extract gives values, which the archive's own files have
not, and this host needs neither MySQL nor the archive. Of a key that both have the rebuilt row stays, because MySQL had
it later. What is filled in carries ``_seq`` 0: no commit of this table brought it.

Why DELETE and INSERT, and not ALTER TABLE … RENAME: Redshift moves no table to another schema. So the table keeps its
grants, its layout and the views on it, and room for its rows is needed twice until VACUUM has run.
"""

from __future__ import annotations

from dataclasses import dataclass

from el.config import raw_name
from el.errors import WarehouseError
from el.landing import Commit, LandedColumn, Landing, TableLanding
from el.load import Loader
from el.redshift import catalog, ledger, receipt
from el.redshift.catalog import Target, raw_schema
from el.redshift.connection import Connection, changed, explained, quoted, rows
from el.redshift.keys import is_text, same
from el.redshift.ledger import Changed, Position


@dataclass(frozen=True)
class Rest:
    """The raw table of another source that has what the landing does not reach back to, and its landing."""

    label: str
    landing: TableLanding
    target: Target

    @classmethod
    def of(cls, label: str, landing: Landing) -> Rest:
        """``label`` is SOURCE.TABLE. The source file is not needed: its commits say what it is."""
        source, _, table = label.partition(".")
        name = raw_name(table)
        return cls(label, landing.table(source, name), Target(raw_schema(source), name))


@dataclass(frozen=True)
class _Tables:
    """The raw table, the one that was built anew, and what fills the rest."""

    live: Target
    built: Target
    rest: Rest | None


def swap(loader: Loader, rest: Rest | None = None) -> str:
    """Replace the raw table's rows by those that the loader has built, and ``rest``; what was done, in words.

    Raises:
        WarehouseError: rows or columns would be lost, the tables are not where they must be, or Redshift refuses.
        LandingError: the landing of ``rest`` cannot be read.
    """
    built, live = loader.target, Target(raw_schema(loader.table.source), loader.raw_name)
    with loader.warehouse.one() as connection, explained(f"{loader.table.label}, swapping {built.raw} in"):
        before = _position(connection, loader, live, built, rest)
        commit = loader.landing.commit(before.seq)
        names = _columns(connection, loader, live, [built, *([rest.target] if rest else [])])
        filled_from: dict[str, object] | None = None
        if rest:
            seq = _refuse_other_form(connection, loader, commit, rest)
            filled_from = {"schema": rest.target.schema, "table": rest.target.table, "seq": seq}
        tables = _Tables(live, built, rest)
        _refuse_loss(connection, loader, commit, tables)
        listed = ", ".join(map(quoted, names))
        deleted = changed(connection, f"delete from {live.raw}")
        inserted = changed(connection, f"insert into {live.raw} ({listed}) select {listed} from {built.raw}")
        filled = _fill(connection, commit, tables, names) if rest else 0
        done = Changed(deleted, inserted + filled)
        if filled_from:
            filled_from["rows"] = filled
        written = receipt.of_swap(
            commit, receipt.Swap(live, built, before, done, filled_from), loader.id, loader.run_name
        )
        key = loader.landing.write_receipt([commit], written, "-swap")
        ledger.swapped(connection, live, before, done.inserted, key)
        connection.commit()
    more = f" and {filled:,} of {rest.target.raw}" if rest else ""
    return (
        f"swapped in: {live.raw} had {deleted:,} rows and has the {inserted:,} of {built.raw}{more} now, which can be "
        "dropped"
    )


def _refused(loader: Loader, why: str) -> WarehouseError:
    return WarehouseError(f"{loader.table.label}: not swapped: {why}")


def _position(connection: Connection, loader: Loader, live: Target, built: Target, rest: Rest | None) -> Position:
    """Where the raw table and the rebuilt one are; locks all ledgers, that of the raw table first."""
    label = loader.table.label
    _refuse_unknown(connection, loader, live, f"To build it from the landing no replay is needed: el load {label}")
    if rest:
        _refuse_unknown(connection, loader, rest.target, f"Extract and load it first: el run --full {rest.label}")
    for one in (live, built, *([rest.target] if rest else [])):
        ledger.lock(connection, one)
    theirs, mine = ledger.last(connection, live), ledger.last(connection, built)
    if theirs is None or mine is None:
        raise _refused(loader, f"a ledger is empty. Nothing was changed. Run: el load {label}")
    if (theirs.seq, theirs.load_id) != (mine.seq, mine.load_id):
        raise _refused(
            loader,
            f"{live.raw} is at commit {theirs.seq} and {built.raw} at commit {mine.seq}. Nothing was changed. Run "
            f"first: el load {label}; and then the replay again",
        )
    if mine.hole and not theirs.hole:
        raise _refused(
            loader,
            f"commit {mine.hole.seq} was skipped in {built.raw}, and {live.raw} has its rows. Nothing was changed",
        )
    return theirs


def _refuse_unknown(connection: Connection, loader: Loader, target: Target, remedy: str) -> None:
    known = ledger.known(connection, target.schema)
    if target.table in known.refused:
        raise WarehouseError(known.refused[target.table])
    if target.table not in known.positions or target.table not in known.raw:
        raise _refused(
            loader, f"there is no {target.raw}, or its ledger knows of no commit. Nothing was changed. {remedy}"
        )


def _columns(connection: Connection, loader: Loader, live: Target, others: list[Target]) -> list[str]:
    """The columns of all, which must be the same."""
    theirs = catalog.columns(connection, live)
    for one in others:
        mine = catalog.columns(connection, one)
        other = sorted(name for name in theirs.keys() | mine.keys() if theirs.get(name) != mine.get(name))
        if other:
            said = "; ".join(
                f"{name} is {theirs.get(name, 'not there')} and {mine.get(name, 'not there')}" for name in other
            )
            raise _refused(
                loader,
                f"{live.raw} and {one.raw} have other columns: {said}. Nothing was changed. Columns and types are "
                "those of all commits that are applied, so the landing's do not go back to the first of the raw table",
            )
    return list(theirs)


def _refuse_other_form(connection: Connection, loader: Loader, commit: Commit, rest: Rest) -> int:
    """The rest must be all of its landing, and its rows must have been made as those of the raw table are; its seq."""
    head, at = rest.landing.head(), ledger.last(connection, rest.target)
    is_all = head and at and (head.seq, head.load_id) == (at.seq, at.load_id) and head.reading.done and not at.hole
    if head is None or not is_all:
        raise _refused(
            loader,
            f"{rest.target.raw} does not have all of {rest.landing.url}: its copy goes on, a commit is pending, or one "
            f"was skipped. Nothing was changed. Run first: el run --full {rest.label}",
        )
    if (head.mode, head.signature) != (commit.mode, commit.signature) or commit.mode != "merge":
        raise _refused(
            loader,
            f"rows of {rest.label} are not made as those of {loader.table.label} are: mode, columns, types, key, "
            "cursor, column options or hash key differ. Nothing was changed. Make the table in MySQL as the other is "
            "(create table … like …), give both the same entry in their source files, in mode merge, and copy it "
            f"again: el run --full {rest.label}",
        )
    return head.seq


def _refuse_loss(connection: Connection, loader: Loader, commit: Commit, tables: _Tables) -> None:
    live, built, rest = tables.live, tables.built, tables.rest
    keys = _keys(commit)
    lost = older = 0
    if not keys:  # the rows of one copy of the whole table, which both have applied
        ((lost,),) = rows(connection, f"select (select count(*) from {live.raw}) - (select count(*) from {built.raw})")
    elif rest is None:
        sql = f"select count(*) from {live.raw} live {_without(built, 'live', keys)}"
        ((lost,),) = rows(connection, sql)
    else:
        cursor = _cursor(loader, commit)
        joined = f"left join {rest.target.raw} rest on {same('live', 'rest', keys)} {_without(built, 'live', keys)}"
        is_older = f"live.{cursor} > rest.{cursor} or (live.{cursor} is not null and rest.{cursor} is null)"
        ((lost, older),) = rows(
            connection,
            "select coalesce(sum(case when rest._seq is null then 1 else 0 end), 0), "
            f"coalesce(sum(case when rest._seq is not null and ({is_older}) then 1 else 0 end), 0) "
            f"from {live.raw} live {joined}",
        )
    if int(lost) > 0:
        neither = f"neither in {built.raw} nor in {rest.target.raw}" if rest else f"not in {built.raw}"
        archived = "Those that were archived can be brought with --with. " if keys and not rest else ""
        raise _refused(
            loader,
            f"{int(lost):,} rows of {live.raw} are {neither}: MySQL no longer had them, archived or deleted, "
            f"at the full copy that the landing's commits begin with. Nothing was changed. {archived}Query the rebuilt "
            "table where it is, or bring those rows into it first",
        )
    if int(older) > 0 and rest:
        raise _refused(
            loader,
            f"{int(older):,} rows of {live.raw} are not in {built.raw} and have a later cursor than in "
            f"{rest.target.raw}: their keys were used again after they were archived, and MySQL deleted them since. "
            "Nothing was changed. Query the rebuilt table where it is, or bring those rows into it first",
        )


def _fill(connection: Connection, commit: Commit, tables: _Tables, names: list[str]) -> int:
    """Insert the rows of the rest whose keys the rebuilt table has not; how many."""
    live, built, rest = tables.live, tables.built, tables.rest
    assert rest
    listed = ", ".join(map(quoted, names))
    values = ", ".join("0" if name == "_seq" else f"rest.{quoted(name)}" for name in names)
    source = f"{rest.target.raw} rest {_without(built, 'rest', _keys(commit))}"
    return changed(connection, f"insert into {live.raw} ({listed}) select {values} from {source}")


def _keys(commit: Commit) -> list[LandedColumn]:
    """The primary key, where rows are merged by it."""
    return [column for column in commit.columns if column.key and commit.mode == "merge"]


def _cursor(loader: Loader, commit: Commit) -> str:
    """The cursor's column in Redshift, which says of two rows of a key which is the later one."""
    name = raw_name(commit.window.cursor or "")
    if not any(column.name == name and not is_text(column) for column in commit.columns):
        raise _refused(
            loader,
            f"--with compares rows by their cursor, and column {name} is excluded or hashed. Nothing was changed",
        )
    return quoted(name)


def _without(built: Target, one: str, keys: list[LandedColumn]) -> str:
    """A join that leaves the rows of ``one`` whose keys the rebuilt table has not."""
    return f"left join {built.raw} built on {same(one, 'built', keys)} where built._seq is null"
