"""The ordinary rows of the clinic, the same on every run and machine.

In: how many rows each table has. Out: per table a stream of rows, each a mapping of every column to its
value, with the awkward values of awkward.py in the first ones. Keys that a row refers to always exist. A
row depends on its table and number alone, not on what is in the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from local.clinic.awkward import AWKWARD, Value, point, polygon
from local.clinic.chance import (
    ACTIONS,
    DAY,
    END,
    FIRST_NAMES,
    LAST_NAMES,
    SENTENCES,
    SPAN,
    SPECIALTIES,
    Chance,
    cents,
    clock,
    day,
    moment,
    some_bytes,
)

Row = dict[str, Value]

# Rows at scale 1: about 200,000. Messages and audit events are most of them, as in many applications.
_ROWS_AT_SCALE_1 = {
    "specialties": len(SPECIALTIES),
    "providers": 120,
    "patients": 4_000,
    "care_team": 5_000,
    "appointments": 12_000,
    "messages": 60_000,
    "audit_events": 85_000,
    "invoices": 6_000,
    "payments": 7_500,
    "devices": 900,
    "readings": 18_000,
    "documents": 400,
}
TABLES = tuple(_ROWS_AT_SCALE_1)  # parents before children
_FEWEST = 20  # never so few that an awkward row or a key that others refer to would be missing


def row_counts(scale: float) -> dict[str, int]:
    """Rows per table at that scale."""
    counts = {name: max(_FEWEST, round(rows * scale)) for name, rows in _ROWS_AT_SCALE_1.items()}
    return counts | {"specialties": len(SPECIALTIES)}


def rows(table: str, counts: dict[str, int]) -> Iterator[Row]:
    """The rows of one table in the order of their keys."""
    ordinary = _MAKERS[table](counts, Chance(table))
    for changes in AWKWARD[table]:
        yield next(ordinary) | changes
    yield from ordinary


def _specialties(counts: dict[str, int], chance: Chance) -> Iterator[Row]:
    for n, (code, name) in enumerate(SPECIALTIES, 1):
        yield {
            "specialty_id": n,
            "code": code,
            "name": name,
            "is_bookable_online": 1,
            "base_fee": cents(8_000 + chance.below(12_000)),
        }


def _providers(counts: dict[str, int], chance: Chance) -> Iterator[Row]:
    for n in range(1, counts["providers"] + 1):
        ago = chance.ago(n, counts["providers"])
        west, south = chance.coordinates()
        area = polygon([(west, south), (west + 1.5, south), (west + 1.5, south + 0.75), (west, south + 0.75)])
        yield {
            "provider_id": n,
            "specialty_id": 1 + chance.below(counts["specialties"]),
            "npi": f"{1_000_000_000 + n}",
            "first_name": chance.pick(FIRST_NAMES),
            "last_name": chance.pick(LAST_NAMES),
            "languages": chance.pick(("en", "en", "en", "en,es", "en,fr", "zh", "en,sign language")),
            "first_licensed_year": 1975 + chance.below(45),
            "hired_on": day(ago),
            "is_accepting_patients": int(chance.happens(0.8)),
            "average_rating": round(1 + 4 * chance.random(), 2),
            "shift_starts": clock(3600 * (6 + chance.below(6))),
            "service_area": area if chance.happens(0.4) else None,
            "biography": chance.text(3),
            "portrait": some_bytes("providers", n, 400) if chance.happens(0.5) else None,
            "created_at": moment(ago, 0),
            "updated_at": moment(chance.later(ago, 300), 0),
        }


def _patients(counts: dict[str, int], chance: Chance) -> Iterator[Row]:
    for n in range(1, counts["patients"] + 1):
        ago = chance.ago(n, counts["patients"])
        birth = f"{1930 + chance.below(90)}-{1 + chance.below(12):02}-{1 + chance.below(28):02}"
        language, hours = chance.pick(("en", "es", "fr")), chance.below(5)
        yield {
            "patient_id": n,
            "ssn": f"9{n // 10_000 % 100:02}-{n // 100 % 100:02}-{n % 10_000:04}",
            "email": f"patient{n}@example.org",
            "first_name": chance.pick(FIRST_NAMES),
            "last_name": chance.pick(LAST_NAMES),
            "birth_date": birth,
            "sex": chance.pick(("female", "male", "other", "not said")),
            "phone": f"+1-555-01{chance.below(100):02}",
            "country": chance.pick(("US", "US", "US", "CA", "MX")),
            "home_location": point(*chance.coordinates()),
            "utc_offset_minutes": 60 * chance.pick((-8, -7, -6, -5)),
            "risk_score": chance.below(40) - 10,
            "external_id": some_bytes("patients", n, 16),
            "preferences": f'{{"language": "{language}", "reminders": {{"hours": [24, {hours}]}}}}',
            "consent_expires_at": moment(chance.later(ago, 700)),
            "created_at": moment(ago),
            "updated_at": moment(chance.later(ago, 400)),
        }


def _care_team(counts: dict[str, int], chance: Chance) -> Iterator[Row]:
    patients, providers = counts["patients"], counts["providers"]
    for i in range(counts["care_team"]):
        patient = i % patients + 1
        # Another provider in each round through the patients: no pair comes twice.
        provider = (patient * 7 + i // patients) % providers + 1
        ago = chance.ago(i + 1, counts["care_team"])
        # The first third came in one import: many rows with one and the same cursor.
        changed = SPAN if i < counts["care_team"] // 3 else chance.later(ago, 200)
        yield {
            "patient_id": patient,
            "provider_id": provider,
            "role": chance.pick(("primary", "consultant", "nurse", "back-up")),
            "priority": chance.below(7) - 3,
            "effort_share": f"0.{chance.below(10_000):04}",
            "note": chance.text(1) if chance.happens(0.3) else None,
            "since_date": day(ago),
            "updated_at": moment(changed, 3),
        }


def _appointments(counts: dict[str, int], chance: Chance) -> Iterator[Row]:
    for n in range(1, counts["appointments"] + 1):
        ago = chance.ago(n, counts["appointments"])
        planned = max(0, ago - DAY * (1 + chance.below(20))) // 900_000_000 * 900_000_000
        over = planned > 0
        outcome = chance.pick(("completed", "completed", "completed", "cancelled", "no_show"))
        status = outcome if over else "booked"
        begin = planned - chance.below(600_000_000) if status == "completed" else None
        end = begin - 300_000_000 - chance.below(2_400_000_000) if begin is not None else None
        yield {
            "appointment_id": n,
            "patient_id": _patient_of_appointment(n, counts),
            "provider_id": 1 + chance.below(counts["providers"]),
            "status": status,
            "channel": chance.pick(("video", "video", "phone", "chat", "in person")),
            "scheduled_at": moment(planned, 0),
            "started_at": moment(begin) if begin is not None else None,
            "ended_at": moment(end) if end is not None else None,
            "cancelled_at": moment((ago + planned) // 2, 0) if status == "cancelled" else None,
            "reminder_sent_at": moment(planned + DAY, 0) if over and ago > planned + DAY else None,
            "waiting_time": clock(chance.below(1200)) if begin is not None else None,
            "connected_time": f"{clock(chance.below(2400))}.{n % 1_000_000:06}" if begin is not None else None,
            "fee": cents(_price(n)),
            "reason": chance.text(2) if chance.happens(0.7) else None,
            "room_key": some_bytes("appointments", n, 16),
            "created_at": moment(ago, 0),
            "updated_at": moment(chance.later(min(ago, planned if end is None else end), 2)),
        }


def _patient_of_appointment(number: int, counts: dict[str, int]) -> int:
    """Fixed by the number, so that the invoice goes to the patient who was seen."""
    return number * 7_919 % counts["patients"] + 1


def _invoiced(invoice: int, counts: dict[str, int]) -> int:
    """The appointment of an invoice; they are spread over all appointments, so their times agree as well."""
    return max(1, invoice * counts["appointments"] // counts["invoices"])


def _price(number: int) -> int:
    """Cents for appointment ``number`` and its invoice, fixed so that payments fit."""
    return 5_000 + number * 7_919 % 40 * 500


def _messages(counts: dict[str, int], chance: Chance) -> Iterator[Row]:
    for n in range(1, counts["messages"] + 1):
        ago = chance.ago(n, counts["messages"])
        old = ago > SPAN // 12 and chance.happens(0.9)
        status = "closed" if old else chance.pick(("open", "answered", "closed"))
        changed = chance.later(ago, 20)
        yield {
            "message_id": n,
            "patient_id": 1 + chance.below(counts["patients"]),
            "provider_id": 1 + chance.below(counts["providers"]),
            "direction": chance.pick(("from patient", "to patient")),
            "status": status,
            "subject": chance.pick(SENTENCES),
            "body": chance.text(1 + n % 3),
            "attachment": some_bytes("messages", n, 60) if n % 20 == 0 else None,
            "read_at": moment(changed, 0) if status != "open" else None,
            "created_at": moment(ago, 0),
            "updated_at": moment(changed, 0),
        }


def _audit_events(counts: dict[str, int], chance: Chance) -> Iterator[Row]:
    for n in range(1, counts["audit_events"] + 1):
        ago = chance.ago(n, counts["audit_events"])
        actor = chance.pick(("patient", "provider", "system"))
        actor_id = None if actor == "system" else 1 + chance.below(counts[actor + "s"])
        yield {
            "audit_event_id": n,
            "actor_kind": actor,
            "actor_id": actor_id,
            "action": chance.pick(ACTIONS),
            "status": "closed" if ago > SPAN // 12 else "new",
            "duration_us": chance.below(900_000),
            "ip_address": bytes((10, n >> 16 & 255, n >> 8 & 255, n & 255)),
            "details": f'{{"table": "patients", "id": {n % 997}}}' if chance.happens(0.4) else None,
            "created_at": moment(ago),
            "updated_at": moment(chance.later(ago, 1), 3),
        }


def _invoices(counts: dict[str, int], chance: Chance) -> Iterator[Row]:
    for n in range(1, counts["invoices"] + 1):
        ago = chance.ago(n, counts["invoices"])
        appointment, rate = _invoiced(n, counts), 850_000 + chance.below(100_000)
        euro = _price(appointment) * rate
        yield {
            "invoice_id": n,
            "patient_id": _patient_of_appointment(appointment, counts),
            "appointment_id": appointment if n % 50 else None,
            "status": chance.pick(("sent", "paid", "paid", "paid", "draft", "written off")),
            "amount": cents(_price(appointment)),
            "tax_rate": f"0.{chance.below(100_000):06}",
            "amount_in_euro": f"{euro // 10**8}.{euro % 10**8:08}00",
            "exchange_rate": f"0.{rate:06}{n:012}",
            "token_amount": f"{n}.{n:030}" if n % 10 == 0 else None,
            "due_date": day(ago - 30 * DAY),
            "issued_at": moment(ago, 3),
            "created_at": moment(ago, 0),
            "updated_at": moment(chance.later(ago, 40)),
        }


def _payments(counts: dict[str, int], chance: Chance) -> Iterator[Row]:
    for i in range(counts["payments"]):
        ago = chance.ago(i + 1, counts["payments"])
        invoice, earlier = i % counts["invoices"] + 1, i // counts["invoices"]
        half, price = earlier > 0 or invoice % 5 == 0, _price(_invoiced(invoice, counts))
        yield {
            "invoice_id": invoice,
            "payment_number": earlier + 1,
            "method": chance.pick(("card", "bank", "cash", "insurance")),
            "amount": cents(price // 2 if half else price),
            "processor_balance": f"{chance.below(10**9)}.{chance.below(10**9):09}1",
            "processor_reference": f"ref-{some_bytes('payments', i, 12).hex()}",
            "receipt": some_bytes("receipt", i, 64) if chance.happens(0.5) else None,
            "paid_at": moment(ago),
            "updated_at": moment(chance.later(ago, 3)),
        }


def _devices(counts: dict[str, int], chance: Chance) -> Iterator[Row]:
    for n in range(1, counts["devices"] + 1):
        ago = chance.ago(n, counts["devices"])
        yield {
            "device_id": n,
            "serial_number": f"SN-{n:08}",
            "kind": chance.pick(("watch", "scale", "glucose meter", "blood pressure cuff")),
            "firmware": bytes((2, chance.below(10), chance.below(10), 0)),
            "is_enabled": int(chance.happens(0.9)),
            "capabilities": chance.below(1024),
            "register_mask": int.from_bytes(some_bytes("devices", n, 8), "big"),
            "calibration_offset": chance.below(2_000) - 1_000,
            "made_in_year": 2015 + chance.below(10),
            "ships_to": point(*chance.coordinates()) if chance.happens(0.5) else None,
            "retires_at": "2030-01-01 00:00:00.000000",
            "created_at": moment(ago, 0),
            "updated_at": moment(chance.later(ago, 100), 3),
        }


def _readings(counts: dict[str, int], chance: Chance) -> Iterator[Row]:
    for n in range(1, counts["readings"] + 1):
        ago = chance.ago(n, counts["readings"])
        arrived = chance.later(ago, 0.01)
        yield {
            "reading_id": n,
            "device_id": 1 + chance.below(counts["devices"]),
            "patient_id": 1 + chance.below(counts["patients"]),
            "taken_at": moment(ago),
            "heart_rate": 50 + chance.below(90),
            "temperature_delta": chance.below(300) - 100,
            "steps": chance.below(20_000),
            "battery_change": chance.below(5) - 4,
            "weight_kg": round(50 + 60 * chance.random(), 3),
            "signal_level": chance.random() * 1e-9,
            "device_clock": int(END.timestamp()) * 1_000_000_000 - ago * 1_000,
            "device_counter": n * 1_000_003,
            "is_resting": int(chance.happens(0.3)),
            "waveform": some_bytes("readings", n, 32) if n % 4 == 0 else None,
            "created_at": moment(arrived, 0),
            "updated_at": moment(arrived),
        }


def _documents(counts: dict[str, int], chance: Chance) -> Iterator[Row]:
    for n in range(1, counts["documents"] + 1):
        ago = chance.ago(n, counts["documents"])
        yield {
            "document_id": n,
            "patient_id": 1 + chance.below(counts["patients"]),
            "title": chance.pick(("Referral", "Blood test", "Invoice copy", "Résumé")),
            "media_type": chance.pick(("application/pdf", "image/png")),
            "page_count": 1 + chance.below(30),
            "revision": chance.below(5) - 1,
            "thumbnail": some_bytes("thumbnail", n, 120),
            "content": some_bytes("documents", n, 1_500),
            "transcript": chance.text(8),
            "signed_at": moment(chance.later(ago)) if chance.happens(0.6) else None,
            "retain_until": "2035-12-31",
            "created_at": moment(ago, 0),
            "updated_at": moment(chance.later(ago, 30), 3),
        }


_MAKERS: dict[str, Callable[[dict[str, int], Chance], Iterator[Row]]] = {
    "specialties": _specialties,
    "providers": _providers,
    "patients": _patients,
    "care_team": _care_team,
    "appointments": _appointments,
    "messages": _messages,
    "audit_events": _audit_events,
    "invoices": _invoices,
    "payments": _payments,
    "devices": _devices,
    "readings": _readings,
    "documents": _documents,
}
