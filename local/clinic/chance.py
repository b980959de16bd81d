"""What rows are made of: choices, times, bytes and words that are the same on every machine.

In: a table's name, row numbers. Out: values. Only ``Random.random()`` is used: Python promises the same
sequence in every version for that method and no other. All times lie in the two years before ``END``:
readings of the clock would make every copy differ.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TypeVar

T = TypeVar("T")

END = datetime(2025, 6, 30, tzinfo=UTC)
DAY = 86_400_000_000  # microseconds, as every duration here
SPAN = 730 * DAY  # the time before END in which everything happened

SPECIALTIES = (
    ("GENMED", "General medicine"),
    ("PEDIAT", "Pediatrics"),
    ("CARDIO", "Cardiology"),
    ("DERMAT", "Dermatology"),
    ("ENDOCR", "Endocrinology"),
    ("NEUROL", "Neurology"),
    ("PSYCHI", "Psychiatry"),
    ("PSYCHO", "Psychotherapy"),
    ("NUTRIT", "Nutrition"),
    ("PHYSIO", "Physiotherapy"),
    ("PULMON", "Pulmonology"),
    ("SLEEPM", "Sleep medicine"),
)
FIRST_NAMES = (
    "Ada",
    "Ben",
    "Chloé",
    "Dmitri",
    "Elif",
    "Farid",
    "Grace",
    "Hiro",
    "Ines",
    "João",
    "Kofi",
    "Lena",
)
LAST_NAMES = (
    "Abebe",
    "Brown",
    "Dubois",
    "Eriksen",
    "García",
    "Huang",
    "Ivanova",
    "Jones",
    "Kowalski",
    "López",
)
SENTENCES = (
    "Thank you for the quick answer.",
    "The headaches come mostly in the evening.",
    "Please take one tablet in the morning, with water.",
    "Could we move the appointment to next week?",
    "My blood pressure was 135/85 yesterday and 128/80 today.",
    "The results are in your record; nothing to worry about.",
    "I feel better since Monday, and there is no fever any more.",
    "The pharmacy says it doesn't have the prescription yet.",
    "Drink enough, rest, and write again if it gets worse.",
    "Is it normal that the watch shows “irregular”?",
    "¿Puedo tomarlo junto con ibuprofeno?",
    "I have attached a photo.",
)
ACTIONS = ("record.view", "record.change", "login", "logout", "message.send", "prescription.sign", "export")


class Chance:
    """Choices for the rows of one table."""

    def __init__(self, table: str) -> None:
        self.random = Random(f"clinic/{table}").random

    def below(self, end: int) -> int:
        return int(self.random() * end)

    def pick(self, choices: Sequence[T]) -> T:
        return choices[int(self.random() * len(choices))]

    def happens(self, probability: float) -> bool:
        return self.random() < probability

    def text(self, sentences: int) -> str:
        return " ".join([self.pick(SENTENCES) for _ in range(sentences)])

    def ago(self, number: int, count: int) -> int:
        """How long before END row ``number`` of ``count`` was made: higher numbers later, at uneven times."""
        return int(SPAN * (1 - (number - 1 + self.random()) / count))

    def later(self, ago: int, days: float = 10.0) -> int:
        """A moment up to ``days`` after ``ago``, not after END."""
        return max(0, ago - int(self.random() * days * DAY))

    def coordinates(self) -> tuple[float, float]:
        """Longitude and latitude, two digits."""
        return -self.below(12_000) / 100, self.below(6_000) / 100


def moment(ago: int, digits: int = 6) -> str:
    """The time ``ago`` before END as MySQL writes it, with that many digits after the second."""
    text = (END - timedelta(microseconds=max(ago, 0))).strftime("%Y-%m-%d %H:%M:%S.%f")
    return text[: 20 + digits] if digits else text[:19]


def day(ago: int) -> str:
    return moment(ago, 0)[:10]


def clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def cents(amount: int) -> str:
    return f"{amount // 100}.{amount % 100:02}"


def some_bytes(label: str, number: int, length: int) -> bytes:
    return hashlib.shake_128(f"{label} {number}".encode()).digest(length)
