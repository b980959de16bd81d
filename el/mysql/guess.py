"""What the names and types of columns suggest: a cursor, a table that only grows, personal data.

In: a table's columns as the catalog has them. Out: guesses, for ``el init``, each of which a person reads in the
source file that it writes. Nothing that runs by night guesses: a run does what the file says.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from el.config import raw_name
from el.mysql.cursors import Behaviour, kind_of
from el.mysql.types import CatalogColumn

_WHEN = r"(at|on|time|date|datetime|ts|timestamp|utc|dt)?"
#: Whole names, without their underscores: password_changed_at is not when the row was changed.
_CHANGED = re.compile(
    r"(last|date|time|row|record|gmt|sys|dt|ts)*"
    rf"(updated?|modified|modify|modification|changed?|mtime|mod){_WHEN}"
)
_MADE = re.compile(
    rf"(date|time|row|record|gmt|sys|dt|ts)*(created?|creation|inserted|added|logged|occurred|happened|received){_WHEN}"
)

#: A name is personal if one of its words is here …
_WORDS = re.compile(
    r"(?:^|_)(?:ssn|sin|nin|dob|mrn|mail|phone|mobile|cell|fax|tel|addr|street|city|zip|zipcode|postal|postcode|"
    r"county|name|note|notes|remark|remarks|comment|comments|icd|npi|ip|ipv4|ipv6|mac|lat|lon|lng|long|geo|"
    r"gps|location|sex|gender|race|ethnicity|religion|nationality|marital|allergy|allergies|photo|portrait|"
    r"picture|signature|iban|bic|cvv|cvc|pin|token|secret|salary|income|plate|vin|imei|subject|body|"
    r"message|transcript)(?:_|$)"
)
#: … or if one of these is in it, underscores apart.
_PARTS = re.compile(
    "address|birth|death|deceased|email|phone|passport|licen[cs]e|insur|diagnos|medic|prescri|symptom|disease|"
    "firstname|lastname|middlename|fullname|surname|maiden|nickname|username|socialsecurity|nationalid|taxid|"
    "latitude|longitude|creditcard|cardnumber|bankaccount|accountnumber|password|biometric|fingerprint|useragent|"
    "beneficiary|guardian|emergencycontact"
)
#: What a comment on a column says of it, in the usual abbreviations.
_SAID = re.compile(r"\b(PHI|PII|SPI|GDPR|HIPAA)\b")


def cursor(table: str, columns: Mapping[str, CatalogColumn], behaviour: Behaviour) -> CatalogColumn | None:
    """The column that most likely tells when a row was last changed, or None.

    MySQL sets it (ON UPDATE CURRENT_TIMESTAMP), else its name says it. Among several: set at inserts too, a name that
    says it, an index, NOT NULL, TIMESTAMP before DATETIME before DATE, more digits, the first.
    """

    def merit(column: CatalogColumn) -> tuple[bool | int, ...]:
        kind, digits = kind_of(column)
        return (
            sets_itself(column),
            sets_itself(column) and not column.starts_fixed,
            says_changed(column),
            (table, column.name) in behaviour.indexed,
            not column.nullable,
            ("date", "datetime", "timestamp").index(str(kind)),
            digits,
        )

    fit = [
        column
        for column in columns.values()
        if kind_of(column)[0] in ("timestamp", "datetime", "date") and (sets_itself(column) or says_changed(column))
    ]
    return max(fit, key=merit, default=None)


def sets_itself(column: CatalogColumn) -> bool:
    """MySQL sets it at every update."""
    return "on update" in column.extra


def says_changed(column: CatalogColumn) -> bool:
    """Its name is one of those that a row's last change has: updated_at, LastModified, …"""
    return _CHANGED.fullmatch(raw_name(column.name).replace("_", "")) is not None


def grows(columns: Mapping[str, CatalogColumn], key: Collection[str]) -> tuple[CatalogColumn, CatalogColumn] | None:
    """The number that MySQL counts up and the time of the insert, of a table that looks as if rows are only added."""
    number = next((columns[name] for name in key if "auto_increment" in columns[name].extra), None)
    made = next(
        (
            column
            for column in columns.values()
            if kind_of(column)[0] in ("timestamp", "datetime", "date")
            and _MADE.fullmatch(raw_name(column.name).replace("_", ""))
        ),
        None,
    )
    return (number, made) if number and made and kind_of(number)[0] == "integer" else None


def is_personal(column: CatalogColumn) -> bool:
    """Its name, its type or its comment suggest that it tells something of a person."""
    name = raw_name(column.name)
    return bool(
        (_WORDS.search(name) and not name.endswith("_id"))
        or _PARTS.search(name.replace("_", ""))
        or _SAID.search(column.comment)
        or column.data_type in ("inet4", "inet6")
    )
