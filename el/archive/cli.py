"""``el-archive``: parse, call, print. Exit codes and streams are those of ``el`` (``el/cli.py``).

Why a command of its own: it alone deletes from MySQL, with a user and a role of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from el import __version__
from el.errors import ExitCode, UsageError
from el.shell import JSON, SELECTORS, command

if TYPE_CHECKING:
    from el.archive.contents import Contents
    from el.config import Table


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

    asked = back.Wanted(tuple(wanted["keys"]), wanted["since"], wanted["to"], wanted["everything"])
    asked.check()
    if (into is None) == (parquet is None):
        raise UsageError("choose one: --into DATABASE.TABLE or --parquet DIR. Nothing was restored.")
    if overwrite and parquet:
        raise UsageError("--overwrite is for rows in MySQL, and --parquet writes files. Nothing was restored.")
    one, contents = _contents(table)
    if into:
        done = back.into_table(one, contents, asked, into, overwrite)
    else:
        assert parquet
        done = back.to_parquet(one, contents, asked, parquet)
    click.echo(back.report(done, as_json))
    return _told(back.problems(done))


def _table(label: str) -> Table:
    """The one table that a selector names."""
    from el import config, settings

    tables = config.select(config.load_sources(settings.sources_folder()), [label])
    if [table.label for table in tables] != [label]:
        raise UsageError(f"{label} is a source. Name one table, such as {tables[0].label}. Nothing was changed.")
    return tables[0]


def _contents(label: str) -> tuple[Table, Contents]:
    """A table, and what the archive holds of it."""
    from el import settings
    from el.archive.contents import Contents
    from el.archive.restore import contents_of
    from el.archive.store import Archive

    table = _table(label)
    return table, contents_of(Contents(Archive(settings.archive()).table(table.source, table.name)), label)


def _told(problems: Sequence[str]) -> int:
    """Says what is wrong; the exit code."""
    for problem in problems:
        click.echo(f"error: {problem}", err=True)
    return ExitCode.FAILED if problems else ExitCode.DONE


if __name__ == "__main__":
    main()
