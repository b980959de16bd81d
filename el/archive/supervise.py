"""One command of ``el-archive`` from its beginning to its end: signals, record, log, its tables, problems, the report.

In: a ``Job``, which is what a command does with each of its tables. Out: an exit code, text on standard output and
standard error, the record and the log that ``el runs`` and ``el logs`` show, and alerts.

Tables are worked on one after the other: these commands must be gentle, and two tables at once would share one disk and
one replica. A table that fails leaves the others alone. What goes wrong with the record or an alert changes nothing of
what is said of the tables; it is said beside it.
"""

from __future__ import annotations

import json
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import click

from el import config, settings
from el.archive.work import JOB
from el.config import Table
from el.errors import ElError, ExitCode, TableBusy, Unproven, UsageError
from el.landing import Landing
from el.lease import Leases
from el.notify import Channels, tell
from el.on_record import on_record, over
from el.problems import Seen
from el.progress import Bar, Progress
from el.runs import Run
from el.stop import Stop, listening

log = logging.getLogger("el")

#: Errors of one table that a record and an alert spell out: an archive that was lost has one for each object.
_AT_MOST = 10


@dataclass
class TableWork:
    """What happened to one table. ``state``: done, failed, refused, skipped, cut off, not begun.

    ``rows`` are counts by what became of them, in words; ``objects`` and ``bytes`` are those of the archive. ``whole``
    is False if success says nothing of what was not looked at: then only a problem of the command's first kind is over.
    """

    table: Table
    state: str = "not begun"
    rows: dict[str, int] = field(default_factory=dict)
    objects: int = 0
    bytes: int = 0
    seconds: float = 0.0
    warnings: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    whole: bool = True
    kind: str | None = None

    def fail(self, *errors: str, kind: str | None = None) -> None:
        """``kind``: of the problem, if it is not the command's first."""
        self.state, self.kind = "failed", kind
        self.errors += errors

    @property
    def error(self) -> str | None:
        """The errors as one text."""
        more = [f"and {len(self.errors) - _AT_MOST:,} more"] if len(self.errors) > _AT_MOST else []
        return "\n".join([*self.errors[:_AT_MOST], *more]) or None

    def json(self) -> dict[str, Any]:
        """For the record and the log."""
        return {
            "table": self.table.label,
            "state": self.state,
            "rows": self.rows,
            "objects": self.objects,
            "bytes": self.bytes,
            "seconds": round(self.seconds, 1),
            "warnings": self.warnings,
            "error": self.error,
        }


class Going:
    """What a job may use while it goes on. ``stop`` says why nothing new may be begun."""

    def __init__(self, run: Run, landing: Landing | None) -> None:
        self.run, self.stop = run, Stop()
        self.leases = (
            Leases(landing, run.name, settings.lease_seconds(), run.home, self.stop) if landing is not None else None
        )

    @contextmanager
    def alone(self, table: Table, bar: Bar) -> Iterator[None]:
        """Be the only one at work on the table's archive.

        Raises:
            TableBusy: a run, a hold or an expiry is.
            LandingError: the landing, where the leases are, cannot be reached or refuses.
        """
        assert self.leases, "needs_landing"
        with self.leases.hold(table.source, table.name, JOB, bar.say) as held:
            yield
            held.succeeded = True


class Job(ABC):
    """What one command does. ``options`` are those that its record shows, ``kinds`` the problems that it tells of.

    ``by_a_person``: whoever typed it reads what became of it, so there is nothing to tell, and wrong usage ends it.
    """

    name: str
    kinds: tuple[str, ...] = ()
    needs_landing = False
    by_a_person = False

    def __init__(self, selectors: Sequence[str], options: Mapping[str, Any]) -> None:
        self.selectors, self.options = selectors, options

    @abstractmethod
    def begin(self, going: Going) -> list[TableWork]:
        """The tables, in order. Raises UsageError if nothing is to be started."""

    @abstractmethod
    def one(self, going: Going, work: TableWork, bar: Bar) -> None:
        """Work on one table, and say in ``work`` what became of it; a state that is not set is done."""

    @abstractmethod
    def content(self) -> dict[str, Any]:
        """What it found, for ``--json``."""

    @abstractmethod
    def lines(self) -> list[str]:
        """The same for standard output."""

    @property
    def verb(self) -> str:
        """What it does with a table, for progress and the log."""
        return self.name

    @property
    def line(self) -> str:
        """The command line as it was understood. A selector that could be none is not repeated: it might be a URL."""
        options = [
            f"--{name}" + ("" if value is True else f" {value}") for name, value in self.options.items() if value
        ]
        return " ".join(["el-archive", self.name, *options, *map(config.shown, self.selectors)])


