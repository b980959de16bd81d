"""Commits written by hand: a backlog of a hundred, or one that no extract would write, in no time.

Made from the first commit of a table, which a real extract wrote: the files have its Arrow schema and the commits its
dlt schema, so load cannot tell them from an extract's.
"""

from __future__ import annotations

import copy
import io
import json
from base64 import b64encode
from dataclasses import asdict
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

from el.summarize import Summarizer
from el.summary import Salt
from tests.conftest import Source


class Landed:
    """The landing of one table, which has a commit 1."""

    def __init__(self, source: Source, table: str) -> None:
        self._source, self.table = source, table
        place = urlsplit(source.env["LANDING_URL"])
        self._bucket = place.netloc
        self.folder = f"{place.path.strip('/')}/{source.name}/{table}"
        self._template = source.commit(table, 1)
        file = self.body(self._template["files"][0]["key"])
        self._schema = pq.read_schema(io.BytesIO(file))
        self.last = self._template

    def body(self, key: str) -> bytes:
        """What an object below the table's folder holds."""
        found = self._source.s3.get_object(Bucket=self._bucket, Key=f"{self.folder}/{key}")
        return bytes(found["Body"].read())

    def put(self, key: str, body: bytes, **more: Any) -> str:
        """Write an object below the table's folder; its ETag."""
        done = self._source.s3.put_object(Bucket=self._bucket, Key=f"{self.folder}/{key}", Body=body, **more)
        return str(done["ETag"])

    def add(
        self,
        rows: list[dict[str, Any]],
        types: dict[str, str] | None = None,
        read: list[dict[str, Any]] | None = None,
        **changes: Any,
    ) -> int:
        """One more commit with these rows, columns that are not named are NULL; its seq.

        ``types``: other Redshift types of columns. ``read``: the rows that its summary is of, if not these: as if they
        had changed on the way. ``changes``: other values of the commit.
        """
        seq = self.last["seq"] + 1
        load_id = f"{1790000000 + seq}.{seq:06d}"
        added = [{"_seq": seq, "_dlt_load_id": load_id, **row} for row in rows]
        out = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(added, self._schema), out)
        key = f"{self.table}/{load_id}.0a1b2c3d4e.parquet"
        digest = sha256(out.getvalue())
        checksum = b64encode(digest.digest()).decode()
        etag = self.put(key, out.getvalue(), ChecksumAlgorithm="SHA256", ChecksumSHA256=checksum)
        file = {
            "key": key,
            "size": len(out.getvalue()),
            "rows": len(rows),
            "sha256": digest.hexdigest(),
            "etag": etag,
            "version_id": None,
        }
        commit = copy.deepcopy(self._template) | {
            "seq": seq,
            "load_id": load_id,
            "previous_load_id": self.last["load_id"],
            "reading": {"full": False, "first_seq": seq, "done": True, "after": None},
            "files": [file],
            "rows": len(rows),
            "summary": self._summary(rows if read is None else read),
            **changes,
        }
        for column in commit["columns"]:
            column["redshift"] = (types or {}).get(column["name"], column["redshift"])
        self.write(commit)
        self.last = commit
        return int(seq)

    def _summary(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        content = pa.Table.from_pylist(rows, self._schema)
        columns = [(c["name"], c["key"]) for c in self._template["columns"]]
        summed = [(name, key) for name, key in columns if name in self._template["summary"]["columns"]]
        summarizer = Summarizer(summed, Salt(**self._template["summary"]["salt"]))
        summarizer.add(content.select([name for name, _ in summed]))
        return asdict(summarizer.summary)

    def write(self, commit: dict[str, Any]) -> None:
        """Write a commit, over what is there."""
        self.put(f"_commits/{commit['seq']:020d}.json", json.dumps(commit).encode())
