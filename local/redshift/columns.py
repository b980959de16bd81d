"""A column that COPY fills, as the catalog has it."""

from __future__ import annotations

from dataclasses import dataclass

VARCHAR_MAX = 65_535


@dataclass(frozen=True)
class Column:
    name: str
    kind: str  # Redshift's name of the type: integer, character varying, super …
    octets: int  # longest value in bytes; 0: no limit of that kind
    precision: int
    scale: int
    not_null: bool
    identity: bool

    @property
    def limit(self) -> int:
        """Longest value in bytes; 0: none."""
        return self.octets or (VARCHAR_MAX if self.kind == "character varying" else 0)

    @property
    def is_text(self) -> bool:
        return self.kind in ("character", "character varying")


def column(row: list[str]) -> Column:
    """A row of redshift_internal.copy_columns()."""
    name, kind, octets, precision, scale, not_null, identity = row
    return Column(name, kind, int(octets or 0), int(precision or 0), int(scale or 0), not_null == "t", identity == "t")
