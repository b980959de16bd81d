"""A run on record: whatever becomes of it, its record and log say so, and people are told what nobody may read there.

In: a run, and what it does. Out: its exit code; or its error, when it is written down. ``el`` and ``el-archive`` alike.
What a run has to tell of its tables it tells itself (``notify.py``); here it is what kept it from its tables.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import click

from el import settings
from el.errors import ElError, ExitCode, UsageError
from el.landing import Landing
from el.notify import Channels, tell
from el.problems import EL, Seen
from el.runs import Run, logged
from el.shell import frames

log = logging.getLogger("el")

#: The kinds of problems that are told here.
_KINDS = ("run", "bug")


def on_record(
    run: Run,
    what: str,
    stays: str,
    work: Callable[[Landing | None, Channels], int],
    needs_landing: bool = True,
) -> int:
    """Do the work; the exit code. ``work`` writes the record's end where it comes to one, and tells ``over``.

    ``what`` is the command as a problem names it, such as ``el run``. ``stays`` says what state a mistake in el leaves.
    Without ``needs_landing`` a host that does not know the landing keeps record and log for itself, which is said.

    Raises:
        UsageError: nothing was started.
        ElError: as ``work`` raised it, or an internal error.
    """
    with logged(run):
        landing: Landing | None = None
        try:
            if needs_landing or settings.landing_is_set():
                landing = Landing(settings.landing())
            return work(landing, Channels(settings.alerts()))
        except UsageError as error:
            log.error("%s", error)
            if run.trigger == "schedule" or run.on_s3:  # by hand, whoever typed it reads it
                _keep(run, landing, ExitCode.USAGE, str(error))
            if run.trigger == "schedule":
                _tell(run, landing, Seen(what, "run", str(error)))
            raise
        except ElError as error:
            log.error("%s", error)
            _keep(run, landing, ExitCode.FAILED, str(error))
            _tell(run, landing, Seen(what, "run", str(error)))
            raise
        except Exception as error:  # its message may quote a value
            log.error("internal error: %s at %s", type(error).__name__, frames(error))
            said = f"internal error: {type(error).__name__}"
            _keep(run, landing, ExitCode.FAILED, said)
            _tell(run, landing, Seen(what, "bug", f"{said}. The log says where: {run.log_file}"))
            raise ElError(
                f"{said}. {stays}. It is a mistake in el: please report it with the log, {run.log_file}"
            ) from None


def over(what: str) -> dict[str, list[Seen]]:
    """What a run of the command that came to its tables shows to be over, for ``tell``."""
    return {EL: [Seen(what, kind, None) for kind in _KINDS]}


def _keep(run: Run, landing: Landing | None, code: ExitCode, error: str) -> None:
    kept_here = run.end(landing, "failed", code, error)
    if kept_here:
        click.echo(f"note: the record of this run is on this host only, beside its log: {kept_here}", err=True)


def _tell(run: Run, landing: Landing | None, seen: Seen) -> None:
    for warning in tell(run.name, landing, Channels(settings.alerts()), {EL: [seen]}):
        click.echo(f"note: {warning}", err=True)
