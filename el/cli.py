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
from el.errors import ElError, ExitCode, UsageError

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
@click.option(
    "--skip",
    type=(str, click.IntRange(min=1)),
    metavar="TABLE SEQ",
    help="Quarantine the table's next pending commit, which cannot be applied, and load what follows. Its rows are "
    "missing until a full copy.",
)
@click.option("--reason", help="Why it is skipped; kept on S3 and in the ledger.")
@_JSON
@_command
def load(selectors: tuple[str, ...], skip: tuple[str, int] | None, reason: str | None, as_json: bool) -> int:
    """S3 to Redshift: apply the commits that are pending.

    Needs S3 and Redshift only.

    \b
    Example: el load clinic.patients
             el load --skip clinic.messages 17 --reason "file lost, see ticket 4711"
    """
    if (skip is None) != (reason is None):
        raise UsageError("--skip and --reason go together: a commit is skipped on record. Nothing was changed.")
    if skip:
        _skip(skip[0], skip[1], reason or "", selectors)
        selectors = (skip[0],)
    return _run("load", selectors, False, True, as_json, {})


def _skip(label: str, seq: int, reason: str, selectors: tuple[str, ...]) -> None:
    from el import config, settings
    from el.landing import Landing
    from el.redshift.connection import Connections
    from el.skip import quarantine

    tables = config.select(config.load_sources(settings.sources_folder()), [label])
    if selectors or [table.label for table in tables] != [label]:
        raise UsageError(
            "--skip takes one table, such as clinic.messages, and loads no other with it. Nothing was changed."
        )
    landing = Landing(settings.landing()).table(tables[0].source, config.raw_name(tables[0].name))
    warehouse = Connections(settings.redshift())
    try:
        quarantine(tables[0], landing, warehouse, seq, reason)
    finally:
        warehouse.close()


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
