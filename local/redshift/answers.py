"""PostgreSQL's answers in Redshift's words: parameters, types, the text form of values, errors.

In: messages of the backend. Out: messages for the client. VARBYTE is stored as bytea and gets
Redshift's type number here; it and SUPER get Redshift's text form.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from . import protocol as wire
from .protocol import Wire
from .super_text import shown

SERVER_VERSION = "8.0.2"

_BYTEA, _VARBYTE, _SUPER = 17, 6551, 4000

# What Redshift, a PostgreSQL 8.0 at heart, tells a client. Not standard_conforming_strings: it has no such thing, and
# drivers that hear nothing double every backslash, which is right here.
_PARAMETERS = {"client_encoding", "DateStyle", "integer_datetimes", "is_superuser", "server_encoding"}
_PARAMETERS |= {"server_version", "session_authorization", "TimeZone"}


class Answers:
    def __init__(self, client: Wire, conflict: Callable[[], str]) -> None:
        self.client = client
        self._conflict = conflict
        self.superuser = False
        self.failed = ""  # the message of the last error that was passed on
        self.special: dict[int, int] = {}  # columns of the current result whose text form differs

    def parameter(self, payload: bytes) -> None:
        (name, value), _ = wire.strings(payload, 2)
        if name == "server_version":
            payload = wire.text(name) + wire.text(SERVER_VERSION)
        if name == "is_superuser":
            self.superuser = value == "on"
        if name in _PARAMETERS:
            self.client.send(wire.message(b"S", payload))

    def pass_on(self, kind: bytes, payload: bytes, tag: str | None) -> None:
        """`tag` as in Session._relay."""
        if kind == b"E":
            said = redshift_error(payload, self._conflict)
            self.failed = said["M"]
            self.client.send(wire.error(said))
        elif kind == b"S":
            self.parameter(payload)
        elif tag is None:
            return
        elif kind == b"D" and self.special:
            self.client.send(wire.row(self._values(payload)))
        elif kind == b"T":
            self.client.send(wire.message(kind, self._describe(payload)))
        elif kind == b"C" and tag:
            self.client.send(wire.complete(tag))
        elif kind == b"n":
            self.special = {}
            self.client.send(wire.message(kind, payload))
        else:
            self.client.send(wire.message(kind, payload))

    def _describe(self, payload: bytes) -> bytes:
        changed = bytearray(payload)
        self.special = {}
        for i, (_, at, kind, form) in enumerate(wire.row_columns(payload)):
            if kind == _BYTEA:
                changed[at : at + 4] = _VARBYTE.to_bytes(4, "big")
            if kind == _SUPER or (kind == _BYTEA and form == 0):  # SUPER has one form only
                self.special[i] = kind
        return bytes(changed)

    def _values(self, payload: bytes) -> list[bytes | None]:
        values = wire.row_values(payload)
        for i, kind in self.special.items():
            value = values[i]
            if value is not None:
                values[i] = value[2:] if kind == _BYTEA else shown(value.decode()).encode()
        return values


def redshift_error(payload: bytes, conflict: Callable[[], str] = str) -> dict[str, str]:
    """The fields of an error as Redshift would word it; never the row that DETAIL and CONTEXT quote. `conflict`
    says which table two transactions met on."""
    said = wire.fields(payload)
    code, message = said.get("C", "XX000"), said.get("M", "")
    detail, hint = said.get("D", ""), said.get("H", "")
    if code == "23514" and (limit := re.match(r"redshift_bytes_(\d+)_", said.get("n", ""))):
        code, message, detail = "22001", f"value too long for type character varying({limit.group(1)})", ""
    elif code == "23502":
        message, detail = f"Cannot insert a NULL value into column {said.get('c', '')}", ""
    elif code == "40001":
        code, message = "XX000", "1023"
        detail = conflict() or "Serializable isolation violation on table"
    elif code == "22003" and message == "numeric field overflow":
        message = "Numeric data overflow (result precision)"
    fields = {"S": said.get("S", "ERROR"), "C": code, "M": message}
    if detail and not detail.startswith(("Failing row", "Key (")):
        fields["D"] = detail
    if hint:
        fields["H"] = hint
    return fields
