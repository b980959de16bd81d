"""The errors the local Redshift answers with: an SQLSTATE and a sentence, never a value from a row."""

from __future__ import annotations


class RedshiftError(Exception):
    """Sent to the client as an ErrorResponse; fails the open transaction as any error does."""

    def __init__(self, message: str, code: str = "XX000", detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.detail = detail


class ScanError(RedshiftError):
    """A file that Spectrum cannot bring into the table, as Redshift says it: what it is about is in the detail."""

    def __init__(self, context: str) -> None:
        super().__init__("Spectrum Scan Error", detail=f"error: Spectrum Scan Error context: {context}")


class Refused(RedshiftError):
    """Redshift itself refuses this."""

    def __init__(self, what: str, why: str = "") -> None:
        super().__init__(f"{what} is not supported by Redshift" + (f": {why}" if why else ""), "0A000")


class NotImitated(RedshiftError):
    """Redshift can do this, the local one cannot (yet). Saying so beats doing something else."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the local Redshift does not imitate {what} (docs/reference/local-redshift.md)", "0A000")
