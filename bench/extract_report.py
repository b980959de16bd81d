"""What ``bench/extract.py`` has measured, as a page."""

from __future__ import annotations

from typing import Any

import pymysql

from bench.measured import Measured, machine, versions

WIRE, OURS = "mariadb --quick, thrown away", "el extract"


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
        version = cursor.fetchone()[0]
    server = version if "MariaDB" in version else f"MySQL {version}"
    lines = [
        "# Extract, beside other ways to read a table",
        "",
        f"{machine()} {server}, {versions('connectorx', 'dlt', 'pyarrow', 'moto')}.",
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
