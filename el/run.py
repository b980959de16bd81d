"""``el extract``, ``el load`` and ``el run``: what is asked for, and what is said at the end.

In: selectors and options. Out: ``Moving``, the job that does extract, load or one after the other (``phases.py``).
``extract`` needs MySQL and S3, ``load`` needs S3 and Redshift. What is wrong with the configuration ends the run before
a row moves; what is wrong with a server fails the tables that need it.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from el import config, settings
from el.errors import ElError
from el.options import Options
from el.outcome import Extracted, Loaded, State, TableResult
from el.phases import Extract, Load, Phase
from el.problems import Seen
from el.status import status
from el.supervise import Going, Job
from el.text import aligned, short
from el.watch import lag_seen, table_seen

log = logging.getLogger("el")


#: What is told of a table whatever else is.
_UNUSUAL: tuple[State, ...] = ("failed", "cut off", "not begun", "skipped")


class Moving(Job):
    """``el extract``, ``el load`` or ``el run``."""

    def __init__(self, name: str, selectors: Sequence[str], options: Options, timeout: int | None) -> None:
        """``name`` is extract, load or run; ``timeout`` in seconds."""
        shown = {
            "full": options.full,
            "accept-server": options.accept_server,
            "from": options.since,
            "to": options.to,
            "into": options.into,
            "swap": options.swap,
            "with": options.rest and config.shown(options.rest),
            "max-rows-per-second": options.max_rows_per_second,
            "timeout": timeout and f"{timeout}s",
            "replay": options.into and config.shown(selectors[0]),
        }
        super().__init__(selectors, shown)
        self.named = () if options.into else selectors
        self.name, self._options = name, options
        self._modes: dict[str, str] = {}
        self._extracted: dict[str, Extracted] = defaultdict(Extracted)
        self._loaded: dict[str, Loaded] = defaultdict(Loaded)

    def work(self, going: Going) -> None:
        extracting, loading = self.name != "load", self.name != "extract"
        tables = self._tables = config.select(config.load_sources(settings.sources_folder()), self.selectors)
        self._options.check(tables)
        self._modes = {table.label: table.mode for table in tables}
        for table in tables:
            states = {"extract": extracting, "load": loading}
            going.results[table.label] = TableResult(table.label, {job: "not begun" for job in states if states[job]})
        # Settings first: a variable that is missing must not be found after an hour of extract.
        phases: list[Phase] = [
            *([Extract(tables, going, self._options, self._extracted)] if extracting else []),
            *([Load(tables, going, self._options, self._loaded)] if loading else []),
        ]
        try:
            going.landing.check()  # boto3 is patient itself
        except ElError as error:
            for phase in phases:
                phase.fail(tables, error)
            return
        for phase in phases:
            phase.run()

    def seen(self, going: Going) -> dict[str, list[Seen]]:
        seen: dict[str, list[Seen]] = {}
        # A replay says nothing of the raw tables.
        for table in self._tables if not self._options.into else ():
            own = self._extracted[table.label], self._loaded[table.label]
            seen.setdefault(table.source, []).extend(table_seen(going.results[table.label], table.mode, *own))
        limited = [table for table in self._tables if table.max_lag]
        if limited and going.run.on_s3:
            try:
                for one in status(limited, going.landing, ask_redshift=self.name != "extract"):
                    seen.setdefault(one.table.partition(".")[0], []).extend(lag_seen(one))
            except ElError as error:  # the tables say it too
                log.warning("the lag could not be asked: %s", error)
        return seen

    def json(self, result: TableResult) -> dict[str, Any]:
        mine, loaded = self._extracted[result.table], self._loaded[result.table]
        counts = {kind: dict(found) for kind, found in mine.counts.items()}
        if loaded.json_misses:
            counts["json_misses"] = dict(loaded.json_misses)
        return result.json() | {
            "mode": self._modes[result.table],
            "extract": result.states.get("extract"),
            "load": result.states.get("load"),
            "extracted": mine.rows,
            "loaded": loaded.rows,
            "extract_commits": mine.commits,
            "load_commits": loaded.commits,
            "full": mine.full,
            "full_load": loaded.full,
            "archived": loaded.archived,
            "lo": mine.lo,
            "next_lo": mine.next_lo,
            "backfill": mine.backfill,
            "drift": mine.drift,
            "counts": counts,
        }

    def lines(self, going: Going) -> list[str]:
        body = [
            [
                result.table,
                f"{self._extracted[result.table].rows:,}",
                f"{self._loaded[result.table].rows:,}",
                self._window(result.table),
                f"{result.seconds:.1f}",
                next((state for state in _UNUSUAL if result.became(state)), ""),
            ]
            for result in going.results.values()
        ]
        return aligned(["table", "extracted", "loaded", "window", "seconds", ""], body, right={1, 2, 4})

    def _window(self, label: str) -> str:
        done = self._extracted[label]
        if self._modes[label] == "replace":
            return "whole table" if done.commits else "-"
        if done.backfill:
            lo, to = done.backfill
            return f"backfill {short(lo)} → {short(to)}"
        if not done.commits:
            return f"from {short(done.lo)}" if done.lo else "-"
        return f"{'everything' if done.full else short(done.lo)} → {short(done.next_lo)}"
