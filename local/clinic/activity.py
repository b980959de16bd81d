"""The clinic at work: what a live application does to its database in about two seconds.

In: a filled demo database. Out: new, changed and deleted rows, and how many of each. Cursors are set by the
server alone, as the application's own writes would; nothing here names `updated_at`. Among ordinary writes
are those that make copies go wrong: one row changed twice within one second, changes through composite
keys, and a transaction that is begun first and committed last, so that its rows carry times from before its
commit.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter
from random import Random
from typing import Any

import pymysql
from pymysql.connections import Connection

from local.clinic.awkward import AWKWARD, FOUR_BYTES
from local.clinic.chance import FIRST_NAMES, LAST_NAMES, SENTENCES
from local.clinic.database import ClinicError, connect
from local.clinic.rows import TABLES

_HELD_SECONDS = 1.5
_LOCK_WAIT_SECONDS = 20


class Counts:
    """How many rows of which table were inserted, updated and deleted."""

    def __init__(self) -> None:
        self.rows: Counter[tuple[str, str]] = Counter()

    def add(self, table: str, verb: str, rows: int) -> None:
        self.rows[table, verb] += rows

    def lines(self) -> list[str]:
        """One line per table, for people."""
        verbs = ("inserted", "updated", "deleted")
        return [
            f"{table:<14}" + "".join(f"{self.rows[table, verb]:>6} {verb}" for verb in verbs)
            for table in TABLES
            if any(self.rows[table, verb] for verb in verbs)
        ]


class Session:
    """One connection of the application, which counts what it changes."""

    def __init__(self, connection: Connection, counts: Counts) -> None:
        self.connection = connection
        self._counts = counts
        with connection.cursor() as cursor:
            cursor.execute("set innodb_lock_wait_timeout = %s", (_LOCK_WAIT_SECONDS,))

    def insert(self, table: str, **values: Any) -> int:
        """Insert one row; return its new number (0 where the key is not a number the server gives)."""
        places = ", ".join(["%s"] * len(values))
        with self.connection.cursor() as cursor:
            rows = cursor.execute(
                f"insert into {table} ({', '.join(values)}) values ({places})", tuple(values.values())
            )
            self._counts.add(table, "inserted", rows)
            return int(cursor.lastrowid or 0)

    def update(self, table: str, change: str, where: str, *values: Any) -> None:
        with self.connection.cursor() as cursor:
            self._counts.add(table, "updated", cursor.execute(f"update {table} set {change} where {where}", values))

    def delete(self, table: str, where: str, *values: Any) -> None:
        with self.connection.cursor() as cursor:
            self._counts.add(table, "deleted", cursor.execute(f"delete from {table} where {where}", values))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())

    def commit(self) -> None:
        self.connection.commit()


class Choices:
    """Which rows: others at every run, unless a seed is given. What is written into them is always new."""

    def __init__(self, seed: int | None) -> None:
        self._random = Random(secrets.randbits(64) if seed is None else seed)
        self.mark = secrets.token_hex(6)

    def pick(self, choices: tuple[str, ...]) -> str:
        return self._random.choice(choices)

    def text(self) -> str:
        """A sentence that was never written before: an update with it always changes the row."""
        return f"{self.pick(SENTENCES)} [{self.mark} {self._random.getrandbits(32):08x}]"

    def keys(self, session: Session, table: str, key: str, count: int, where: str = "true") -> list[tuple[Any, ...]]:
        """Up to ``count`` keys of rows, not the first ones: those carry the awkward values."""
        total = int(session.rows(f"select count(*) from {table} where {where}")[0][0])
        spared = min(len(AWKWARD[table]), max(total - count, 0))
        start = spared + self._random.randrange(max(total - spared - count, 0) + 1)
        return session.rows(f"select {key} from {table} where {where} order by {key} limit {start}, {count}")


def activity(database: str, seed: int | None = None) -> Counts:
    """Let the application work once; raises ClinicError if the database cannot be used."""
    counts, choices = Counts(), Choices(seed)
    try:
        with connect(database) as first, connect(database) as second:
            ordinary, late = Session(first, counts), Session(second, counts)
            held = _begin_late(late, choices)
            began = time.monotonic()
            _insert(ordinary, choices)
            _update(ordinary, choices, held)
            _update_twice(ordinary, choices)
            _delete(ordinary, choices)
            time.sleep(max(0.0, _HELD_SECONDS - (time.monotonic() - began)))
            late.commit()
    except pymysql.MySQLError as error:
        number = error.args[0] if error.args else "no number"
        raise ClinicError(f"{database}: MySQL refused ({type(error).__name__} {number}). Run activity again") from None
    return counts


def _begin_late(session: Session, choices: Choices) -> int:
    """Writes that stay uncommitted while others commit; returns the patient whose row is held."""
    ((patient,),) = choices.keys(session, "patients", "patient_id", 1)
    for _ in range(2):
        session.insert("messages", patient_id=patient, direction="from patient", subject="late", body=choices.text())
    session.insert("audit_events", actor_kind="system", action="late.commit", details='{"late": true}')
    session.update("patients", "phone = %s", "patient_id = %s", f"+1-555-{choices.mark[:8]}", patient)
    return int(patient)


def _insert(session: Session, choices: Choices) -> None:
    providers = [key for (key,) in choices.keys(session, "providers", "provider_id", 3)]
    ((device,),) = choices.keys(session, "devices", "device_id", 1)
    for number, provider in enumerate(providers):
        patient = session.insert(
            "patients",
            ssn=f"900-00-{number:04}",
            email=f"{choices.mark}.{number}@example.org",
            first_name=choices.pick(FIRST_NAMES),
            last_name=choices.pick(LAST_NAMES),
            birth_date="1990-05-17",
            sex="not said",
            preferences='{"language": "en", "tags": ["new", {"since": "today"}]}',
        )
        session.insert("care_team", patient_id=patient, provider_id=provider, role="primary", since_date="2025-07-01")
        appointment = session.insert(
            "appointments",
            patient_id=patient,
            provider_id=provider,
            scheduled_at="2035-01-15 10:30:00",
            fee="120.50",
            reason=f"{FOUR_BYTES} {choices.text()}",
        )
        session.commit()
        session.insert("messages", patient_id=patient, direction="from patient", body=choices.text())
        session.insert(
            "audit_events", actor_kind="patient", actor_id=patient, action="login", ip_address=b"\x0a\0\0\x01"
        )
        session.insert(
            "readings",
            device_id=device,
            patient_id=patient,
            taken_at="2035-01-15 10:30:00.5",
            heart_rate=71,
            weight_kg=70.1,
        )
        invoice = session.insert(
            "invoices", patient_id=patient, appointment_id=appointment, amount="120.50", status="sent"
        )
        session.insert(
            "payments",
            invoice_id=invoice,
            payment_number=1,
            method="card",
            amount="20.25",
            processor_reference=choices.mark,
        )
        session.insert("documents", patient_id=patient, title="Consent", content=b"%PDF", transcript=choices.text())
        session.commit()
    session.insert("devices", serial_number=f"NEW-{choices.mark}", kind="watch", firmware=b"\x03\0\0\0")
    session.commit()


def _update(session: Session, choices: Choices, held: int) -> None:
    for (key,) in choices.keys(session, "appointments", "appointment_id", 5, "status in ('booked', 'completed')"):
        session.update("appointments", "status = 'cancelled', reason = %s", "appointment_id = %s", choices.text(), key)
    for (key,) in choices.keys(session, "messages", "message_id", 10, "status in ('open', 'answered')"):
        session.update("messages", "status = 'closed'", "message_id = %s", key)
    session.commit()
    for (key,) in choices.keys(session, "audit_events", "audit_event_id", 10, "status = 'new'"):
        session.update("audit_events", "status = 'reviewed'", "audit_event_id = %s", key)
    for (key,) in choices.keys(session, "invoices", "invoice_id", 3, "status = 'sent'"):
        session.update("invoices", "status = 'paid'", "invoice_id = %s", key)
    for (key,) in choices.keys(session, "patients", "patient_id", 3, f"patient_id <> {held}"):
        session.update("patients", "email = %s", "patient_id = %s", f"{choices.mark}.{key}@example.org", key)
    session.commit()
    for keys in choices.keys(session, "care_team", "patient_id, provider_id", 4):
        session.update("care_team", "note = %s", "patient_id = %s and provider_id = %s", choices.text(), *keys)
    for keys in choices.keys(session, "payments", "invoice_id, payment_number", 4):
        reference = f"{choices.mark} corrected"
        session.update(
            "payments",
            "processor_reference = %s",
            "invoice_id = %s and payment_number = %s",
            reference,
            *keys,
        )
    for table, key, column in (
        ("providers", "provider_id", "biography"),
        ("documents", "document_id", "transcript"),
    ):
        for (number,) in choices.keys(session, table, key, 2):
            session.update(table, f"{column} = %s", f"{key} = %s", choices.text(), number)
    for (key,) in choices.keys(session, "devices", "device_id", 2):
        session.update(
            "devices", "register_mask = register_mask ^ 5, is_enabled = not is_enabled", "device_id = %s", key
        )
    for (key,) in choices.keys(session, "readings", "reading_id", 5):
        session.update("readings", "is_resting = not coalesce(is_resting, 0)", "reading_id = %s", key)
    for (key,) in choices.keys(session, "specialties", "specialty_id", 1):
        session.update("specialties", "base_fee = mod(base_fee + 1, 9000)", "specialty_id = %s", key)
    session.commit()


def _update_twice(session: Session, choices: Choices) -> None:
    """One row, two commits, one second of the server's clock: a cursor of whole seconds cannot tell."""
    ((message,),) = choices.keys(session, "messages", "message_id", 1, "status <> 'closed'")
    ((appointment,),) = choices.keys(session, "appointments", "appointment_id", 1)
    _wait_for_a_fresh_second(session)
    for _ in range(2):
        session.update("messages", "body = %s", "message_id = %s", choices.text(), message)
        session.commit()
        session.update("appointments", "reason = %s", "appointment_id = %s", choices.text(), appointment)
        session.commit()


def _wait_for_a_fresh_second(session: Session) -> None:
    ((microsecond,),) = session.rows("select microsecond(now(6))")
    session.commit()
    if int(microsecond) > 500_000:
        time.sleep((1_000_000 - int(microsecond)) / 1_000_000)


def _delete(session: Session, choices: Choices) -> None:
    """Rows that nothing refers to. The loader keeps deleted rows, so relations hold there as well."""
    for table, key, count in (
        ("messages", "message_id", 3),
        ("audit_events", "audit_event_id", 3),
        ("readings", "reading_id", 2),
        ("documents", "document_id", 1),
    ):
        for (number,) in choices.keys(session, table, key, count):
            session.delete(table, f"{key} = %s", number)
    for keys in choices.keys(session, "care_team", "patient_id, provider_id", 1):
        session.delete("care_team", "patient_id = %s and provider_id = %s", *keys)
    session.commit()
