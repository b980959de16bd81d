"""How the rows of a raw table lie in Redshift: distribution and sort key.

In: the source file's ``distribution`` and ``sort``, and a commit. Out: the clause of CREATE TABLE, and the statements
that bring a table to it which was made otherwise. Those are only said: they rewrite the table, and block its readers.
Column encodings are left to Redshift, and so are ANALYZE and VACUUM.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from el.config import KEY_DISTRIBUTION, Table, raw_name
from el.errors import WarehouseError
from el.landing import Commit
from el.redshift.connection import quoted

#: Types that can be no key of either kind, or of which Redshift's documentation does not say that they can.
_NO_KEY = re.compile("super|varbyte|geometry|geography|hllsketch")


@dataclass(frozen=True)
class Layout:
    """``distribution``: even, all, auto, or key and the column. ``sort``: columns, none for AUTO."""

    distribution: str
    column: str | None
    sort: tuple[str, ...]

    @property
    def clause(self) -> str:
        """What stands behind the columns in CREATE TABLE."""
        spread = f"diststyle key distkey ({quoted(self.column)})" if self.column else f"diststyle {self.distribution}"
        return f"{spread} {self._sorted}"

    def alters(self, where: str) -> list[str]:
        """Statements that give a table this layout, each outside of a transaction."""
        spread = f"alter distkey {quoted(self.column)}" if self.column else f"alter diststyle {self.distribution}"
        return [f"alter table {where} {spread}", f"alter table {where} alter {self._sorted}"]

    @property
    def _sorted(self) -> str:
        return f"compound sortkey ({', '.join(map(quoted, self.sort))})" if self.sort else "sortkey auto"


def of(table: Table, commit: Commit) -> Layout:
    """The layout that the source file asks for, its defaults filled in from the commit.

    Without a word in the file: distributed by the primary key if it is one column, so that the merge moves no rows
    between nodes; sorted by the cursor, by which reports select and which grows with the table.

    Raises:
        WarehouseError: it names a column that the table has not, or that can be no key.
    """
    types = {column.name: column.redshift for column in commit.columns}
    keys = [column.name for column in commit.columns if column.key and not _NO_KEY.match(column.redshift)]
    only_key = keys[0] if len(keys) == 1 and len([c for c in commit.columns if c.key]) == 1 else None

    def checked(option: str, name: str) -> str:
        found = raw_name(name)
        if found not in types:
            why = f'no column "{name}" in commit {commit.seq}'
        elif _NO_KEY.match(types[found]):
            why = f'"{name}" is {types[found].upper()}, which can be no key'
        else:
            return found
        raise WarehouseError(
            f"{table.problem(option, f'{option}: {why}')}. Nothing was changed and the commit waits. Correct the line, "
            f"then run: el load {table.label}"
        )

    distribution, column = table.distribution, None
    if distribution is None:
        distribution, column = ("key", only_key) if only_key else ("auto", None)
    elif found := re.fullmatch(KEY_DISTRIBUTION, distribution):
        distribution, column = "key", checked("distribution", found[1])
    if table.sort is not None:
        sort = tuple(checked("sort", name) for name in table.sort)
    else:
        cursor = raw_name(commit.window.cursor) if commit.window.cursor else None
        sort = (cursor,) if cursor in types and not _NO_KEY.match(types[cursor]) else ()
    return Layout(distribution, column, sort)
