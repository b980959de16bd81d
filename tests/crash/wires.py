"""The three wires of a run, S3, MySQL and Redshift, each with a proxy on it that lets one thing happen at one point."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.conftest import Source
from tests.crash.points import Fault, Point
from tests.proxy import s3_proxy
from tests.tcp_proxy import tcp_proxy

PREFIX = "DESTINATION__REDSHIFT__CREDENTIALS__"
#: Seconds that S3 takes for each answer from a slow one on.
_SLOW = 0.3


@dataclass
class Wires:
    """``env``: the variables with which a run uses them. ``seen``: what passed, as (wire, text)."""

    env: dict[str, str] = field(default_factory=dict)
    seen: list[tuple[str, str]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _plan: tuple[Point, Fault] | None = None
    _times: int = 0
    _lasting: Fault | None = None
    _victim: subprocess.Popen[Any] | None = None
    _started: threading.Event = field(default_factory=threading.Event)

    def run(self, start: Callable[[], subprocess.Popen[Any]], plan: tuple[Point, Fault] | None) -> int:
        """Start a run, let the fault happen at the point; its exit code.

        Fails if the point never came.
        """
        with self._lock:
            self._plan, self._times, self._lasting = plan, 0, None
            self.seen.clear()
        self._started.clear()
        self._victim = start()
        self._started.set()
        code = self._victim.wait(240)
        with self._lock:
            came, self._plan, self._lasting = self._plan is None, None, None
        assert came, "it never came to this point"
        return code

    def _now(self, wire: str, text: str) -> Fault | None:
        """What has to happen at this; each plan happens once, but a server that is busy or slow stays so."""
        with self._lock:
            self.seen.append((wire, text))
            if self._plan is None or not self._plan[0].matches(wire, text):
                return self._lasting if wire == "s3" else None
            self._times += 1
            point, fault = self._plan
            if self._times != point.nth:
                return None
            self._plan = None
            self._lasting = fault if fault in ("503", "slow") else None
            return fault

    def _kill(self) -> None:
        assert self._started.wait(60)
        assert self._victim
        os.kill(self._victim.pid, signal.SIGKILL)

    def s3(self, method: str, path: str) -> Any:
        fault = self._now("s3", f"{method} {path.split('?')[0]}")
        if fault == "killed before":
            self._kill()
            return "torn"
        if fault == "slow":
            time.sleep(_SLOW)
            return None
        return {"killed after": self._kill, "500": 500, "503": 503, "torn": "torn", "lost": _nothing}.get(fault or "")

    def database(self, wire: str) -> Callable[[bytes], Any]:
        def cut(data: bytes) -> Any:
            fault = self._now(wire, data.decode("latin-1"))
            if fault == "killed before":
                self._kill()
                return "before"
            return {"killed after": self._kill, "cut before": "before", "cut after": "after"}.get(fault or "")

        return cut


def _nothing() -> None:
    """The answer is not passed on, and nothing else happens."""


@contextmanager
def wires(source: Source) -> Iterator[Wires]:
    """The wires of a source."""
    made = Wires()
    credentials = f"SOURCES__{source.name.upper()}__CREDENTIALS"
    mysql = urlsplit(source.env[credentials]).port or 0
    with (
        s3_proxy(source.env["AWS_ENDPOINT_URL"], made.s3) as endpoint,
        tcp_proxy(mysql, made.database("mysql")) as at_mysql,
        tcp_proxy(int(source.env[PREFIX + "PORT"]), made.database("redshift")) as at_redshift,
    ):
        made.env = {
            "AWS_ENDPOINT_URL": endpoint,
            credentials: source.env[credentials].replace(f":{mysql}/", f":{at_mysql}/"),
            PREFIX + "PORT": str(at_redshift),
            "EL_REDSHIFT_SSLMODE": "disable",
        }
        yield made
