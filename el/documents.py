"""JSON documents that el writes for another el to read: commits, records, leases, holds, manifests and the like on S3.

In: a body. Out: its content, or an error that names what is wrong. Each kind of document has a ``Format``, whose number
stands in every document of it, beside the version of el that wrote it. The rule of all of them:

    what this number says of a document never changes: any change of what is written or understood is the next number
    a version reads its own number and the one before (``before``), so hosts may be upgraded one after the other,
        those that read first
    any other number is refused by name, and nothing is changed
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from el import __version__
from el.errors import ElError

Parsed = TypeVar("Parsed")
Content = dict[str, Any]


@dataclass(frozen=True)
class Format:
    """One kind of document. ``refused`` and ``damaged`` are what its reader raises.

    ``remedy`` is what to do about a damaged one. ``before`` makes the content of the number before into one of this
    number; None: there is no such document.
    """

    number: int
    refused: type[ElError]
    damaged: type[ElError]
    remedy: str = "Restore it from the bucket's versions."
    before: Callable[[Content], Content] | None = None

    def body(self, content: Content) -> bytes:
        """What is written: the content behind its format and the version of el."""
        return json.dumps({"format": self.number, "el_version": __version__} | content, indent=1).encode()

    def read(self, body: bytes, where: str, parse: Callable[[Content], Parsed]) -> Parsed:
        """What ``parse`` makes of the content. Its ValueError, KeyError, TypeError and AttributeError mean damage.

        Raises:
            ElError: ``refused``, for another number; ``damaged``, for what cannot be read.
        """
        try:
            content: Content = json.loads(body)
            number = content["format"]
            if self.before and number == self.number - 1:
                content = self.before(content)
            elif number != self.number:
                raise self.refused(refusal(where, number, self, content.get("el_version")))
            return parse(content)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise self.damaged(f"{where} is damaged and cannot be read. Nothing was changed. {self.remedy}") from None


def refusal(where: str, number: object, known: Format, by: object) -> str:
    """The sentence about a document, or a ledger, of another format."""
    numbers = f"formats {known.number - 1} and {known.number}" if known.before else f"format {known.number}"
    return (
        f"{where} has format {number} and this el knows {numbers}. Nothing was changed. It was written by el {by}, and "
        f"this is el {__version__}: use the same version on every host."
    )