def supervise(job: Job, timeout: int | None, as_json: bool) -> int:
    """Do the job; the exit code. ``timeout`` in seconds.

    Raises:
        UsageError: nothing was started.
        ElError: no table was begun.
    """
    run = Run(f"archive-{job.name}", job.line, settings.trigger(), settings.home())
    return on_record(
        run,
        f"el-archive {job.name}",
        "What was deleted was proven; the next run goes on from the journal",
        lambda landing, channels: _Supervisor(job, run, landing, channels, as_json).do(timeout),
        job.needs_landing,
    )


class _Supervisor:
    """One run of a job."""

    def __init__(self, job: Job, run: Run, landing: Landing | None, channels: Channels, as_json: bool) -> None:
        self._job, self._run, self._landing, self._channels, self._json = job, run, landing, channels, as_json
        self._going = Going(run, landing)
        self._works: list[TableWork] = []

    def do(self, timeout: int | None) -> int:
        run, stop, leases = self._run, self._going.stop, self._going.leases
        # Before there is a record: a name that was mistyped by hand is none.
        config.select(config.load_sources(settings.sources_folder()), self._job.selectors)
        run.tables = lambda: [work.json() for work in self._works]

        def at_once() -> None:
            if leases:
                leases.release()
            run.end(self._landing, "interrupted" if stop.by_signal else "failed", self._code(at_once=True), stop())

        with listening(stop, at_once, timeout):
            with ExitStack() as stack:
                if leases:
                    stack.enter_context(leases)
                stack.enter_context(run.going(self._landing))
                self._work()
                run.warnings += tell(run.name, self._landing, self._channels, self._seen())
            code = self._code()
            state = {ExitCode.DONE: "done", ExitCode.INTERRUPTED: "interrupted"}.get(code, "failed")
            kept_here = run.end(self._landing, state, code, self._errors(every=False) or None)
        if kept_here:
            run.warnings.append(f"the record of this run is on this host only, beside its log: {kept_here}")
        click.echo(self._report())
        if errors := self._errors(every=True):
            click.echo(errors, err=True)
        return code

    def _work(self) -> None:
        self._works = self._job.begin(self._going)
        self._run.write(self._landing)  # with the tables: planning them may have taken a minute
        labels = [work.table.label for work in self._works]
        with Progress(self._job.verb, labels, self._json, left=True) as progress:
            for work in self._works:
                if not self._going.stop():
                    self._one(work, progress)
                    log.info("%s", json.dumps(work.json()))

    def _one(self, work: TableWork, progress: Progress) -> None:
        label = work.table.label
        began = time.monotonic()
        progress.start(label)
        try:
            self._job.one(self._going, work, progress.bar(label))
            if work.state == "not begun":
                work.state = "done"
        except TableBusy as error:
            work.state = "skipped"
            work.warnings.append(f"{error}; this run did not do it")
        except Unproven as error:
            work.fail(str(error), kind="proof")
        except ElError as error:
            work.fail(str(error))
            if isinstance(error, UsageError) and self._job.by_a_person:
                raise
        finally:
            work.seconds = time.monotonic() - began
            progress.finish(label, work.state)
            for text in work.errors:
                log.error("%s %s failed: %s", self._job.verb, label, text)

    def _seen(self) -> dict[str, list[Seen]]:
        """The problems of each source's tables, and those that are over."""
        seen = over(f"el-archive {self._job.name}")
        for work in () if self._job.by_a_person else self._works:
            label, known = work.table.label, seen.setdefault(work.table.source, [])
            if work.state in ("failed", "refused"):
                known.append(Seen(label, work.kind or self._job.kinds[0], work.error or work.state))
            elif work.state == "done":
                known += [Seen(label, kind, None) for kind in (self._job.kinds if work.whole else self._job.kinds[:1])]
        return seen

    def _unfinished(self) -> list[str]:
        stop = self._going.stop
        return [work.table.label for work in self._works if stop() and work.state in ("cut off", "not begun")]

    def _errors(self, every: bool) -> str:
        """A line for each; those of the record are not ``every`` one."""
        texts = [text for work in self._works for text in (work.errors if every else [work.error or ""]) if text]
        found = [f"error: {text}" for text in texts]
        if unfinished := self._unfinished():
            found.append(
                f"error: {self._going.stop()}: {', '.join(unfinished)}: not finished. What was done stays; run again."
            )
        return "\n".join(found)

    def _code(self, at_once: bool = False) -> ExitCode:
        if self._going.stop.by_signal:
            return ExitCode.INTERRUPTED
        bad = at_once or self._unfinished() or any(work.state in ("failed", "refused") for work in self._works)
        return ExitCode.FAILED if bad else ExitCode.DONE

    def _report(self) -> str:
        run = self._run
        if self._json:
            content = {"run": run.name, **self._job.content(), "warnings": run.warnings, "log": str(run.log_file)}
            return json.dumps(content, indent=1)
        lines = self._job.lines()
        lines += [f"note: {work.table.label}: {warning}" for work in self._works for warning in work.warnings]
        return "\n".join([*lines, *(f"note: {warning}" for warning in run.warnings), f"log: {run.log_file}"])
