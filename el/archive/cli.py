"""``el-archive``: parse, call, print. Exit codes and streams are those of ``el`` (``el/cli.py``).

Why a command of its own: it alone deletes from MySQL, with a user and a role of its own.
"""

from __future__ import annotations

import click

from el import __version__
from el.errors import ExitCode
from el.shell import JSON, SELECTORS, command


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


if __name__ == "__main__":
    main()
