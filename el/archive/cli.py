"""``el-archive``: parse, call, print. Exit codes and streams are those of ``el`` (``el/cli.py``).

Why a command of its own: it alone deletes from MySQL, with a user and a role of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from el import __version__
from el.errors import ElError, ExitCode, UsageError
from el.shell import JSON, SELECTORS, Duration, command

if TYPE_CHECKING:
    from el.archive.contents import Contents
    from el.archive.store import TableArchive
    from el.config import Table

AS_OF = click.option("--as-of", metavar="TIME", help="The moment that ages are counted from, in UTC. [default: now]")
TIMEOUT = click.option(
    "--timeout",
    type=Duration(),
    metavar="DURATION",
    help="After this time (90s, 45m, 2h) finish the transaction that is under way and begin nothing new.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="el-archive")
def main() -> None:
    """Moves old rows from MySQL to the archive on S3, proves them there, and brings them back.

    A SELECTOR is a source (clinic) or a table (clinic.messages); none means everything. Which rows are old is said by
    `retention` and `archive` in el/sources/*.yml. ARCHIVE__<SOURCE>__CREDENTIALS is the MySQL user, ARCHIVE_URL the
    place.

    Example: el-archive sizes clinic
    """


@main.command()
@SELECTORS
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Largest tables to show.")
@click.option("--exact", is_flag=True, help="Count in the age column's index: slow on a large table.")
@JSON
@command
def sizes(selectors: tuple[str, ...], limit: int, exact: bool, as_json: bool) -> int:
    """Show the largest tables: rows, bytes, how old the rows are, and how many are past the cutoff.

    Needs MySQL only, and reads no row: counts are InnoDB's estimates, ages what it expects of the age column's
    index.

    Example: el-archive sizes clinic --limit 5
    """
    from el import config, settings
    from el.archive import sizes as measured

    found = measured.sizes(config.load_sources(settings.sources_folder()), selectors, limit, exact)
    click.echo(measured.report(found, as_json))
    return ExitCode.DONE


@main.command()
@SELECTORS
@AS_OF
@JSON
@command
def plan(selectors: tuple[str, ...], as_of: str | None, as_json: bool) -> int:
    """Show what run would archive and delete, what it costs, and which tables are refused and why.

    Deletes nothing and writes nothing.

    Example: el-archive plan clinic --as-of 2026-11-01
    """
    from el.archive import run as conducted

    click.echo(conducted.plan_report(conducted.plans(selectors, conducted.as_of(as_of)), as_json))
    return ExitCode.DONE


@main.command()
@SELECTORS
@click.option("--execute", is_flag=True, help="Archive and delete. Without it only the plan is shown.")
@AS_OF
@click.option(
    "--transaction-ms",
    type=click.IntRange(min=10, max=10_000),
    default=200,
    show_default=True,
    help="How long a deleting transaction should take: they grow and shrink to it.",
)
@click.option(
    "--max-rows-per-second",
    type=click.IntRange(min=1),
    metavar="ROWS",
    help="Delete no faster; overrides the source file.",
)
@click.option(
    "--chunk-rows",
    type=click.IntRange(min=1),
    metavar="ROWS",
    help="Most rows of one archive object. [default: 100000]",
)
@TIMEOUT
@JSON
@command
def run(
    selectors: tuple[str, ...],
    execute: bool,
    as_of: str | None,
    transaction_ms: int,
    max_rows_per_second: int | None,
    chunk_rows: int | None,
    timeout: int | None,
    as_json: bool,
) -> int:
    """Archive what is old, prove each copy on S3, then delete from MySQL the rows that still equal it.

    A run that was cut off or killed is gone on with by the next one. The file EL_HOME/archive.pause, or the object
    _pause below ARCHIVE_URL, makes every run wait as long as it is there.

    Example: el-archive run clinic.audit_events --execute
    """
    from el.archive import run as conducted

    options = conducted.Options(
        as_of=conducted.as_of(as_of),
        execute=execute,
        target=transaction_ms / 1000,
        max_rows_per_second=max_rows_per_second,
        chunk_rows=chunk_rows,
        timeout=timeout,
        as_json=as_json,
    )
    return conducted.run(selectors, options)


@main.command()
@click.argument("table")
@click.option("--keys", multiple=True, metavar="KEY", help="A primary key; may be given again. Composite: 7,2.")
@click.option("--from", "since", metavar="TIME", help="Rows whose age column is at or after it.")
@click.option("--to", metavar="TIME", help="Rows whose age column is before it.")
@click.option("--all", "everything", is_flag=True, help="Every row that was archived.")
@click.option("--into", metavar="DATABASE.TABLE", help="The table in MySQL; it is made if it is not there.")
@click.option(
    "--parquet", type=click.Path(path_type=Path), metavar="DIR", help="Write Parquet files into a new folder."
)
@click.option("--overwrite", is_flag=True, help="Replace rows in MySQL that differ from their copies.")
@JSON
@command
def restore(table: str, into: str | None, parquet: Path | None, overwrite: bool, as_json: bool, **wanted: Any) -> int:
    """Bring archived rows back, each in the version that was deleted last.

    A row that is there and differs is the newer one: it is left, and the exit code is 1, unless --overwrite is given.
    What is restored stays in the archive.

    \b
    Example: el-archive restore clinic.audit_events --keys 48213 --into clinic.audit_events
             el-archive restore clinic.messages --from 2024-01-01 --to 2024-02-01 --parquet january
    """
    from el.archive import restore as back
    from el.progress import Progress

    asked = back.Wanted(tuple(wanted["keys"]), wanted["since"], wanted["to"], wanted["everything"])
    asked.check()
    if (into is None) == (parquet is None):
        raise UsageError("choose one: --into DATABASE.TABLE or --parquet DIR. Nothing was restored.")
    if overwrite and parquet:
        raise UsageError("--overwrite is for rows in MySQL, and --parquet writes files. Nothing was restored.")
    one, contents = _contents(table)
    if into:
        with Progress("restore", [one.label], as_json) as progress:
            progress.start(one.label)
            done = back.into_table(one, contents, asked, into, overwrite, progress.bar(one.label).moved)
            progress.finish(one.label, "done")
    else:
        assert parquet
        done = back.to_parquet(one, contents, asked, parquet)
    click.echo(back.report(done, as_json))
    return _told(back.problems(done))


@main.command()
@SELECTORS
@click.option(
    "--sample", type=click.IntRange(min=0), default=10, show_default=True, help="Objects of each table to read."
)
@click.option("--all", "everything", is_flag=True, help="Read every object.")
@JSON
@command
def verify(selectors: tuple[str, ...], sample: int, everything: bool, as_json: bool) -> int:
    """Compare the archive with its journal: missing, changed, hidden, unreadable and extra objects.

    Every object is looked for by its version; those of the sample are read whole, and every row of them is hashed.
    Needs S3 only. Exit code 1 if there is a problem.

    Example: el-archive verify clinic --all
    """
    from el.archive import verify as looked

    results = [looked.verify(t.label, place, None if everything else sample) for t, place in _archived(selectors)]
    click.echo(looked.report(results, as_json))
    return _told([problem for one in results for problem in one.problems])


@main.command()
@click.argument("table")
@click.argument("key")
@JSON
@command
def find(table: str, key: str, as_json: bool) -> int:
    """Say whether a row was archived: when, where, by which run, and what became of it.

    KEY is the primary key; of a composite one the parts with commas: 7,2. Binary parts as 0x00ff. Needs S3 only.

    Example: el-archive find clinic.audit_events 48213
    """
    from el.archive import find as found

    one, contents = _contents(table)
    click.echo(found.report(one.label, found.find(contents, key), len(contents.expired), as_json))
    return ExitCode.DONE


@main.command()
@SELECTORS
@click.option(
    "--rows", type=click.IntRange(min=1), default=1000, show_default=True, help="Rows of each table to restore."
)
@JSON
@command
def drill(selectors: tuple[str, ...], rows: int, as_json: bool) -> int:
    """Restore a sample into a scratch table, compare it, and drop it: for a monthly schedule.

    The table is made in the database <database>_restore. Exit code 1 unless every row came back as it was.

    Example: el-archive drill clinic --rows 5000
    """
    from el.archive import drill as drilled
    from el.archive.contents import Contents

    results = []
    for table, place in _archived(selectors):
        try:
            results.append(drilled.drill(table, Contents(place), rows))
        except UsageError:
            raise
        except ElError as error:
            results.append(drilled.Drilled(table.label, problem=str(error)))
    click.echo(drilled.report(results, as_json))
    return _told([one.problem for one in results if one.problem])


@main.group()
def hold() -> None:
    """Hold rows: they are neither deleted from MySQL nor allowed to expire on S3.

    \b
    Example: el-archive hold add clinic.messages --where "patient_id = 7" --reason "case 4711"
             el-archive hold list
    """


@hold.command()
@click.argument("table")
@click.option("--where", metavar="SQL", help="Rows for which this is true. Every object of the table is held.")
@click.option("--keys", multiple=True, metavar="KEY", help="A primary key; may be given again. Composite: 7,2.")
@click.option("--reason", required=True, help="Why; kept with the hold.")
@JSON
@command
def add(table: str, where: str | None, keys: tuple[str, ...], reason: str, as_json: bool) -> int:
    """Hold rows from now on, in MySQL and on S3.

    Waits for nobody: while a run works on the table, nothing is held and the exit code is 1.

    Example: el-archive hold add clinic.audit_events --keys 48213 --reason "audit of May"
    """
    from el.archive import holds, work

    one, place = _place(table)
    with work.alone(one, "hold"):
        done = holds.add(one, place, where, keys, reason)
    click.echo(holds.outcome(done, as_json))
    return ExitCode.DONE


@hold.command("list")
@SELECTORS
@click.option("--all", "everything", is_flag=True, help="Those that were released too.")
@JSON
@command
def list_(selectors: tuple[str, ...], everything: bool, as_json: bool) -> int:
    """List holds.

    Example: el-archive hold list clinic
    """
    from el.archive import holds

    found = [one for _, place in _places(selectors) for one in holds.read(place) if everything or not one.released]
    click.echo(holds.report(found, as_json))
    return ExitCode.DONE


@hold.command()
@click.argument("table")
@click.argument("name", metavar="HOLD")
@click.option("--reason", required=True, help="Why; kept with the hold.")
@JSON
@command
def remove(table: str, name: str, reason: str, as_json: bool) -> int:
    """Release what a hold holds, except what another one holds too.

    Example: el-archive hold remove clinic.messages 20261125T095500Z-3fa9c1 --reason "case closed"
    """
    from el.archive import holds, work

    one, place = _place(table)
    with work.alone(one, "hold"):
        done = holds.release(place, name, reason)
    click.echo(holds.outcome(done, as_json))
    return ExitCode.DONE


@main.command()
@SELECTORS
@click.option("--execute", is_flag=True, help="Delete for ever. Without it nothing is deleted, only listed.")
@JSON
@command
def expire(selectors: tuple[str, ...], execute: bool, as_json: bool) -> int:
    """List objects past their class's end; with --execute delete them for ever and write a certificate of each.

    What is held stays, and what S3 locks. Needs S3 only, with rights that no run has.

    Example: el-archive expire clinic --execute
    """
    from datetime import UTC, datetime

    from el.archive import expire as ended
    from el.archive import work

    now = datetime.now(UTC)
    results = []
    for table, place in _archived(selectors):
        if execute:
            with work.alone(table, "expire") as run:
                results.append(ended.expire(table.label, place, now, run))
        else:
            results.append(ended.look(table.label, place, now))
    click.echo(ended.report(results, execute, as_json))
    return _told([problem for one in results for problem in one.problems])


@main.command("external-schema")
@SELECTORS
@click.option("--for", "engine", type=click.Choice(["spectrum", "athena"]), default="spectrum", show_default=True)
@click.option("--database", default="archive", show_default=True, help="Database of the Glue catalog.")
@command
def external_schema(selectors: tuple[str, ...], engine: Any, database: str) -> int:
    """Print the SQL by which Redshift Spectrum or Athena read the archive where it lies.

    Example: el-archive external-schema clinic --for athena
    """
    from el.archive import external
    from el.archive.contents import Contents

    tables = [(table, Contents(place)) for table, place in _archived(selectors)]
    click.echo(external.ddl(tables, engine, database))
    return ExitCode.DONE


def _table(label: str) -> Table:
    """The one table that a selector names."""
    from el import config, settings

    tables = config.select(config.load_sources(settings.sources_folder()), [label])
    if [table.label for table in tables] != [label]:
        raise UsageError(f"{label} is a source. Name one table, such as {tables[0].label}. Nothing was changed.")
    return tables[0]


def _place(label: str) -> tuple[Table, TableArchive]:
    """One table and its folder in the archive."""
    table = _table(label)
    ((_, place),) = _places((label,))
    return table, place


def _contents(label: str) -> tuple[Table, Contents]:
    """One table, and what the archive holds of it."""
    from el.archive.contents import Contents
    from el.archive.restore import contents_of

    table, place = _place(label)
    return table, contents_of(Contents(place), label)


def _places(selectors: Sequence[str]) -> list[tuple[Table, TableArchive]]:
    """The tables that selectors name, each with its folder in the archive."""
    from el import config, settings
    from el.archive.store import Archive

    tables = config.select(config.load_sources(settings.sources_folder()), selectors)
    archive = Archive(settings.archive())
    return [(table, archive.table(table.source, table.name)) for table in tables]


def _archived(selectors: Sequence[str]) -> list[tuple[Table, TableArchive]]:
    """Of these the ones of which anything was archived, whether or not the source file still says so."""
    return [(table, place) for table, place in _places(selectors) if place.last()]


def _told(problems: Sequence[str]) -> int:
    """Says what is wrong; the exit code."""
    for problem in problems:
        click.echo(f"error: {problem}", err=True)
    return ExitCode.FAILED if problems else ExitCode.DONE


if __name__ == "__main__":
    main()
