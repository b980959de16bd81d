"""What a person sees while tables are worked on: bars on a terminal, plain lines elsewhere, nothing with --json.

Everything goes to standard error; standard output carries results only.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, NamedTuple, Self

log = logging.getLogger("el")

#: Between two lines of progress where nobody watches a bar.
_TELL_SECONDS = 60


class Bar(NamedTuple):
    """The bar of one table. ``expect`` may be an estimate, and is not called where nothing is known.

    ``say`` tells why it does not move at the moment; an empty text: it does again.
    """

    moved: Callable[[int], None]
    expect: Callable[[int], None]
    say: Callable[[str], None]


#: Where nobody looks.
SILENT = Bar(lambda more: None, lambda total: None, lambda text: None)


class Progress:
    """Used in a ``with`` block; its methods may be called from any thread."""

    def __init__(self, verb: str, labels: list[str], quiet: bool = False, left: bool = False) -> None:
        """``left``: also the rate and the time that is left, where how many there will be is known; without a terminal
        as a line each minute.
        """
        self._verb = verb
        self._left = left
        self._expected: dict[str, int] = {}
        self._told: dict[str, float] = {}
        self._labels = labels
        self._quiet = quiet
        self._bars: Any = None
        self._tasks: dict[str, Any] = {}
        self._rows = dict.fromkeys(labels, 0)
        self._said: set[tuple[str, str]] = set()
        self._began: dict[str, float] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        if not self._quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                ProgressColumn,
                SpinnerColumn,
                TextColumn,
                TimeElapsedColumn,
                TimeRemainingColumn,
            )
            from rich.progress import Progress as Bars

            left: list[ProgressColumn] = []
            if self._left:
                left = [TextColumn("{task.fields[rate]:>9,.0f} rows/s"), TimeRemainingColumn()]
            self._bars = Bars(
                SpinnerColumn(finished_text=" "),
                TextColumn(f"{self._verb} {{task.description}}"),
                BarColumn(),
                TextColumn("{task.completed:>12,.0f} rows"),
                TimeElapsedColumn(),
                *left,
                TextColumn("{task.fields[state]}"),
                console=Console(stderr=True),
            )
            self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bars:
            self._bars.stop()

    def start(self, label: str) -> None:
        with self._lock:
            self._began[label] = time.monotonic()
            if self._bars:
                width = max(map(len, self._labels))
                self._tasks[label] = self._bars.add_task(label.ljust(width), total=None, state="", rate=0)

    def bar(self, label: str) -> Bar:
        """What the work on one table reports to: rows that moved, and how many there will be."""
        return Bar(
            lambda more: self._move(label, more),
            lambda total: self._expect(label, total),
            lambda text: self._say(label, text),
        )

    def _say(self, label: str, text: str) -> None:
        with self._lock:
            if self._bars:
                self._bars.update(self._tasks[label], state=text)
            if not text or (label, text) in self._said:
                return
            self._said.add((label, text))  # a line for each pause would fill the log in a busy night
            log.info("%s %s: %s", self._verb, label, text)
            if not self._bars and not self._quiet:
                print(f"{self._verb} {label}: {text}", file=sys.stderr)

    def _expect(self, label: str, total: int) -> None:
        with self._lock:
            self._expected[label] = total
            if self._bars:
                self._bars.update(self._tasks[label], total=total)

    def _move(self, label: str, more: int) -> None:
        with self._lock:
            self._rows[label] += more
            rate = self._rows[label] / max(time.monotonic() - self._began[label], 0.001)
            if self._bars:
                self._bars.update(self._tasks[label], advance=more, rate=rate)
            elif self._left and not self._quiet:
                self._tell(label, rate)

    def _tell(self, label: str, rate: float) -> None:
        now = time.monotonic()
        if now - self._told.setdefault(label, now) < _TELL_SECONDS:
            return
        self._told[label] = now
        said = f"{self._verb} {label}: {self._rows[label]:,} rows, {rate:,.0f} rows/s"
        if label in self._expected:
            left = max(self._expected[label] - self._rows[label], 0) / rate / 60
            said += f", about {left:,.0f} minutes left"
        print(said, file=sys.stderr)

    def finish(self, label: str, state: str) -> None:
        """``state`` is "done", "nothing new" or "failed"."""
        with self._lock:
            if self._bars:
                self._bars.update(
                    self._tasks[label], state=state, total=self._rows[label] or 1, completed=self._rows[label]
                )
                self._bars.stop_task(self._tasks[label])
            elif not self._quiet and state != "nothing new":
                seconds = time.monotonic() - self._began[label]
                print(f"{self._verb} {label}: {state}, {self._rows[label]:,} rows in {seconds:.1f} s", file=sys.stderr)
