"""Tables of text for a terminal."""

from __future__ import annotations


def aligned(header: list[str], body: list[list[str]], right: set[int]) -> list[str]:
    """Lines with columns of one width each; ``right``: the columns that stand at the right."""
    widths = [max(len(row[i]) for row in [header, *body]) for i in range(len(header))]
    return [
        "  ".join(
            cell.rjust(w) if i in right else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in [header, *body]
    ]


def short(moment: str | None) -> str:
    """A moment to the second; ``-`` if there is none."""
    return moment[:19].replace("T", " ") if moment else "-"


def or_dash(value: object) -> str:
    """``-`` for what is not known."""
    return "-" if value is None else str(value)
