"""One run from its beginning to its end: signals, record, log, the conductor, problems and alerts, the report.

In: a command and what it was asked for. Out: an exit code, text on standard output and standard error, and the record.
Nothing that goes wrong with the record or an alert changes what is said of the tables; it is said beside it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import click

from el import config, settings
from el.config import Table
from el.errors import ElError, ExitCode
from el.landing import Landing
from el.lease import Leases
from el.notify import Channels, tell
from el.on_record import on_record, over
from el.options import Options
from el.outcome import TableRun
from el.report import failures, report
from el.run import Conductor
from el.runs import Run
from el.status import status
from el.stop import Stop, listening
from el.watch import lag_seen, table_seen

log = logging.getLogger("el")


@dataclass(frozen=True)
class Command:
    """What was typed. ``name`` is extract, load or run; ``timeout`` in seconds."""

    name: str
    selectors: Sequence[str]
    options: Options
    timeout: int | None = None
    as_json: bool = False

    @property
    def extracting(self) -> bool:
        return self.name != "load"

    @property
    def loading(self) -> bool:
        return self.name != "extract"

    @property
    def line(self) -> str:
        """The command line as it was understood. A selector that could be none is not repeated: it might be a URL."""
        options = [
            f"--{name}" + ("" if value is True else f" {value}")
            for name, value in (
                ("full", self.options.full),
                ("accept-server", self.options.accept_server),
                ("from", self.options.since),
                ("to", self.options.to),
                ("into", self.options.into),
                ("swap", self.options.swap),
                ("with", self.options.rest and config.shown(self.options.rest)),
                ("max-rows-per-second", self.options.max_rows_per_second),
                ("timeout", self.timeout and f"{self.timeout}s"),
            )
            if value
        ]
        selectors = [*map(config.shown, self.selectors)]
        if self.options.into:
            selectors = ["--replay", *selectors]
        return " ".join(["el", self.name, *options, *selectors])


def supervise(command: Command) -> int:
    """Do the command; the exit code.

    Raises:
        UsageError: nothing was started.
    """
    run = Run(command.name, command.line, settings.trigger(), settings.home())

    def work(landing: Landing | None, channels: Channels) -> int:
        assert landing
        tables = config.select(config.load_sources(settings.sources_folder()), command.selectors)
        return _supervised(command, run, landing, tables, channels)

    return on_record(run, f"el {command.name}", "What was committed stays", work)


def _supervised(command: Command, run: Run, landing: Landing, tables: Sequence[Table], channels: Channels) -> int:
    stop = Stop()
    leases = Leases(landing, run.name, settings.lease_seconds(), run.home, stop)
    conductor = Conductor(tables, landing, leases, stop, command.options, quiet=command.as_json)
    results = list(conductor.results.values())
    run.tables = lambda: [result.json() for result in results]

    def at_once() -> None:
        leases.release()
        run.end(landing, "interrupted" if stop.by_signal else "failed", _code(stop, results, True), stop())

    with listening(stop, at_once, command.timeout):
        with leases, run.going(landing):
            conductor.run(command.extracting, command.loading)
            _tell_problems(command, run, landing, channels, tables, results)
        for result in results:
            log.info("%s", json.dumps(result.json()))
        code = _code(stop, results)
        errors = failures(results)
        unfinished = [r.table for r in results if stop() and {r.extract, r.load} & {"not begun", "cut off"}]
        if unfinished:
            also = f"error: {stop()}: {', '.join(unfinished)}: not finished. What was committed stays; run again."
            errors = "\n".join(part for part in (errors, also) if part)
        state = {ExitCode.DONE: "done", ExitCode.INTERRUPTED: "interrupted"}.get(code, "failed")
        kept_here = run.end(landing, state, code, errors or None)
    if kept_here:
        run.warnings.append(f"the record of this run is on this host only, beside its log: {kept_here}")
    click.echo(report(results, run, command.as_json))
    if errors:
        click.echo(errors, err=True)
    return code


def _code(stop: Stop, results: Sequence[TableRun], at_once: bool = False) -> ExitCode:
    if stop.by_signal:
        return ExitCode.INTERRUPTED
    unfinished = stop() and any({r.extract, r.load} & {"not begun", "cut off"} for r in results)
    return ExitCode.FAILED if at_once or unfinished or any(r.error for r in results) else ExitCode.DONE


def _tell_problems(
    command: Command,
    run: Run,
    landing: Landing,
    channels: Channels,
    tables: Sequence[Table],
    results: Sequence[TableRun],
) -> None:
    """What the run saw, written down and told; what did not work becomes a warning of the run."""
    seen = over(f"el {command.name}")
    # A replay says nothing of the raw tables.
    for table, result in zip(tables, results, strict=True) if not command.options.into else ():
        seen.setdefault(table.source, []).extend(table_seen(result))
    limited = [table for table in tables if table.max_lag]
    if limited and run.on_s3:
        try:
            for one in status(limited, landing, ask_redshift=command.loading):
                seen[one.table.partition(".")[0]] += lag_seen(one)
        except ElError as error:  # the tables say it too
            log.warning("the lag could not be asked: %s", error)
    run.warnings += tell(run.name, landing, channels, seen)
