"""The receipt of one transaction: the chain from what MySQL held to what lies in Redshift, with a count at each link.

In: a batch, what COPY brought and what the transaction did. Out: an object for S3, which the ledger rows name. It holds
no value of a row: counts, names, checksums of files, and the windows that the commits name as well.

Why not in the ledger alone: whoever has to account for rows after years, when the cluster is another one, has the
landing. Why not on S3 alone: only the ledger says whether the transaction came through.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from el import __version__
from el.landing import Commit
from el.redshift.batch import Step
from el.redshift.catalog import Target
from el.redshift.ledger import Changed, Position
from el.redshift.merge import Transaction
from el.summary import Summary


def of(one: Transaction, changed: Changed, came: Mapping[int, Summary], run: str) -> dict[str, Any]:
    """What is written. ``came``: what COPY brought, by seq; it was held against the commits already."""
    batch, target, before = one.batch, one.target, one.before
    rows_before, position = (before.table_rows, before.position) if before else (0, 0)
    return {
        "source": batch.last.source,
        "table": batch.last.table,
        "commits": [_commit(step, came.get(step.commit.seq)) for step in batch.steps],
        "copy": {"manifest": one.manifest, "rows": batch.rows},
        "redshift": {
            "schema": target.schema,
            "table": target.table,
            "position": position + len(batch.steps),
            "rows_before": rows_before,
            "deleted": changed.deleted,
            "inserted": changed.inserted,
            "rows": rows_before - changed.deleted + changed.inserted,
        },
        "written_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "loader": one.loader,
        "run": run,
        "el_version": __version__,
    }


@dataclass(frozen=True)
class Swap:
    """What a replay's end did: the rows of ``built`` replaced those of ``live``.

    ``filled_from``: the table that had what the landing does not reach back to, and how many rows of it were needed.
    """

    live: Target
    built: Target
    before: Position
    done: Changed
    filled_from: Mapping[str, object] | None


def of_swap(commit: Commit, swap: Swap, loader: str, run: str) -> dict[str, Any]:
    """What is written when the rows of a replay replace those of the raw table."""
    live, built, before, done = swap.live, swap.built, swap.before, swap.done
    return {
        "source": commit.source,
        "table": commit.table,
        "swapped_in": {"schema": built.schema, "table": built.table, "seq": commit.seq, "load_id": commit.load_id},
        "filled_from": swap.filled_from,
        "redshift": {
            "schema": live.schema,
            "table": live.table,
            "position": before.position,
            "rows_before": before.table_rows,
            "deleted": done.deleted,
            "inserted": done.inserted,
            "rows": done.inserted,
        },
        "written_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "loader": loader,
        "run": run,
        "el_version": __version__,
    }


def _commit(step: Step, came: Summary | None) -> dict[str, Any]:
    commit: Commit = step.commit
    files = [{"key": f.key, "version_id": f.version_id, "sha256": f.sha256, "rows": f.rows} for f in commit.files]
    return {
        "seq": commit.seq,
        "load_id": commit.load_id,
        "kind": step.kind,
        "mode": commit.mode,
        "full": commit.reading.full,
        "server": asdict(commit.server),
        "cursor": commit.window.cursor,
        "lo": commit.window.lo,
        "next_lo": commit.window.next_lo,
        "extracted_at": commit.extracted_at,
        "el_version": commit.el_version,
        "rows": commit.rows,
        "files": files if step.kind == "applied" else [],
        # Column by column what COPY brought: the NULLs, and that the values add up to what was read in MySQL.
        "recounted": {
            "keys": came.keys == commit.summary.keys,
            "columns": {
                name: {"nulls": found.nulls, "same": found == commit.summary.columns[name]}
                for name, found in came.columns.items()
            },
        }
        if came
        else None,
    }
