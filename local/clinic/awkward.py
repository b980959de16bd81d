"""Values that break pipelines, given to the first rows of each table, at any scale.

In: nothing. Out: for each table a list; entry *i* replaces columns of the row made *i*-th. They are
extremes of the types, zero dates, text beyond the basic plane, blanks, quotes, NULL beside empty. Kept
apart from the ordinary rows so that one can see at a glance which values a copy has been tested with. No
key and no cursor is among them, and no value is longer than 60,000 bytes: Redshift's limits are another
matter.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence

Value = int | float | str | bytes | None

NUL = "\0"
ZERO_DATE = "0000-00-00"
ZERO_DATETIME = "0000-00-00 00:00:00"
END_OF_TIME = "9999-12-31 23:59:59.999999"
QUOTES = "She said \"it's 5 o'clock\", then `left` -- really; 100% \\ no\\n joke /* ok */"
LINES = "first line\nsecond line\r\n\tthird, with a tab\n\n"
FOUR_BYTES = "𝒲𝑒𝓁𝓁 🩺 👩🏽‍⚕️ 你好 Ωmega Привет \u00a0\u200b שלום e\u0301"


def point(longitude: float, latitude: float) -> bytes:
    """A POINT as MySQL stores it: SRID 0, then WKB."""
    return struct.pack("<IBIdd", 0, 1, 1, longitude, latitude)


def polygon(corners: Sequence[tuple[float, float]]) -> bytes:
    """A POLYGON of one ring, closed here."""
    ring = [*corners, corners[0]]
    return struct.pack("<IBIII", 0, 1, 3, 1, len(ring)) + b"".join(struct.pack("<dd", *corner) for corner in ring)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


_NESTED = {
    "alarms": [
        {"kind": "heart rate", "limits": {"low": 40, "high": 180}},
        {"kind": "weight", "limits": None},
    ],
    "language": "español",
    "name": FOUR_BYTES,
    "quoted": 'a "quote", a \\ backslash, a\nline',
    "empty": {"list": [], "object": {}, "text": ""},
    "numbers": [0, -1, 9007199254740993, 2.5, -0.125],
    "deep": [[[[[True, False, None]]]]],
}

AWKWARD: dict[str, list[dict[str, Value]]] = {
    "specialties": [
        {"is_bookable_online": -1, "base_fee": "9999.99"},
        {"is_bookable_online": 2, "base_fee": "-9999.99"},
        {"is_bookable_online": 127},
        {"is_bookable_online": -128, "base_fee": "0.00"},
    ],
    "providers": [
        {
            "first_name": "Zoë",
            "last_name": "O'Neill-Ó Súilleabháin",
            "languages": "en,es,fr,zh,sign language",
        },
        {"languages": "", "biography": "", "portrait": b"", "average_rating": 0.0},
        {"first_licensed_year": 1901, "average_rating": 3.4028234e38, "shift_starts": "838:59:59"},
        {"first_licensed_year": 2155, "average_rating": -3.4028234e38, "shift_starts": "-838:59:59"},
        {"first_licensed_year": 0, "average_rating": 1.17549435e-38, "shift_starts": "00:00:00"},
        {"biography": FOUR_BYTES * 600, "portrait": bytes(range(256)) * 200, "average_rating": 0.1234567},
        {
            "hired_on": "1000-01-01",
            "service_area": None,
            "biography": None,
            "portrait": None,
            "average_rating": None,
        },
        {
            "hired_on": "9999-12-31",
            "service_area": polygon([(-179.5, -89.25), (179.5, -89.25), (0.1, 89.75)]),
        },
    ],
    "patients": [
        {"first_name": "𝔘𝓃𝒾", "last_name": FOUR_BYTES, "email": "uni+𝓬@example.org", "phone": ""},
        {
            "birth_date": ZERO_DATE,
            "phone": None,
            "email": None,
            "ssn": None,
            "sex": None,
            "preferences": None,
        },
        {"birth_date": "1980-00-00", "email": "", "ssn": "", "phone": "+1 (555) 010-0000 ext. 7"},
        {"birth_date": "1000-01-01", "consent_expires_at": END_OF_TIME, "risk_score": -128},
        {"birth_date": "2024-02-29", "consent_expires_at": ZERO_DATETIME, "risk_score": 127},
        {"utc_offset_minutes": -32768, "home_location": point(-180, -90), "external_id": b"\x00" * 16},
        {"utc_offset_minutes": 32767, "home_location": point(180, 90), "external_id": b"\xff" * 16},
        {"first_name": "trailing  ", "last_name": "  leading", "home_location": point(1e-12, -0.1)},
        {"first_name": "", "last_name": " ", "home_location": None, "external_id": b"ends in nul\x00"},
        {"first_name": QUOTES[:50], "last_name": "null", "preferences": _json(_NESTED)},
        {"first_name": "NULL", "last_name": "\\N", "preferences": "[]"},
        {"last_name": "Müller", "preferences": "{}", "consent_expires_at": "1000-01-01 00:00:00.000001"},
        {"preferences": '"only text"', "birth_date": None, "consent_expires_at": None},
        {"preferences": _json([{"n": n, "text": "π" * n} for n in range(60)]), "birth_date": "9999-12-31"},
    ],
    "care_team": [
        {"priority": -128, "effort_share": "-9.9999", "note": ""},
        {"priority": 127, "effort_share": "9.9999", "note": None},
        {"priority": 0, "effort_share": "0.0001", "note": FOUR_BYTES},
        {"note": QUOTES, "effort_share": None},
        {"note": LINES, "since_date": "1000-01-01"},
        {"note": "ends in blanks   ", "since_date": "9999-12-31"},
    ],
    "appointments": [
        {"waiting_time": "-838:59:59", "connected_time": "-838:59:59.000000", "fee": "99999999.99"},
        {"waiting_time": "838:59:59", "connected_time": "838:59:59.000000", "fee": "-99999999.99"},
        {"waiting_time": "00:00:00", "connected_time": "00:00:00.000001", "fee": "0.01"},
        {"waiting_time": "-00:00:01", "connected_time": "-00:00:00.000001", "reason": ""},
        {"waiting_time": "25:00:00", "connected_time": "24:00:00.500000", "reason": LINES},
        {"cancelled_at": ZERO_DATETIME, "reminder_sent_at": ZERO_DATETIME, "reason": QUOTES},
        {
            "cancelled_at": "2020-00-00 00:00:00",
            "reminder_sent_at": "1970-01-01 00:00:01",
            "reason": FOUR_BYTES,
        },
        {"cancelled_at": "9999-12-31 23:59:59", "reminder_sent_at": "2038-01-19 03:14:07", "reason": None},
        {"started_at": END_OF_TIME, "ended_at": "1000-01-01 00:00:00.000000", "room_key": b"\x00"},
        {"started_at": None, "ended_at": None, "room_key": b"", "reason": "x" * 60_000},
        {"room_key": bytes(range(224, 256)), "reason": "\u00a0"},
    ],
    "messages": [
        {"subject": "", "body": "", "attachment": b""},
        {"subject": FOUR_BYTES, "body": FOUR_BYTES * 500, "attachment": bytes(range(256))},
        {"subject": QUOTES, "body": QUOTES * 20 + LINES, "attachment": b"\x00"},
        {"subject": "ends in blanks    ", "body": "   ", "attachment": None},
        {"subject": "a NUL", "body": f"before{NUL}after", "attachment": b"\x00\xff" * 30_000},
        {"subject": "null", "body": "NULL", "provider_id": None, "read_at": ZERO_DATETIME},
        {"subject": "\\", "body": "\\N", "read_at": "2038-01-19 03:14:07"},
        {"body": "€" * 20_000, "read_at": "1970-01-01 00:00:01"},
        {"body": LINES, "read_at": None},
    ],
    "audit_events": [
        {
            "actor_id": -2147483648,
            "duration_us": 16777215,
            "ip_address": b"\xff" * 16,
            "details": _json(_NESTED),
        },
        {"actor_id": 2147483647, "duration_us": 0, "ip_address": b"\x00" * 4, "details": "[]"},
        {"actor_id": None, "duration_us": None, "ip_address": None, "details": None},
        {"actor_id": 0, "ip_address": b"", "details": '{"big": [9223372036854775807, -9223372036854775808]}'},
        {"action": "", "details": '"text"'},
        {"action": FOUR_BYTES[:20], "details": "false"},
        {"action": "record.view ", "details": "-1.5"},
    ],
    "invoices": [
        {
            "amount": "9999999999.99",
            "tax_rate": "9.999999",
            "amount_in_euro": "99999999999999999999.9999999999",
            "exchange_rate": "99999999999999999999.999999999999999999",
            "token_amount": "99999999999999999999999999999999999.999999999999999999999999999999",
        },
        {
            "amount": "-9999999999.99",
            "tax_rate": "-9.999999",
            "amount_in_euro": "-99999999999999999999.9999999999",
            "exchange_rate": "-99999999999999999999.999999999999999999",
            "token_amount": "-99999999999999999999999999999999999.999999999999999999999999999999",
        },
        {
            "amount": "0.00",
            "tax_rate": "0.000001",
            "amount_in_euro": "0.0000000001",
            "exchange_rate": "0.000000000000000001",
            "token_amount": "0.000000000000000000000000000001",
        },
        {"due_date": ZERO_DATE, "issued_at": ZERO_DATETIME, "token_amount": "0"},
        {"due_date": "9999-12-31", "issued_at": "9999-12-31 23:59:59.999"},
        {"due_date": "1000-01-01", "issued_at": "1000-01-01 00:00:00.001"},
        {
            "due_date": None,
            "issued_at": None,
            "amount_in_euro": None,
            "exchange_rate": None,
            "token_amount": None,
        },
    ],
    "payments": [
        {
            "amount": "-9999999999.99",
            "processor_balance": "-9999999999999999999999999999.9999999999",
            "receipt": b"",
        },
        {"amount": "9999999999.99", "processor_balance": "9999999999999999999999999999.9999999999"},
        {"processor_balance": "0.0000000001", "processor_reference": "", "receipt": bytes(range(255))},
        {"processor_balance": "1.5000000000", "processor_reference": "ends in blanks  ", "receipt": None},
        {"processor_balance": None, "processor_reference": FOUR_BYTES},
    ],
    "devices": [
        {
            "register_mask": 2**64 - 1,
            "capabilities": 2**10 - 1,
            "is_enabled": 1,
            "calibration_offset": 8388607,
        },
        {"register_mask": 0, "capabilities": 0, "is_enabled": 0, "calibration_offset": -8388608},
        {"register_mask": 2**63, "capabilities": 2**9, "firmware": b"\x00\x00\x00\x00", "made_in_year": 0},
        {"register_mask": 2**63 - 1, "firmware": b"\xff\xfe\xfd\xfc", "made_in_year": 1901},
        {"register_mask": None, "serial_number": "blank at the end ", "made_in_year": 2155, "ships_to": None},
        {"serial_number": "'; drop table x", "retires_at": END_OF_TIME, "ships_to": point(-0.0001, 1e-9)},
        {"serial_number": "№ ⑦ 🩺", "retires_at": ZERO_DATETIME, "made_in_year": None},
        {"retires_at": "1000-01-01 00:00:00.000000", "firmware": b"1\x00"},
    ],
    "readings": [
        {
            "heart_rate": 255,
            "steps": 65535,
            "battery_change": 127,
            "device_counter": 2**64 - 1,
            "device_clock": 2**63 - 1,
        },
        {
            "heart_rate": 0,
            "steps": 0,
            "battery_change": -128,
            "device_counter": 2**63,
            "device_clock": -(2**63),
        },
        {"temperature_delta": 32767, "weight_kg": 3.4028234e38, "signal_level": 1.7976931348623157e308},
        {"temperature_delta": -32768, "weight_kg": -3.4028234e38, "signal_level": -1.7976931348623157e308},
        {"weight_kg": 1.17549435e-38, "signal_level": 2.2250738585072014e-308, "is_resting": -1},
        {"weight_kg": 0.1, "signal_level": 1e-12, "is_resting": 2},
        {"weight_kg": 0.0, "signal_level": 0.0, "is_resting": 127, "waveform": b""},
        {
            "weight_kg": 16777216.0,
            "signal_level": 0.1234567890123456,
            "waveform": bytes(range(256)),
            "device_counter": 0,
        },
        {
            "weight_kg": None,
            "signal_level": None,
            "is_resting": None,
            "waveform": None,
            "heart_rate": None,
            "steps": None,
        },
        {"battery_change": None, "device_clock": None, "device_counter": None, "temperature_delta": None},
        {"taken_at": END_OF_TIME, "signal_level": 9007199254740993.0},
        {"taken_at": "1000-01-01 00:00:00.000001", "signal_level": 1e300},
    ],
    "documents": [
        {
            "page_count": 4294967295,
            "revision": 2147483647,
            "thumbnail": b"\x00" * 255,
            "content": b"\xde\xad" * 30_000,
        },
        {"page_count": 0, "revision": -2147483648, "thumbnail": b"", "content": b"", "transcript": ""},
        {"page_count": None, "thumbnail": None, "content": None, "transcript": None, "retain_until": None},
        {"title": FOUR_BYTES, "transcript": FOUR_BYTES * 700, "retain_until": ZERO_DATE},
        {
            "title": QUOTES,
            "transcript": f"{NUL}{QUOTES}{NUL}",
            "retain_until": "9999-12-31",
            "signed_at": ZERO_DATETIME,
        },
        {"title": "ends in blanks ", "transcript": "y" * 60_000, "signed_at": "2038-01-19 03:14:07.999999"},
        {
            "title": "",
            "transcript": LINES * 50,
            "signed_at": "1970-01-01 00:00:01.000000",
            "retain_until": "1000-01-01",
        },
    ],
}
