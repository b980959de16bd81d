"""One run of a command of ``el`` or ``el-archive``, from its beginning to its end: signals, record, log, its tables,
problems and alerts, the report.

In: a ``Job``, which is what a command does with its tables. Out: an exit code, text on standard output and standard
error, the record and the log that ``el runs`` and ``el logs`` show, and alerts. However a run ends, its record and log
say so, and what kept it from its tables is told to people: nobody may read the record. What goes wrong with the record
or an alert changes nothing of what is said of the tables; it is said beside it.
"""

from __future__ import annotations

import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import click

from el import config, settings
from el.config import Table
from el.errors import ElError, ExitCode, UsageError
from el.landing import Landing
from el.lease import Hold, Leases
from el.notify import Channels, tell
from el.outcome import TableResult
from el.problems import EL, Seen
from el.progress import Bar
from el.report import failures, notes
from el.runs import Run, logged
from el.shell import frames
from el.stop import Stop, listening

log = logging.getLogger("el")

#: The kinds of problems that keep a run from its tables.
_KINDS = ("run", "bug")


class Going:
    """What a job may use while it goes on. ``stop`` says why nothing new may be begun; ``results`` are by label.

    ``landing`` is None on a host that does not know it, where a job does not need it. ``quiet``: nobody watches.
    """

    def __init__(self, run: Run, landing: Landing | None, quiet: bool) -> None:
        self.run, self.quiet, self.stop = run, quiet, Stop()
        self.results: dict[str, TableResult] = {}
        self._landing = landing
        self._leases = (
            None if landing is None else Leases(landing, run.name, settings.lease_seconds(), run.home, self.stop)
        )

    @property
    def landing(self) -> Landing:
        """That of a job that needs one."""
        assert self._landing, "needs_landing"
        return self._landing

    @contextmanager
    def leased(self, table: Table, job: str, bar: Bar) -> Iterator[Hold]:
        """Be the only one at work on a job of the table.

        Raises:
            TableBusy: another run is.
            LandingError: the landing, where the leases are, cannot be reached or refuses.
        """
        assert self._leases, "needs_landing"
        with self._leases.hold(table.source, table.name, job, bar.say) as held:
            if held.took_over:
                self.results[table.label].note(held.took_over)
            yield held

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Leases are renewed and the record is kept up to date while the block lasts."""
        with ExitStack() as stack:
            if self._leases:
                stack.enter_context(self._leases)
            stack.enter_context(self.run.going(self._landing))
            yield

    def write(self) -> None:
        """Write the record as it is now."""
        self.run.write(self._landing)

    def release(self) -> None:
        """Give back all leases, when the process is about to end in the middle of its work."""
        if self._leases:
            self._leases.release()


class Job(ABC):
    """What one command does. ``options`` are those that its record shows. ``stays`` says what state a failure leaves.

    ``by_a_person``: whoever typed it reads what became of it, so there is nothing to tell.
    """

    program = "el"
    name: str
    stays = "What was committed stays"
    needs_landing = True
    by_a_person = False

    def __init__(self, selectors: Sequence[str], options: Mapping[str, Any]) -> None:
        self.selectors, self.options = selectors, options
        #: Those that the command line is shown with.
        self.named = selectors

    @abstractmethod
    def work(self, going: Going) -> None:
        """Do it, and keep in ``going.results`` what became of each table.

        Raises:
            UsageError: nothing was started.
        """

    @abstractmethod
    def seen(self, going: Going) -> dict[str, list[Seen]]:
        """The problems of each source's tables, and those that are over."""

    @abstractmethod
    def lines(self, going: Going) -> list[str]:
        """What it did, for standard output."""

    def content(self, going: Going) -> dict[str, Any]:
        """The same for ``--json``."""
        return {"tables": [self.json(result) for result in going.results.values()]}

    def json(self, result: TableResult) -> dict[str, Any]:
        """One table, for the record and the log."""
        return result.json()

    @property
    def title(self) -> str:
        """The command, as a problem names it."""
        return f"{self.program} {self.name}"

    @property
    def line(self) -> str:
        """The command line as it was understood. A selector that could be none is not repeated: it might be a URL."""
        options = [
            f"--{name}" + ("" if value is True else f" {value}") for name, value in self.options.items() if value
        ]
        return " ".join([self.title, *options, *map(config.shown, self.named)])


def supervise(job: Job, timeout: int | None, as_json: bool) -> int:
    """Do the job; the exit code. ``timeout`` in seconds.

    Raises:
        UsageError: nothing was started.
        ElError: no table was begun, or an internal error.
    """
    name = job.title.removeprefix("el").strip(" -").replace(" ", "-")
    run = Run(name, job.line, settings.trigger(), settings.home())
    with logged(run):
        return _Supervisor(job, run, as_json).do(timeout)


