"""Which table two transactions met on: what Redshift names in error 1023 and PostgreSQL does not.

PostgreSQL finds the conflict (its serializable level watches whole tables here, since none has an index); this
remembers who wrote what, so that the error can say it. Kept for all sessions of the server, by database.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field


@dataclass
class Transaction:
    """What is known of one session's open transaction."""

    began: int = 0  # how many had committed before it
    number: str = ""  # PostgreSQL's, once it has written
    written: dict[str, str] = field(default_factory=dict)  # table as the statement names it → its oid


class Conflicts:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        # (count, database, transaction, oids): as many as sessions could have open transactions against
        self._committed: deque[tuple[int, str, str, frozenset[str]]] = deque(maxlen=10_000)

    def begin(self) -> Transaction:
        with self._lock:
            return Transaction(self._count)

    def commit(self, database: str, transaction: Transaction) -> None:
        if transaction.written:
            with self._lock:
                self._count += 1
                oids = frozenset(transaction.written.values())
                self._committed.append((self._count, database, transaction.number, oids))

    def detail(self, database: str, transaction: Transaction, process: int) -> str:
        """The DETAIL of error 1023, as Redshift words it."""
        with self._lock:
            since = [c for c in self._committed if c[0] > transaction.began and c[1] == database]
        mine = set(transaction.written.values())
        met = [c for c in since if mine & c[3]] or since
        oids = (mine & met[0][3] or met[0][3]) if met else mine
        table = min(oids, default="(none)", key=int)
        cycle = ", ".join([transaction.number or "(none)", *(c[2] for c in met)])
        return (
            f"Serializable isolation violation on table - {table}, "
            f"transactions forming the cycle are: {cycle} (pid:{process})"
        )
