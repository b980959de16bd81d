"""``el``: parse, call, print.

Exit codes: 0 done, 1 a failure that was understood, 2 wrong usage or configuration, 130 interrupted. Standard output
carries results only, so that ``--json`` can be piped. Everything heavy is imported by the command that needs it:
``el --help`` must answer at once.
"""

from __future__ import annotations

from typing import Any

import click

from el import __version__
from el.errors import ExitCode, UsageError
from el.shell import JSON, SELECTORS, Duration, command

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

_TIMEOUT = click.option(
    "--timeout",
    type=Duration(),
    metavar="DURATION",
    help="After this time (90s, 45m, 2h) finish what is under way and begin nothing new; a minute later, end.",
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


@main.command()
@click.argument("source")
@click.option("--print", "only_print", is_flag=True, help="Print the file to standard output; write nothing.")
@command
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
@SELECTORS
@_FULL
@_FROM
@_TO
@_ACCEPT
@_RATE
@_TIMEOUT
@JSON
@command
def extract(selectors: tuple[str, ...], as_json: bool, timeout: int | None, **options: Any) -> int:
    """MySQL to S3: read what changed and commit it to the landing.

    Needs MySQL and S3 only.

    Example: el extract clinic
    """
    return _run("extract", selectors, timeout, as_json, options)


@main.command()
@SELECTORS
@click.option(
    "--skip",
    type=(str, click.IntRange(min=1)),
    metavar="TABLE SEQ",
    help="Quarantine the table's next pending commit, which cannot be applied, and load what follows. Its rows are "
    "missing until a full copy.",
)
@click.option("--reason", help="Why it is skipped; kept on S3 and in the ledger.")
@click.option("--replay", metavar="TABLE", help="Build the table anew from the landing, in the schema of --into.")
@click.option(
    "--into", metavar="SCHEMA", help="Where --replay builds; its ledger is in SCHEMA_el. Again: goes on where it was."
)
@click.option(
    "--swap",
    is_flag=True,
    help="After --replay: replace the raw table's rows by those, unless one of its keys is not among them.",
)
@click.option(
    "--with",
    "rest",
    metavar="TABLE",
    help="With --swap: a table into which archived rows were restored, extracted and loaded as a source of its own. It "
    "fills what the landing does not reach back to.",
)
@_TIMEOUT
@JSON
@command
def load(selectors: tuple[str, ...], timeout: int | None, as_json: bool, **options: Any) -> int:
    """S3 to Redshift: apply the commits that are pending.

    Needs S3 and Redshift only.

    \b
    Example: el load clinic.patients
             el load --skip clinic.messages 17 --reason "file lost, see ticket 4711"
             el load --replay clinic.messages --into rebuilt
    """
    skip, reason, replay, into, swap, rest = (
        options[name] for name in ("skip", "reason", "replay", "into", "swap", "rest")
    )
    if (skip is None) != (reason is None):
        raise UsageError("--skip and --reason go together: a commit is skipped on record. Nothing was changed.")
    if skip:
        _skip(skip[0], skip[1], reason or "", selectors)
        selectors = (skip[0],)
    if replay is None and (into is not None or swap):
        raise UsageError("--into and --swap go with --replay TABLE. Nothing was changed.")
    if rest is not None and not swap:
        raise UsageError("--with goes with --replay TABLE --into SCHEMA --swap. Nothing was changed.")
    if replay is None:
        return _run("load", selectors, timeout, as_json, {})
    if selectors or skip or "." not in replay:
        raise UsageError(
            "--replay takes one table, such as clinic.messages, and loads no other with it. Nothing was changed."
        )
    if into is None:
        raise UsageError("--replay needs --into SCHEMA: a schema of your own. Nothing was changed.")
    return _run("load", (replay,), timeout, as_json, {"into": into, "swap": swap, "rest": rest})


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
@SELECTORS
@_FULL
@_FROM
@_TO
@_ACCEPT
@_RATE
@_TIMEOUT
@JSON
@command
def run(selectors: tuple[str, ...], as_json: bool, timeout: int | None, **options: Any) -> int:
    """Extract, then load.

    Ctrl-C finishes what is under way and stops; a second one stops at once. Both leave what the next run goes on from.

    \b
    Example: el run --full clinic.messages
             el run --from 2026-11-01 --to 2026-11-08 clinic.messages
    """
    return _run("run", selectors, timeout, as_json, options)


@main.command()
@SELECTORS
@click.option("--alert", is_flag=True, help="Send alerts about tables beyond their max_lag; exit code 1 if there are.")
@JSON
@command
def status(selectors: tuple[str, ...], alert: bool, as_json: bool) -> int:
    """Show each table's watermark, lag, commits, what is pending and what failed last.

    With --alert, from a second scheduler, it notices that the first one is dead.

    Example: el status clinic --json
    """
    from el import config, settings, watch
    from el import status as state

    tables = config.select(config.load_sources(settings.sources_folder()), selectors)
    landing = _landing()
    found = state.status(tables, landing)
    click.echo(state.status_text(found, as_json))
    if not alert:
        return ExitCode.DONE
    warnings = watch.tell_lag(landing, found)
    for warning in warnings:
        click.echo(f"error: {warning}", err=True)
    return ExitCode.FAILED if warnings or any(one.is_late for one in found) else ExitCode.DONE


@main.group(invoke_without_command=True)
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many runs.")
@click.option("--failed", is_flag=True, help="Only runs that failed, were interrupted or died, of the last 1,000.")
@JSON
@click.pass_context
def runs(context: click.Context, /, **options: Any) -> None:
    """Show the newest runs, of all hosts.

    Example: el runs --failed --limit 5
    """
    if context.invoked_subcommand is None:
        command(_runs)(**options)


def _runs(limit: int, failed: bool, as_json: bool) -> int:
    from el import records, runs

    click.echo(records.runs_text(runs.recent(_landing(), limit, failed), as_json))
    return ExitCode.DONE


@runs.command()
@click.argument("run")
@JSON
@command
def show(run: str, as_json: bool) -> int:
    """Show the record of one run.

    Example: el runs show 20261123T131007Z-run-3fa9c1
    """
    from el import records, runs

    click.echo(records.run_text(runs.record(_landing(), run), as_json))
    return ExitCode.DONE


@main.command()
@click.argument("run", required=False)
@JSON
@command
def logs(run: str | None, as_json: bool) -> int:
    """Show the log of a run; without RUN, of the newest.

    Example: el logs 20261123T131007Z-run-3fa9c1
    """
    from el import records, runs

    landing = _landing()
    name = run or next((record["run"] for record in runs.recent(landing, 1)), None)
    if name is None:
        raise UsageError("there is no run yet. Start one: el run")
    click.echo(records.log_text(name, runs.log_of(landing, name), as_json))
    return ExitCode.DONE


@main.group()
def notify() -> None:
    """Alerts: EL_ALERTS_SNS_TOPIC and EL_ALERTS_APPRISE say where they go.

    Example: el notify test
    """


@notify.command()
@JSON
@command
def test(as_json: bool) -> int:
    """Send an alert to every channel and say which ones took it.

    Example: el notify test
    """
    from el import watch

    done = watch.test_channels()
    click.echo(watch.channels_text(done, as_json))
    return ExitCode.FAILED if any(done.values()) else ExitCode.DONE


@main.command()
@SELECTORS
@click.option("--execute", is_flag=True, help="Delete. Without it nothing is deleted, only listed.")
@click.option(
    "--grace",
    type=click.IntRange(min=0),
    default=7,
    show_default=True,
    metavar="DAYS",
    help="Keep what was uploaded up to this long before the table's newest commit.",
)
@JSON
@command
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


def _landing() -> Any:
    from el import settings
    from el.landing import Landing

    landing = Landing(settings.landing())
    landing.check()
    return landing


def _run(name: str, selectors: tuple[str, ...], timeout: int | None, as_json: bool, options: dict[str, Any]) -> int:
    """``options`` are those of ``el.options.Options``."""
    from el.options import Options
    from el.run import Moving
    from el.supervise import supervise

    return supervise(Moving(name, selectors, Options(**options), timeout), timeout, as_json)


if __name__ == "__main__":
    main()
