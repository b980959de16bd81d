"""The archive's journal → Redshift: which rows of one raw table are archived, since when, and which copies expired.

In: the journal on S3, behind the record that was read last. Out: ``raw_<source>_el.<table>__archived``
(``redshift/archived.py``). Rows are told when their chunk is done.

How far the journal was read lies beside the horizon, on S3, with the number that Redshift had then: so an idle table
costs two requests to S3 and no statement. If Redshift has another number, it is the one that counts: it was restored,
the table was dropped, or another loader has got further.

Nothing here keeps commits from being loaded: what fails becomes a warning, and the next load tries again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

from el import s3
from el.archived import Archived, Expired, Told, folder, told
from el.config import Table, raw_name
from el.errors import ArchiveError, ElError, WarehouseConflict, WarehouseLost
from el.landing import Landing, TableLanding
from el.redshift import archived
from el.redshift.archived import Key
from el.redshift.catalog import Target, raw_schema
from el.redshift.connection import Connections
from el.redshift.ledger import Known
from el.retry import TRANSACTION, retry
from el.settings import LandingPlace

#: Records that are read at a time, and chunks that one COPY brings.
_RECORDS_AT_ONCE = 1000
_CHUNKS_AT_ONCE = 500


@dataclass
class Result:
    """``rows`` were told. ``unfinished``: there is something to be told."""

    rows: int = 0
    unfinished: bool = False
    warnings: list[str] = field(default_factory=list)


class Tellers:
    """The tables of one run that have an archive. Nothing here raises an ElError; warnings say what failed."""

    def __init__(
        self, place: LandingPlace | None, tables: Sequence[Table], landing: Landing, warehouse: Connections
    ) -> None:
        """``place`` is the archive's; None: this host does not know it, and Redshift is told nothing."""
        self._tellers: dict[str, _Teller] = {}
        if place is None:
            return
        client = s3.client(attempts=2)  # what it cannot give is asked for again at the next load
        for table in tables:
            if table.retention and table.mode == "merge":
                at = folder(place.prefix, table.source, table.name)
                own = landing.table(table.source, raw_name(table.name))
                self._tellers[table.label] = _Teller(table, own, Archived(client, place.bucket, at), warehouse)

    def look(self, table: Table, known: Known) -> Result:
        """Whether the journal has something that Redshift was not told; asks S3 alone."""
        result, one = Result(), self._tellers.get(table.label)
        if one and one.target.table in known.raw:
            with _warned(result):
                result.unfinished = not one.is_idle(known)
        return result

    def tell(self, table: Table, known: Known, stopping: Callable[[], str], result: Result) -> None:
        """Tell Redshift what is new; there has to be a raw table."""
        one = self._tellers.get(table.label)
        if one:
            with _warned(result):
                one.run(known, stopping, result)


@contextmanager
def _warned(result: Result) -> Iterator[None]:
    try:
        yield
    except ElError as error:
        result.warnings.append(
            f"Redshift was not told which rows are archived: {error} Commits are loaded all the same, and the next "
            "load tries again. What load needs of the archive: ARCHIVE_URL, and the rights of load-archived.json and "
            "copy-archived.json in deploy/iam"
        )


