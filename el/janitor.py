"""The janitor: deletes from the landing what no commit names and no commit can still name.

In: a table's folder on S3. Out: what was found, and deleted if that was asked for. Needs no database.

An extract uploads files, then writes the commit that names them; killed in between, it leaves files without one. A
file that no commit names may still be one of an extract that is at work, so age alone proves nothing: a pass may take
days, and a process may be suspended. The proof is the number of the commit:

1. An extract fixes the number of the commit before it uploads the first byte of a file: one more than the newest commit
   that it knows. It uploads a part only when the commit of the part before is written (``parts.py``). So a file
   is for a number that is at most one more than that of the newest commit at the moment its upload began.
2. So the first commit that was written after that moment has the file's number, or a larger one.
3. No number is given twice (``If-None-Match``), and an extract that loses its number uploads again under new names.

Hence: if a commit of the table is later than the file and no commit names the file, none ever will. "Later" is by
S3's own clock, for which ``LastModified`` of an upload in parts is the moment at which it began, as the proof needs
it. S3 is many machines, so later means by more than the grace period.

A table whose newest commit is older than an orphan keeps it until its next commit. That is on purpose: the killed
extract might be a suspended one. After a real kill the rows are read again, and their commit settles it.

The proof needs every commit. A gap in their numbers, or one that cannot be read, means that somebody took commits
away, who may yet put them back: then the table is left alone. The commits, dlt's schema, the horizon and everything
else that lies there are never touched.

A manifest is read by the one COPY that it was written for. Should it be deleted under a COPY that runs for longer than
the grace period, the load is rolled back, and writes a new one when it is repeated.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from el.config import Table, raw_name
from el.errors import ElError, LandingDamage
from el.landing import Landing, Listed, TableLanding

#: Commits that are read at once.
_READERS = 16


@dataclass
class Cleaned:
    """What one table has to be cleaned of. ``deleted`` counts what is gone; it is what was asked for unless ``error``.

    ``waiting`` counts files that no commit names, but one still might.
    """

    table: str
    url: str
    files: list[Listed] = field(default_factory=list)
    manifests: list[Listed] = field(default_factory=list)
    waiting: int = 0
    deleted: int = 0
    error: str | None = None


def clean(landing: Landing, tables: Sequence[Table], grace_days: int, execute: bool) -> list[Cleaned]:
    """Find, and with ``execute`` delete, what is left over. An error is kept with its table; the others go on.

    Raises:
        LandingError: the bucket cannot be reached or listed.
    """
    landing.check()
    results = []
    for table in tables:
        place = landing.table(table.source, raw_name(table.name))
        result = Cleaned(table.label, place.url)
        results.append(result)
        try:
            _find(place, timedelta(days=grace_days), result)
            for found in [*result.files, *result.manifests] if execute else []:
                place.delete(found.key)
                result.deleted += 1
        except ElError as error:
            result.error = f"{table.label}: {error}"
    return results


def _find(place: TableLanding, grace: timedelta, result: Cleaned) -> None:
    # Files first: what is committed after they were listed is among the commits that are listed next.
    files, manifests = place.files(), place.manifests()
    commits = place.commit_times()
    missing = next((seq for seq in range(1, max(commits, default=0)) if seq not in commits), None)
    if missing:
        raise LandingDamage(
            f"{place.url}: commit {missing} is missing, and its files look as if no commit had ever named them. "
            "Nothing was deleted. Restore it from the bucket's versions"
        )
    settled = max(commits.values()) - grace if commits else None
    named = _named(place, commits, min(file.at for file in files) - grace) if files else set()
    unnamed = [file for file in files if file.key not in named]
    result.files = [file for file in unnamed if settled and file.at < settled]
    result.waiting = len(unnamed) - len(result.files)
    result.manifests = [manifest for manifest in manifests if settled and manifest.at < settled]


def _named(place: TableLanding, commits: dict[int, datetime], since: datetime) -> set[str]:
    """The files that commits name. A commit is later than its files: those before the oldest file name none of them."""
    seqs = [seq for seq, at in commits.items() if at >= since]
    with ThreadPoolExecutor(_READERS) as pool:
        return {file.key for commit in pool.map(place.commit, seqs) for file in commit.files}


def report(results: Sequence[Cleaned], executed: bool, as_json: bool) -> str:
    """What ``el clean`` prints: every object, then a line per table that has any."""
    if as_json:
        return json.dumps(
            {
                "executed": executed,
                "tables": [
                    {
                        "table": result.table,
                        "files": [_as_json(result, found) for found in result.files],
                        "manifests": [_as_json(result, found) for found in result.manifests],
                        "waiting": result.waiting,
                        "deleted": result.deleted,
                        "error": result.error,
                    }
                    for result in results
                ],
            },
            indent=1,
        )
    lines = [
        f"{result.url}/{found.key}  {found.size:,} bytes  {found.at:%Y-%m-%d %H:%M:%S}"
        for result in results
        for found in [*result.files, *result.manifests]
    ]
    for result in results:
        found, size = len(result.files), sum(file.size for file in result.files)
        if found or result.manifests or result.waiting:
            state = f"{result.deleted:,} deleted" if executed else "nothing deleted"
            waiting = f", {result.waiting:,} that a commit may still name" if result.waiting else ""
            lines.append(
                f"{result.table}: {found:,} files without a commit ({size:,} bytes), "
                f"{len(result.manifests):,} manifests: {state}{waiting}"
            )
    if not lines:
        lines.append("nothing to clean")
    elif not executed:
        lines.append("nothing was deleted; to delete: el clean --execute")
    return "\n".join(lines)


def _as_json(result: Cleaned, found: Listed) -> dict[str, object]:
    return {"url": f"{result.url}/{found.key}", "size": found.size, "at": found.at.isoformat()}
