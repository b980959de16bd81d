"""Rows → Parquet files below the table's folder on S3, by one dlt pipeline.

In: tables of one Arrow schema. Out: ``Load``: what lies on S3 now, as a commit names it. Nothing exists by
that yet: only the commit makes it exist.

dlt gets a fresh folder each time and keeps no state: its state is never the truth (``landing.py``), so losing a disk
loses nothing. It passes Arrow tables on as they are only if every hint fits the Arrow type, so the hints come from
the same type table as the Arrow schema does.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
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
from el.landing import ADDED, LandedFile, TableLanding
from el.mysql.types import Column
from el.summarize import Summarizer
from el.summary import Salt, Summary

#: From 100 MiB on, s3fs sends a file in parts and gives S3 no checksums for them, which S3 refuses if it was asked to
#: keep one. Such files have none, and load reads them once more.
_ONE_PIECE = 90 * 2**20
_UTC = pa.timestamp("us", "UTC")


@dataclass(frozen=True)
class Load:
    """The files of one dlt load package on S3; ``columns`` in the order of the files, ``summary`` of its rows."""

    load_id: str
    columns: list[str]
    files: list[LandedFile]
    schema_hash: str
    summary: Summary
    extracted_at: datetime


@dataclass(frozen=True)
class Form:
    """How rows lie in the files: MySQL's columns, Arrow's schema of them, and the salt of their summary."""

    columns: Sequence[Column]
    schema: pa.Schema
    salt: Salt


class Upload:
    """The rows of one dlt load package on their way: written to the local disk, then sent to S3.

    Two steps, because what was written can be sent while what comes next is being written.
    """

    def __init__(
        self,
        label: str,
        landing: TableLanding,
        form: Form,
        seq: int,
        work: Path,
    ) -> None:
        """``seq`` is the number of the commit that the rows are for, ``work`` a folder for the way."""
        settings.configure_dlt()
        import dlt

        self._label, self._landing, self._seq = label, landing, seq
        self._columns, self._schema = form.columns, form.schema
        self._folder = work / f"{landing.dlt_dataset}-{uuid4().hex[:8]}"
        self._extracted_at = datetime.now(UTC)
        self._rows = 0
        # Only columns of the primary key are NOT NULL in the schema of the files.
        self._summarizer = Summarizer([(field.name, not field.nullable) for field in form.schema], form.salt)
        self._pipeline = dlt.pipeline(
            pipeline_name=f"{label.partition('.')[0]}__{landing.dlt_dataset}",
            pipelines_dir=str(self._folder),
            dataset_name=landing.dlt_dataset,
            destination=self._destination({}),
        )
        self._pipeline.config.restore_from_destination = False

    def write(self, rows: Iterable[pa.Table]) -> None:
        """Write rows to the local disk. Each table becomes a row group.

        Raises:
            LandingError: they cannot be written.
            ElError, pymysql.err.MySQLError: as ``rows`` raised it.
        """
        import dlt

        tables = _Tables(rows, self._schema, self._seq, self._extracted_at, self._summarizer)
        name = self._landing.dlt_dataset
        resource = dlt.resource(
            lambda: iter(tables),
            name=name,
            table_name=name,
            columns=_hints(self._columns, self._schema),
            write_disposition="append",
            file_format="parquet",
        )
        with self._explained():
            self._pipeline.extract(resource)
            self._pipeline.normalize()
        self._rows = tables.rows

    def send(self) -> Load:
        """Bring what was written to S3, and delete it here.

        Raises:
            LandingError: S3 refuses, or what lies there is not what was read.
        """
        sizes = [path.stat().st_size for path in self._folder.rglob("*.parquet")]
        # S3 refuses what does not arrive as it was sent, and keeps the SHA-256 for load to compare.
        kept = {"s3_additional_kwargs": {"ChecksumAlgorithm": "SHA256"}} if max(sizes, default=0) < _ONE_PIECE else {}
        with self._explained():
            (package,) = self._pipeline.load(destination=self._destination(kept)).load_packages
            schema_hash = self._pipeline.default_schema.version_hash
            load = self._landed(package, schema_hash)
        self.delete()
        return load

    def _landed(self, package: Any, schema_hash: str) -> Load:
        """What of a dlt load package lies on S3, as the local files say that it must."""
        landing = self._landing
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
        if columns is None or rows_landed != self._rows:
            raise LandingError(
                f"{landing.url}: {self._rows:,} rows were read and dlt wrote {rows_landed:,}. Nothing was committed. "
                "Run again."
            )
        return Load(package.load_id, columns, files, schema_hash, self._summarizer.summary, self._extracted_at)

    def _destination(self, kwargs: dict[str, Any]) -> Any:
        from dlt.destinations import filesystem

        return filesystem(
            bucket_url=self._landing.dlt_bucket_url,
            max_state_files=0,
            enable_dataset_name_normalization=False,
            kwargs=kwargs,
        )

    def delete(self) -> None:
        """Delete what lies on the local disk."""
        shutil.rmtree(self._folder, ignore_errors=True)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        from dlt.common.exceptions import DltException

        try:
            yield
        except DltException as error:
            self.delete()
            raise _failure(self._label, self._landing, error) from None
        except BaseException:
            self.delete()
            raise


class _Tables:
    """Arrow tables with the added columns; ``rows`` counts what was passed on, and the summarizer sums it up."""

    def __init__(
        self,
        tables: Iterable[pa.Table],
        schema: pa.Schema,
        seq: int,
        extracted_at: datetime,
        summarizer: Summarizer,
    ) -> None:
        self._tables, self._seq, self._extracted_at, self._summarizer = tables, seq, extracted_at, summarizer
        self._schema = pa.schema(
            [*schema, pa.field("_seq", pa.int64()), pa.field("_extracted_at", _UTC), pa.field("_deleted_at", _UTC)]
        )
        self.rows = 0

    def __iter__(self) -> Iterator[pa.Table]:
        for table in self._tables:
            if len(table):
                self.rows += len(table)
                self._summarizer.add(table)
                yield self._with_added(table)
        if not self.rows:  # a file of no rows keeps the schema, and an emptied table is a load like any other
            yield self._schema.empty_table()

    def _with_added(self, table: pa.Table) -> pa.Table:
        size = len(table)
        added = [
            pa.repeat(pa.scalar(self._seq, pa.int64()), size),
            pa.repeat(pa.scalar(self._extracted_at, _UTC), size),
            pa.nulls(size, _UTC),
        ]
        return pa.Table.from_arrays([*table.columns, *added], schema=self._schema)


def _hints(columns: Sequence[Column], schema: pa.Schema) -> dict[str, Any]:
    """dlt's column hints. ``x-redshift-type`` tells who reads dlt's schema the type of the raw table's column; the raw
    table itself is made from the commit's columns (``redshift/ddl.py``).
    """
    hints: dict[str, Any] = {
        c.raw_name: {**c.hint, "nullable": schema.field(c.raw_name).nullable, "x-redshift-type": c.redshift}
        for c in columns
    }
    hints["_seq"] = {"data_type": "bigint", "x-redshift-type": ADDED["_seq"]}
    for name in ("_extracted_at", "_deleted_at"):
        hints[name] = {"data_type": "timestamp", "timezone": True, "x-redshift-type": ADDED[name]}
    return hints


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