@dataclass(frozen=True)
class _Teller:
    """One table."""

    table: Table
    landing: TableLanding
    archive: Archived
    warehouse: Connections

    @property
    def target(self) -> Target:
        return Target(raw_schema(self.table.source), raw_name(self.table.name))

    def is_idle(self, known: Known) -> bool:
        """True if the journal has no record that was not read; asks S3 alone.

        Raises:
            LandingError: S3 cannot be reached or refuses.
            ArchiveError: the journal has lost records.
        """
        return not self._behind(known)

    def run(self, known: Known, stopping: Callable[[], str], result: Result) -> None:
        """Tell Redshift what is new.

        Raises:
            LandingError: S3 cannot be reached or refuses, or an object of keys is missing or another one.
            ArchiveError: the journal is damaged, or has lost records.
            WarehouseError: Redshift refuses, or the tables do not fit.
        """
        position = known.archived.get(self.target.table, 0)
        seqs = self._behind(known)
        if not seqs:
            return
        news = list(self._news(seqs))
        gone = {one.chunk for one in news if isinstance(one, Expired)}
        read, untold = seqs[0] - 1, Counter[str]()
        self._refuse_hidden(news)
        key = self._key() if news else None
        for batch in _batches(news):
            if stopping():
                result.unfinished = True
                break
            assert key
            chosen = self._chosen(batch, key, gone, untold)
            expired = [one for one in batch if isinstance(one, Expired)]
            if chosen or expired:
                rows, position = self._apply(key, chosen, expired, batch[-1].seq)
                result.rows += rows
            read = batch[-1].seq
        else:
            read = seqs[-1]
        self.landing.remember_archived(read, position)
        result.warnings += [
            f"{many:,} archived rows are not told as such in Redshift: {why}. This is said once"
            for why, many in untold.items()
        ]

    def _behind(self, known: Known) -> list[int]:
        """Numbers of the records that were not read."""
        position = known.archived.get(self.target.table, 0)
        read, applied = self.landing.archived()
        if applied != position:
            read = position
        seqs = self.archive.seqs_from(max(read, 1))
        if read and seqs[:1] == [read]:
            return seqs[1:]
        if not read:
            return seqs
        if position:
            raise ArchiveError(
                f"{self.archive.url}/_journal/ has no record {read:,}, and Redshift was told what is in it: the "
                "archive has lost records, or ARCHIVE_URL is another one. Nothing was changed. Restore them from the "
                f"bucket's versions. If the archive was begun anew: drop table {self.target.archived.raw}"
            )
        return self.archive.seqs_from(1)

    def _news(self, seqs: Sequence[int]) -> Iterator[Told | Expired]:
        for first in count(seqs[0], _RECORDS_AT_ONCE):
            if first > seqs[-1]:
                return
            for record in self.archive.records(first, min(first + _RECORDS_AT_ONCE - 1, seqs[-1])):
                if found := told(record):
                    yield found

    def _refuse_hidden(self, news: Sequence[Told | Expired]) -> None:
        """Keys that the source file keeps from Redshift; it may have been written before them."""
        hidden = {raw_name(name): name for name in (*self.table.exclude, *self.table.hash)}
        found = {hidden[name] for one in news if isinstance(one, Told) for name, _ in one.columns if name in hidden}
        if found:
            raise ArchiveError(
                f"{self.table.label}: the source file keeps {', '.join(sorted(found))} from Redshift by exclude or "
                f"hash, and it is in the primary key. Nothing was told. If {self.target.archived.raw} is there, it has "
                "values from before: drop it, or take the column out of exclude and hash."
            )

    def _key(self) -> Key:
        head = self.landing.head()
        names = [column.name for column in head.columns if column.key] if head else []
        with self.warehouse.one() as connection:
            return archived.key(connection, self.target, names, self.table.label)

    def _chosen(self, batch: Sequence[Told | Expired], key: Key, gone: set[str], untold: Counter[str]) -> list[Told]:
        """Chunks whose keys Redshift is told. ``untold`` counts the rows of others, by what keeps them."""
        chosen = []
        for one in (one for one in batch if isinstance(one, Told)):
            if one.untold:
                untold[one.why or "the journal does not say why"] += one.untold
            if one.keys is None:
                continue
            if one.chunk in gone:
                untold["their copies expired before, and their keys with them"] += one.rows
            elif not key.fits(one):
                untold["they had another primary key; the raw table was copied anew since, without them"] += one.rows
            else:
                chosen.append(one)
        return chosen

    def _apply(self, key: Key, chosen: Sequence[Told], expired: Sequence[Expired], applied: int) -> tuple[int, int]:
        manifest = None
        if chosen:
            objects = [one.keys for one in chosen if one.keys]
            self.archive.check(objects)
            manifest = self.landing.write_archived_manifest(
                [one.seq for one in chosen], [(self.archive.url_of(one), one.size) for one in objects]
            )
        news = archived.News(chosen, expired, manifest, self.warehouse.server.copy_role, applied)

        def transaction() -> tuple[int, int]:
            with self.warehouse.one() as connection:
                return archived.apply(connection, self.target, self.table.label, key, news)

        return retry(transaction, TRANSACTION, (WarehouseConflict, WarehouseLost))


def _batches(news: Sequence[Told | Expired]) -> Iterator[list[Told | Expired]]:
    """What one transaction may tell: in order, because its number stands for all before it, and keys of one form."""
    batch: list[Told | Expired] = []
    form = None
    for one in news:
        own = one.columns if isinstance(one, Told) and one.keys else form
        if len(batch) == _CHUNKS_AT_ONCE or (form and own != form):
            yield batch
            batch, form = [], None
            own = one.columns if isinstance(one, Told) and one.keys else None
        form = own
        batch.append(one)
    if batch:
        yield batch
