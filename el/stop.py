"""How a run is asked to stop: Ctrl-C, SIGTERM (ECS, systemd, ``docker stop``) or the end of its ``--timeout``.

The first signal asks: the part or load that is under way is finished and committed, nothing new is begun. The second
ends the process at once. Both leave what the next run goes on from, because a run may be killed at any point anyway;
the first one only repeats less.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from el import duration
from el.errors import ExitCode

#: What is under way when the time is up may take so many seconds more; a query that hangs would take for ever.
_GRACE = 60


class Stop:
    """Whether anything new may be begun; ``why`` not, in words, is empty until somebody asks."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self.why = ""
        self.by_signal = False

    def ask(self, why: str, by_signal: bool = False) -> None:
        if not self._asked.is_set():
            self.why, self.by_signal = why, by_signal
            self._asked.set()

    def __call__(self) -> str:
        """Why nothing new may be begun; empty: it may."""
        return self.why

    def wait(self, seconds: float) -> bool:
        """Sleep; True, and at once, when somebody asks to stop."""
        return self._asked.wait(seconds)


@contextmanager
def listening(stop: Stop, at_once: Callable[[], None], timeout: int | None = None) -> Iterator[None]:
    """Listen to signals, and to the clock after ``timeout`` seconds. ``at_once`` puts in order what it can in a moment.

    Called from the main thread, which is where Python gives out signals.
    """
    ending = threading.Lock()

    def end(code: int) -> None:
        if ending.acquire(blocking=False):  # else somebody is at it
            try:
                at_once()
            finally:
                os._exit(code)

    def on_signal(number: int, frame: FrameType | None) -> None:
        if not stop.by_signal:
            stop.ask("interrupted", by_signal=True)
            stop.by_signal = True  # also when the time was up before
            _say("stopping: what is under way is finished, nothing new is begun. Once more stops at once.")
        elif ending.locked():
            os._exit(ExitCode.INTERRUPTED)
        else:
            # Not in this thread: it may hold a lock that is needed to write the record.
            threading.Thread(target=end, args=[ExitCode.INTERRUPTED], daemon=True).start()

    def time_is_up() -> None:
        assert timeout
        stop.ask(f"the time of {duration.words(timeout)} was up")
        if not over.wait(_GRACE):
            end(ExitCode.FAILED)

    over = threading.Event()
    timer = threading.Timer(timeout, time_is_up) if timeout else None
    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        if timer:
            timer.daemon = True
            timer.start()
        yield
    finally:
        over.set()
        if timer:
            timer.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(text: str) -> None:
    os.write(2, f"\n{text}\n".encode())  # print is not safe in the middle of another print
