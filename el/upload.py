"""Rows → Parquet files below the table's folder on S3, by one dlt pipeline.

In: record batches of one Arrow schema. Out: ``Load``: what lies on S3 now, as a commit names it. Nothing exists by
that yet: only the commit makes it exist.

dlt gets a fresh folder each time and keeps no state: its state is never the truth (``landing.py``), so losing a disk
loses nothing. It passes Arrow tables on as they are only if every hint fits the Arrow type, so the hints come from
the same type table as the Arrow schema does.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pymysql

from el import settings
from el.errors import ElError, LandingError
from el.landing import LandedFile, TableLanding
from el.mysql.types import Column

#: Columns that are added to MySQL's own, and their Redshift types; dlt adds the last one by itself.
ADDED = {"_seq": "bigint", "_extracted_at": "timestamptz", "_deleted_at": "timestamptz", "_dlt_load_id": "varchar(64)"}
_UTC = pa.timestamp("us", "UTC")


@dataclass(frozen=True)
class Load:
    """The files of one dlt load package on S3; ``columns`` in the order of the files."""

    load_id: str
    columns: list[str]
    files: list[LandedFile]
    schema_hash: str
    extracted_at: datetime


def upload(
    label: str,
    landing: TableLanding,
    columns: Sequence[Column],
    schema: pa.Schema,
    rows: Iterable[pa.RecordBatch],
    seq: int,
    work: Path,
) -> Load:
    """Write rows to S3. ``seq`` is the number of the commit that they are for, ``work`` a folder for the way.

    Raises:
        LandingError: S3 refuses, or what lies there is not what was read.
        ElError, pymysql.err.MySQLError: as ``rows`` raised it.
    """
    settings.configure_dlt()
    import dlt
    from dlt.common.exceptions import DltException
    from dlt.destinations import filesystem

    name = landing.dlt_dataset
    folder = work / f"{name}-{uuid4().hex[:8]}"
    extracted_at = datetime.now(UTC)
    tables = _Tables(rows, schema, seq, extracted_at)
    try:
        pipeline = dlt.pipeline(
            # Of MySQL's name dlt would take letters, digits and _ alone.
            pipeline_name=f"{label.partition('.')[0]}__{name}",
            pipelines_dir=str(folder),
            dataset_name=name,
            destination=filesystem(
                bucket_url=landing.dlt_bucket_url, max_state_files=0, enable_dataset_name_normalization=False
            ),
        )
        pipeline.config.restore_from_destination = False
        resource = dlt.resource(
            lambda: iter(tables),
            name=name,
            table_name=name,
            columns=_hints(columns, schema),
            write_disposition="append",
            file_format="parquet",
        )
        (package,) = pipeline.run(resource).load_packages
        return _landed(landing, package, tables.rows, pipeline.default_schema.version_hash, extracted_at)
    except DltException as error:
        raise _failure(label, landing, error) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Tables:
    """Arrow tables with the added columns; ``rows`` counts what was passed on."""

    def __init__(self, batches: Iterable[pa.RecordBatch], schema: pa.Schema, seq: int, extracted_at: datetime) -> None:
        self._batches, self._seq, self._extracted_at = batches, seq, extracted_at
        self._schema = pa.schema(
            [*schema, pa.field("_seq", pa.int64()), pa.field("_extracted_at", _UTC), pa.field("_deleted_at", _UTC)]
        )
        self.rows = 0

    def __iter__(self) -> Iterator[pa.Table]:
        for batch in self._batches:
            if len(batch):
                self.rows += len(batch)
                yield self._table(batch)
        if not self.rows:  # a file of no rows keeps the schema, and an emptied table is a load like any other
            yield self._schema.empty_table()

    def _table(self, batch: pa.RecordBatch) -> pa.Table:
        size = len(batch)
        added = [
            pa.repeat(pa.scalar(self._seq, pa.int64()), size),
            pa.repeat(pa.scalar(self._extracted_at, _UTC), size),
            pa.nulls(size, _UTC),
        ]
        return pa.Table.from_arrays([*batch.columns, *added], schema=self._schema)


def _hints(columns: Sequence[Column], schema: pa.Schema) -> dict[str, Any]:
    """dlt's column hints. ``x-redshift-type`` is ours: ``redshift/ddl.py`` makes the raw table by it."""
    hints: dict[str, Any] = {
        c.raw_name: {**c.hint, "nullable": schema.field(c.raw_name).nullable, "x-redshift-type": c.redshift}
        for c in columns
    }
    hints["_seq"] = {"data_type": "bigint", "x-redshift-type": ADDED["_seq"]}
    for name in ("_extracted_at", "_deleted_at"):
        hints[name] = {"data_type": "timestamp", "timezone": True, "x-redshift-type": ADDED[name]}
    return hints


def _landed(landing: TableLanding, package: Any, rows_read: int, schema_hash: str, extracted_at: datetime) -> Load:
    """What of a dlt load package lies on S3, as the local files say that it must."""
    files: list[LandedFile] = []
    columns: list[str] | None = None
    for job in package.jobs["completed_jobs"]:
        path = Path(job.file_path)
        if path.suffix != ".parquet":
            continue
        with pq.ParquetFile(path) as parquet:
            rows, names = parquet.metadata.num_rows, parquet.schema_arrow.names
        if columns not in (None, names):
            raise LandingError(f"{landing.url}: dlt wrote files with different columns. Nothing was committed.")
        columns = names
        key = f"{landing.dlt_dataset}/{package.load_id}.{job.job_file_info.file_id}.parquet"
        landed = landing.landed(key, rows, _digest(path))
        if landed.size != path.stat().st_size:
            raise LandingError(
                f"{landing.url}/{key} has {landed.size:,} bytes on S3 and {path.stat().st_size:,} here. "
                "Nothing was committed. Run again."
            )
        files.append(landed)
    rows_landed = sum(file.rows for file in files)
    if columns is None or rows_landed != rows_read:
        raise LandingError(
            f"{landing.url}: {rows_read:,} rows were read and dlt wrote {rows_landed:,}. Nothing was committed. "
            "Run again."
        )
    return Load(package.load_id, columns, files, schema_hash, extracted_at)


def _digest(path: Path) -> str:
    with path.open("rb") as content:
        digest = sha256()
        while block := content.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _failure(label: str, landing: TableLanding, error: BaseException) -> Exception:
    """dlt wraps what went wrong; our own errors are said as they are, others by class alone: they may quote values."""
    cause: BaseException | None = error
    seen = []
    while cause is not None:
        if isinstance(cause, (ElError, pymysql.err.MySQLError)):
            return cause
        seen.append(type(cause).__name__)
        cause = cause.__cause__ or cause.__context__
    return LandingError(
        f"{label}: writing to {landing.url} failed ({' ← '.join(seen)}). Nothing was committed. "
        "Run again when S3 can be reached."
    )
