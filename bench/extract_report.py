"""What ``bench/extract.py`` has measured, as a page."""

from __future__ import annotations

import datetime as dt
import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import psutil
import pymysql

WIRE, OURS = "mariadb --quick, thrown away", "el extract"


@dataclass(frozen=True)
class Measured:
    """One run of one program: wall time and CPU time in seconds, memory in bytes. CPU is the client's alone."""

    seconds: float
    cpu: float
    peak: int

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s, {self.cpu:.1f} s CPU, {self.peak / 1e6:.0f} MB"


def report(
    contests: dict[str, tuple[int, dict[str, list[Measured]]]],
    memory: dict[int, Measured],
    idle: tuple[Measured, float] | None,
    admin: dict[str, Any],
    with_sling: bool,
) -> str:
    """The page in Markdown."""
    with pymysql.connect(**admin) as connection, connection.cursor() as cursor:
        cursor.execute("select version()")
        server = cursor.fetchone()[0]
    packages = ", ".join(f"{name} {version(name)}" for name in ("connectorx", "dlt", "pyarrow", "moto"))
    lines = [
        "# Extract, beside other ways to read a table",
        "",
        f"{dt.date.today():%Y-%m-%d}. One run on one machine, with MySQL and S3 on it too: {os.cpu_count()} cores, "
        f"{psutil.virtual_memory().total / 2**30:.0f} GB, {platform.system()} {platform.machine()}, load "
        f"{os.getloadavg()[2]:.1f} over the last 15 minutes. {server}, Python {platform.python_version()}, {packages}.",
        "",
        "The contenders took turns; of each the best round counts, and the most memory of any round. Time is that of",
        "the whole program from its start. Memory is the resident sets of a program and its children, sampled; what",
        "they share counts several times. `el extract` ends with the commit on S3; dlt writes Parquet to a local",
        "folder; connectorx and the wire throw the rows away. Use the ratios: no figure is one of your servers.",
    ]
    if not with_sling:
        lines += ["", "Sling is missing: there is no package of its binary for this platform."]
    for table, (rows, contenders) in contests.items():
        lines += ["", f"## {table}, {rows:,} rows", "", "| | rows/s | beside the wire | el is | CPU s | peak memory |"]
        lines += ["|---|---|---|---|---|---|"]
        best = {name: min(each.seconds for each in runs) for name, runs in contenders.items()}
        for name, runs in contenders.items():
            cpu, peak = min(each.cpu for each in runs), max(each.peak for each in runs)
            lines.append(
                f"| {name} | {rows / best[name]:,.0f} | {best[WIRE] / best[name]:.2f} | "
                f"{best[name] / best[OURS]:.2f} times as fast | {cpu:.1f} | {peak / 1e6:,.0f} MB |"
            )
    if memory:
        lines += ["", "## Memory of el, narrow table", "", "| rows | peak memory | rows/s |", "|---|---|---|"]
        lines += [f"| {rows:,} | {m.peak / 1e6:,.0f} MB | {rows / m.seconds:,.0f} |" for rows, m in memory.items()]
    if idle:
        lines += ["", "## A hundred tables with nothing new", ""]
        lines += [f"{idle[0]}; {idle[1]:.1f} statements to MySQL per table, those of the log-in and the run included."]
    return "\n".join([*lines, "", "Again: `make bench-extract`.", ""])
