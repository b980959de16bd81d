"""How a program did: wall time, CPU, memory. Of a program and its children together.

Memory is sampled resident sets; what processes share counts several times.
"""

from __future__ import annotations

import datetime as dt
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Measured:
    """One run of one program: wall time and CPU time in seconds, memory in bytes. CPU is the client's alone."""

    seconds: float
    cpu: float
    peak: int

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s, {self.cpu:.1f} s CPU, {self.peak / 1e6:.0f} MB"


def measured(command: list[Any], env: dict[str, str], ends: Collection[int] = (0,)) -> tuple[Measured, str]:
    """Run a program to its end, with one of these exit codes; how it did and what it printed."""
    began = time.perf_counter()
    process = subprocess.Popen(list(map(str, command)), env=env, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    peak, ended = 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        root = psutil.Process(process.pid)
        while not ended.wait(0.05):
            try:
                family = [root, *root.children(recursive=True)]
                peak = max(peak, sum(each.memory_info().rss for each in family))
            except psutil.Error:
                continue  # one of them has just ended

    watcher = threading.Thread(target=watch)
    watcher.start()
    assert process.stdout
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    ended.set()
    watcher.join()
    if process.returncode not in ends:
        sys.exit(f"{' '.join(map(str, command))} ended with {process.returncode}")
    return Measured(seconds, usage.ru_utime + usage.ru_stime, peak), printed


def machine() -> str:
    """When and where, for the head of a page."""
    return (
        f"{dt.date.today():%Y-%m-%d}. One run on one machine, with all servers on it too: {os.cpu_count()} cores, "
        f"{psutil.virtual_memory().total / 2**30:.0f} GB, {platform.system()} {platform.machine()}, load "
        f"{os.getloadavg()[2]:.1f} over the last 15 minutes."
    )


def versions(*packages: str) -> str:
    """Python's and theirs."""
    return ", ".join([f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in packages)])
