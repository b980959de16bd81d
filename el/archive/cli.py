"""``el-archive``: parse, call, print. Exit codes and streams are those of ``el`` (``el/cli.py``).

Why a command of its own: it alone deletes from MySQL, with a user and a role of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from el import __version__
from el.errors import ExitCode
from el.shell import JSON, SELECTORS, Duration, command

AS_OF = click.option("--as-of", metavar="TIME", help="The moment that ages are counted from, in UTC. [default: now]")
TIMEOUT = click.option(
    "--timeout",
    type=Duration(),
    metavar="DURATION",
    help="After this time (90s, 45m, 2h) finish what is under way and begin nothing new; a minute later, end.",
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
    return _plan(selectors, as_of, as_json)


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
    timeout: int | None,
    as_json: bool,
    **limits: Any,
) -> int:
    """Archive what is old, prove each copy on S3, then delete from MySQL the rows that still equal it.

    A run that was cut off or killed is gone on with by the next one. The file EL_HOME/archive.pause, or the object
    _pause below ARCHIVE_URL, makes every run wait as long as it is there.

    Example: el-archive run clinic.audit_events --execute
    """
    from el.archive.plans import as_of as moment
    from el.archive.run import Archiving, Options
    from el.supervise import supervise

    if execute:
        options = Options(moment(as_of), **limits)
        return supervise(Archiving(selectors, options), timeout, as_json)
    code = _plan(selectors, as_of, as_json)
    if not as_json:
        click.echo("Nothing was done. With --execute these rows are archived and deleted.")
    return code


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
@TIMEOUT
@JSON
@command
def restore(
    table: str, into: str | None, parquet: Path | None, timeout: int | None, as_json: bool, **wanted: Any
) -> int:
    """Bring archived rows back, each in the version that was deleted last.

    A row that is there and differs is the newer one: it is left, and the exit code is 1, unless --overwrite is given.
    What is restored stays in the archive.

    \b
    Example: el-archive restore clinic.audit_events --keys 48213 --into clinic.audit_events
             el-archive restore clinic.messages --from 2024-01-01 --to 2024-02-01 --parquet january
    """
    from el.archive.restore import Restore, Wanted
    from el.supervise import supervise

    return supervise(Restore(table, Wanted(**wanted), into, parquet), timeout, as_json)


@main.command()
@SELECTORS
@click.option(
    "--sample", type=click.IntRange(min=0), default=10, show_default=True, help="Objects of each table to read."
)
@click.option("--all", "everything", is_flag=True, help="Read every object.")
@TIMEOUT
@JSON
@command
def verify(selectors: tuple[str, ...], sample: int, everything: bool, timeout: int | None, as_json: bool) -> int:
    """Compare the archive with its journal: missing, changed, hidden, unreadable and extra objects.

    Every object is looked for by its version; those of the sample are read whole, and every row of them is hashed.
    Needs S3 only. Exit code 1 if there is a problem.

    Example: el-archive verify clinic --all
    """
    from el.archive.verify import Verify
    from el.supervise import supervise

    return supervise(Verify(selectors, None if everything else sample), timeout, as_json)


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
    from el.archive import work

    one, place = work.place_of(table)
    contents = work.contents_of(one.label, place)
    click.echo(found.report(one.label, found.find(contents, key), len(contents.expired), as_json))
    return ExitCode.DONE


@main.command()
@SELECTORS
@click.option(
    "--rows", type=click.IntRange(min=1), default=1000, show_default=True, help="Rows of each table to restore."
)
@TIMEOUT
@JSON
@command
def drill(selectors: tuple[str, ...], rows: int, timeout: int | None, as_json: bool) -> int:
    """Restore a sample into a scratch table, compare it, and drop it: for a monthly schedule.

    The table is made in the database <database>_restore. Exit code 1 unless every row came back as it was.

    Example: el-archive drill clinic --rows 5000
    """
    from el.archive.drill import Drill
    from el.supervise import supervise

    return supervise(Drill(selectors, rows), timeout, as_json)


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

    one, place = work.place_of(table)
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
    from el.archive import holds, work

    found = [one for _, place in work.places(selectors) for one in holds.read(place) if everything or not one.released]
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

    one, place = work.place_of(table)
    with work.alone(one, "hold"):
        done = holds.release(place, name, reason)
    click.echo(holds.outcome(done, as_json))
    return ExitCode.DONE


@main.command()
@SELECTORS
@click.option("--execute", is_flag=True, help="Delete for ever. Without it nothing is deleted, only listed.")
@TIMEOUT
@JSON
@command
def expire(selectors: tuple[str, ...], execute: bool, timeout: int | None, as_json: bool) -> int:
    """List objects past their class's end; with --execute delete them for ever and write a certificate of each.

    What is held stays, and what S3 locks. Needs S3 only, with rights that no run has.

    Example: el-archive expire clinic --execute
    """
    from el.archive import expire as ended
    from el.supervise import supervise

    if execute:
        return supervise(ended.Expire(selectors), timeout, as_json)
    click.echo(ended.preview(selectors, as_json))
    return ExitCode.DONE


@main.command("external-schema")
@SELECTORS
@click.option("--for", "engine", type=click.Choice(["spectrum", "athena"]), default="spectrum", show_default=True)
@click.option("--database", default="archive", show_default=True, help="Database of the Glue catalog.")
@command
def external_schema(selectors: tuple[str, ...], engine: Any, database: str) -> int:
    """Print the SQL by which Redshift Spectrum or Athena read the archive where it lies.

    Example: el-archive external-schema clinic --for athena
    """
    from el.archive import external, work
    from el.archive.contents import Contents

    tables = [(table, Contents(place)) for table, place in work.archived(selectors)]
    click.echo(external.ddl(tables, engine, database))
    return ExitCode.DONE


def _plan(selectors: Sequence[str], as_of: str | None, as_json: bool) -> int:
    from el.archive import plans
    from el.archive.plan import Failure

    found = plans.plans(selectors, plans.as_of(as_of))
    click.echo(plans.report(found, as_json))
    failures = [plan.failure for plan in found if isinstance(plan, Failure)]
    for failure in failures:
        click.echo(f"error: {failure}", err=True)
    return ExitCode.FAILED if failures else ExitCode.DONE


if __name__ == "__main__":
    main()
