"""``el``: parse, call, print.

Exit codes: 0 done, 1 a failure that was understood, 2 wrong usage or configuration, 130 interrupted. Standard output
carries results only, so that ``--json`` can be piped. Everything heavy is imported by the command that needs it:
``el --help`` must answer at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from el import __version__
from el.errors import ElError, ExitCode

_SELECTORS = click.argument("selectors", nargs=-1, metavar="[SELECTOR]...")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
_FULL = click.option("--full", is_flag=True, help="Copy every row again instead of what changed.")

_FROM = click.option(
    "--from",
    "since",
    metavar="VALUE",
    help="Backfill: read rows again from this value of the cursor on, and no others.",
)
_TO = click.option("--to", metavar="VALUE", help="Backfill: up to, but not including, this value of the cursor.")

_RATE = click.option(
    "--max-rows-per-second",
    type=click.IntRange(min=100),
    help="Read no faster, all tables of a source together; overrides the source file.",
)

_ACCEPT = click.option(
    "--accept-server",
    is_flag=True,
    help="Go on although MySQL is another server now: right only if nothing was lost. Reads one more hour again.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="el")
def main() -> None:
    """Moves what changed in MySQL through S3 into Redshift.

    A SELECTOR is a source (clinic) or a table (clinic.patients); none means everything. Sources are described in
    el/sources/*.yml (EL_SOURCES names another folder); servers and secrets come from the environment.

    Example: el run clinic.patients clinic.devices
    """


def _command(function: Callable[..., int]) -> Callable[..., None]:
    """Turns errors that were understood into a message and an exit code."""

    def guarded(**options: Any) -> None:
        try:
            sys.exit(function(**options))
        except ElError as error:
            click.echo(str(error), err=True)
            sys.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("interrupted; what was committed stays, the next run goes on from there", err=True)
            sys.exit(ExitCode.INTERRUPTED)

    guarded.__name__ = function.__name__
    guarded.__doc__ = function.__doc__
    return guarded


@main.command()
@click.argument("source")
@click.option("--print", "only_print", is_flag=True, help="Print the file to standard output; write nothing.")
@_command
def init(source: str, only_print: bool) -> int:
    """Write the source file of a MySQL database, from its catalog.

    Reads SOURCES__<SOURCE>__CREDENTIALS and writes <source>.yml into the folder of the source files. It runs as it is;
    comments say why each table is merged or copied whole, what a cursor lacks, and which columns may be personal. A
    file that is there is never overwritten.

    Example: el init clinic
    """
    from el import init as source_file

    file = source_file.file_of(source)
    if not only_print:
        source_file.refuse_to_overwrite(file)
    draft = source_file.draft(source)
    if only_print:
        click.echo(draft.text, nl=False)
        return ExitCode.DONE
    source_file.write(file, draft.text)
    click.echo(f"{file}: {draft.summary}. Read it, then: el run {source}")
    return ExitCode.DONE


@main.command()
@_SELECTORS
@_FULL
@_FROM
@_TO
@_ACCEPT
@_RATE
@_JSON
@_command
def extract(selectors: tuple[str, ...], as_json: bool, **options: Any) -> int:
    """MySQL to S3: read what changed and commit it to the landing.

    Needs MySQL and S3 only.

    Example: el extract clinic
    """
    return _run("extract", selectors, True, False, as_json, options)


@main.command()
@_SELECTORS
@_JSON
@_command
def load(selectors: tuple[str, ...], as_json: bool) -> int:
    """S3 to Redshift: apply the commits that are pending.

    Needs S3 and Redshift only.

    Example: el load clinic.patients
    """
    return _run("load", selectors, False, True, as_json, {})


@main.command()
@_SELECTORS
@_FULL
@_FROM
@_TO
@_ACCEPT
@_RATE
@_JSON
@_command
def run(selectors: tuple[str, ...], as_json: bool, **options: Any) -> int:
    """Extract, then load.

    \b
    Example: el run --full clinic.messages
             el run --from 2026-11-01 --to 2026-11-08 clinic.messages
    """
    return _run("run", selectors, True, True, as_json, options)


@main.command()
@_SELECTORS
@_JSON
@_command
def status(selectors: tuple[str, ...], as_json: bool) -> int:
    """Show each table's watermark, commits and what is pending.

    Example: el status clinic --json
    """
    from el import config, runs, settings

    tables = config.select(config.load_sources(settings.sources_folder()), selectors)
    click.echo(runs.status_text(runs.status(tables), as_json))
    return ExitCode.DONE


@main.command()
@_SELECTORS
@click.option("--execute", is_flag=True, help="Delete. Without it nothing is deleted, only listed.")
@click.option(
    "--grace",
    type=click.IntRange(min=0),
    default=7,
    show_default=True,
    metavar="DAYS",
    help="Keep what was uploaded up to this long before the table's newest commit.",
)
@_JSON
@_command
def clean(selectors: tuple[str, ...], execute: bool, grace: int, as_json: bool) -> int:
    """Find files on S3 that no commit names and none can name any more, and old manifests.

    A killed extract leaves such files, and every load a manifest. Needs S3 only, with the janitor's rights.

    \b
    Example: el clean clinic
             el clean --execute
    """
    from el import config, janitor, settings
    from el.landing import Landing

    tables = config.select(config.load_sources(settings.sources_folder()), selectors)
    results = janitor.clean(Landing(settings.landing()), tables, grace, execute)
    click.echo(janitor.report(results, execute, as_json))
    failures = [result.error for result in results if result.error]
    for failure in failures:
        click.echo(f"error: {failure}", err=True)
    return ExitCode.FAILED if failures else ExitCode.DONE


def _run(
    command: str,
    selectors: tuple[str, ...],
    extracting: bool,
    loading: bool,
    as_json: bool,
    options: dict[str, Any],
) -> int:
    """``options`` are those of ``run.Options``."""
    from el import config, runs, settings
    from el import run as conductor

    tables = config.select(config.load_sources(settings.sources_folder()), selectors)
    log = runs.open_log(command)
    results = conductor.run(tables, extracting, loading, conductor.Options(**options), quiet=as_json)
    click.echo(runs.report(results, log, as_json))
    failures = runs.failures(results)
    if failures:
        click.echo(failures, err=True)
    return ExitCode.FAILED if failures else ExitCode.DONE


if __name__ == "__main__":
    main()