class _Supervisor:
    """One run of a job."""

    def __init__(self, job: Job, run: Run, as_json: bool) -> None:
        self._job, self._run, self._json = job, run, as_json
        self._landing: Landing | None = None

    def do(self, timeout: int | None) -> int:
        """The exit code; what kept it from its tables is kept and told, and raised."""
        run, what = self._run, self._job.title
        try:
            if self._job.needs_landing or settings.landing_is_set():
                self._landing = Landing(settings.landing())
            return self._do(timeout, Channels(settings.alerts()))
        except UsageError as error:
            log.error("%s", error)
            if run.trigger == "schedule" or run.on_s3:  # by hand, whoever typed it reads it
                self._keep(ExitCode.USAGE, str(error))
            if run.trigger == "schedule":
                self._tell(Seen(what, "run", str(error)))
            raise
        except ElError as error:
            log.error("%s", error)
            self._keep(ExitCode.FAILED, str(error))
            self._tell(Seen(what, "run", str(error)))
            raise
        except Exception as error:  # its message may quote a value
            log.error("internal error: %s at %s", type(error).__name__, frames(error))
            said = f"internal error: {type(error).__name__}"
            self._keep(ExitCode.FAILED, said)
            self._tell(Seen(what, "bug", f"{said}. The log says where: {run.log_file}"))
            raise ElError(
                f"{said}. {self._job.stays}. It is a mistake in el: please report it with the log, {run.log_file}"
            ) from None

    def _do(self, timeout: int | None, channels: Channels) -> int:
        job, run = self._job, self._run
        going = Going(run, self._landing, self._json)
        results = going.results
        # Before there is a record: a name that was mistyped by hand is none.
        config.select(config.load_sources(settings.sources_folder()), job.selectors)
        run.tables = lambda: [job.json(result) for result in results.values()]

        def at_once() -> None:
            going.release()
            state = "interrupted" if going.stop.by_signal else "failed"
            run.end(self._landing, state, _code(going, at_once=True), going.stop())

        with listening(going.stop, at_once, timeout):
            with going.recorded():
                job.work(going)
                # What a run of the command that came to its tables shows to be over.
                seen = {EL: [Seen(job.title, kind, None) for kind in _KINDS]} | job.seen(going)
                run.warnings += tell(run.name, self._landing, channels, seen)
            for result in results.values():
                log.info("%s", json.dumps(job.json(result)))
            code = _code(going)
            state = {ExitCode.DONE: "done", ExitCode.INTERRUPTED: "interrupted"}.get(code, "failed")
            kept_here = run.end(self._landing, state, code, self._errors(going, every=False) or None)
        if kept_here:
            run.warnings.append(f"the record of this run is on this host only, beside its log: {kept_here}")
        click.echo(self._report(going))
        if errors := self._errors(going, every=True):
            click.echo(errors, err=True)
        return code

    def _errors(self, going: Going, every: bool) -> str:
        """A line for each; those of the record are not ``every`` one."""
        found = failures(list(going.results.values()), every)
        if unfinished := _unfinished(going):
            found.append(f"error: {going.stop()}: {', '.join(unfinished)}: not finished. {self._job.stays}; run again.")
        return "\n".join(found)

    def _report(self, going: Going) -> str:
        run = self._run
        if self._json:
            content = {"run": run.name, **self._job.content(going), "warnings": run.warnings, "log": str(run.log_file)}
            return json.dumps(content, indent=1)
        lines = [*self._job.lines(going), *notes(list(going.results.values()))]
        return "\n".join([*lines, *(f"note: {warning}" for warning in run.warnings), f"log: {run.log_file}"])

    def _keep(self, code: ExitCode, error: str) -> None:
        kept_here = self._run.end(self._landing, "failed", code, error)
        if kept_here:
            click.echo(f"note: the record of this run is on this host only, beside its log: {kept_here}", err=True)

    def _tell(self, seen: Seen) -> None:
        for warning in tell(self._run.name, self._landing, Channels(settings.alerts()), {EL: [seen]}):
            click.echo(f"note: {warning}", err=True)


def _unfinished(going: Going) -> list[str]:
    return [r.table for r in going.results.values() if going.stop() and r.became("cut off", "not begun")]


def _code(going: Going, at_once: bool = False) -> ExitCode:
    if going.stop.by_signal:
        return ExitCode.INTERRUPTED
    bad = at_once or _unfinished(going) or any(r.became("failed", "refused") for r in going.results.values())
    return ExitCode.FAILED if bad else ExitCode.DONE
