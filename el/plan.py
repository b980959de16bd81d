"""What a pass reads, from the head commit and the bound alone.

In: the head commit of a table, its shape, the bound of the run. Out: ``Plan``: every row or a window, what the window
holds if nothing changed, the next ``lo``. Nothing here asks MySQL.

The head commit is trusted only as far as it fits the server that answers now: another server, a history that went
back and a clock that was set back are all seen here, and said.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from el.config import Table
from el.errors import LandingDamage, SourceError
from el.landing import Asked, Commit, Pass, Server, Window
from el.mysql.catalog import ADDED_COLUMNS, TableShape
from el.mysql.chunks import Key
from el.mysql.cursor import Cursor
from el.mysql.fingerprint import Fingerprint
from el.mysql.identity import Change, change
from el.mysql.window import Bound

#: What --accept-server reads again: a switchover takes minutes, and its last writes may carry the old clock.
ACCEPTED_MARGIN = timedelta(hours=1)
#: Two clocks are never the same to the second.
_JITTER = timedelta(seconds=2)
#: What the signature of a commit is of, beside the set of columns.
_FORM = "types, key, cursor, column options or hash key"


@dataclass(frozen=True)
class Range:
    """Cursor values from ``lo`` up to, but not including, ``to``, in the cursor's own form; None: no limit there."""

    lo: str | None
    to: str | None


@dataclass(frozen=True)
class Backfill:
    """A range that is read again, and the pass of the head commit, which goes on as if it had not been."""

    range: Range
    reading: Pass


@dataclass(frozen=True)
class Plan:
    """One pass, before its first row is read.

    ``expected`` is what the window holds if there is nothing new; None: read in any case. ``mark``, ``first_seq`` and
    ``after`` are of a pass that was cut off and goes on. ``backfill`` is not None where rows of a range are read again
    beside the passes: then every field but that is the head commit's, and so is what its commits say of passes.
    """

    full: bool
    window: Window
    asked: Asked
    expected: Fingerprint | None = None
    mark: Fingerprint | None = None
    first_seq: int | None = None
    after: Key | None = None
    warnings: tuple[str, ...] = ()
    backfill: Backfill | None = None


@dataclass(frozen=True)
class Now:
    """A table as it is now: how it is configured, what MySQL says of it, and how far its watermark may move."""

    table: Table
    shape: TableShape
    signature: str
    bound: Bound


def plan(head: Commit | None, now: Now, full: bool = False, accept_server: bool = False) -> Plan:
    """The pass that is due.

    ``full`` copies every row again. ``accept_server`` goes on from the watermark although another server answers.

    Raises:
        SourceError: MySQL is another server, or its history went back; nothing was read.
    """
    table, shape, bound = now.table, now.shape, now.bound
    changed = head is not None and (head.signature != now.signature or head.mode != table.mode)
    if shape.cursor is None:
        expected = None if head is None or changed or full else Fingerprint(**head.fingerprint)
        note: tuple[str, ...] = (_what_changed(head, shape),) if head and changed else ()
        return Plan(True, Window(None, None, None, None), bound.asked(), expected, warnings=note)
    cursor = shape.cursor
    if head is None:
        return _pass(now, None, None)
    back = bound.stepped_back(head.asked)
    stepped = cursor.kind != "integer" and back > _JITTER and back + _JITTER > timedelta(seconds=table.overlap)
    server = change(head.server, bound.server)
    found = decide(Situation(_state(head), full or changed, server, accept_server, stepped))
    if found == "refuse":
        raise _refused(head, table, bound.server)
    is_same = server == "same" and not stepped
    if full or changed:
        # A number that was seen before says nothing of a table that is copied anew: it may have been emptied.
        before = replace(head.asked, top=None, top_at=None) if is_same else None
        return _pass(now, None, before, (_what_changed(head, shape),) if changed else ())
    _check_form(head, cursor)
    said = _said_of_server(head, bound.server)
    if found == "everything" and server == "went back":
        return _pass(now, None, None, said)
    if stepped:
        said += (
            f"MySQL's clock was set back by about {back.total_seconds():,.0f} s since commit {head.seq} (or this "
            "host's was set forward): rows from so long before the watermark are read again",
        )
    if found == "go on":
        mark = Fingerprint(**head.fingerprint)
        return Plan(
            head.reading.full, head.window, head.asked, None, mark, head.reading.first_seq, head.reading.after, said
        )
    lo = {"everything": None, "pass again": head.window.lo, "window": head.window.next_lo}[found]
    if lo is not None and not is_same and cursor.kind != "integer":
        moved = ACCEPTED_MARGIN if server != "same" else timedelta(0)
        lo = cursor.earlier(lo, (back if stepped else timedelta(0)) + moved)
    # The clock readings of the pass before are those of another server, or of another time.
    made = _pass(now, lo, head.asked if is_same else None, said)
    if not is_same or made.full != (lo is None):
        return made
    return replace(made, expected=Fingerprint(**head.fingerprint))


@dataclass(frozen=True)
class Situation:
    """What decides over the next pass of a table that has a commit. ``head`` says how its pass ended.

    ``anew``: every row is to be copied, because somebody asks for it or rows would be copied in another form.
    ``server`` is the one that answers, beside that of the commit; ``accepted``: the user says that it is right
    (--accept-server). ``stepped``: the server's clock was set back.
    """

    head: Literal["done", "cut off", "cut off in full"]
    anew: bool
    server: Change
    accepted: bool
    stepped: bool


#: everything: copy every row. window: from the watermark on. go on: behind the last key of the pass that was cut off.
#: pass again: its window from the beginning, because what it has read is of another server or time.
Decision = Literal["everything", "window", "go on", "pass again", "refuse"]


def decide(situation: Situation) -> Decision:
    """The decision; the first line that fits."""
    one = situation
    match one.head, one.anew, one.server, one.accepted, one.stepped:
        case _, True, _, _, _:
            return "everything"
        case _, _, "other" | "went back", False, _:
            return "refuse"
        case _, _, "went back", True, _:
            return "everything"
        case "cut off" | "cut off in full", _, "same", _, False:
            return "go on"
        case "cut off in full", _, _, _, _:
            return "everything"
        case "cut off", _, _, _, _:
            return "pass again"
        case _:
            return "window"


def _state(head: Commit) -> Literal["done", "cut off", "cut off in full"]:
    return "done" if head.reading.done else "cut off in full" if head.reading.full else "cut off"


def backfill(head: Commit | None, now: Now, wanted: Range) -> Plan:
    """A range of the cursor read again, so that the next pass is what it would have been without.

    What the head commit says of the watermark, the fingerprint and a pass that was cut off stays: rows of the range may
    be newer than the fingerprint, and then the next pass reads them once more.

    Raises:
        SourceError: nothing was copied yet, or the next pass would copy every row or ask the user; nothing was read.
    """
    table, cursor, why = now.table, now.shape.cursor, ""
    assert cursor  # whoever asks for a range has one
    if head is None:
        why = "nothing was copied yet, and the first run copies every row"
    elif head.signature != now.signature or head.mode != table.mode:
        why = f"columns, {_FORM} changed since commit {head.seq}, so every row has to be copied again, not a range"
    elif change(head.server, now.bound.server) != "same":
        why = f"MySQL is another server than commit {head.seq} was read from, or its history went back"
    if head is None or why:
        raise SourceError(f"{table.label}: {why}. Nothing was read. First: el run {table.label}")
    lo, to = wanted.lo or "the beginning", wanted.to or "the end"
    said = f"backfill: rows with {cursor.name} from {lo} to before {to} are read again; the watermark stays"
    mark = Fingerprint(**head.fingerprint)
    return Plan(False, head.window, head.asked, mark=mark, warnings=(said,), backfill=Backfill(wanted, head.reading))


def _pass(now: Now, lo: str | None, before: Asked | None, said: tuple[str, ...] = ()) -> Plan:
    table, cursor, bound = now.table, now.shape.cursor, now.bound
    assert cursor
    if cursor.kind != "integer":
        next_lo = bound.next_lo(cursor, table.overlap, lo, before)
        return Plan(lo is None, Window(cursor.name, cursor.kind, lo, next_lo), bound.asked(), warnings=said)
    top = bound.tops[table.name]
    if lo is not None and top is not None and top < int(lo):
        said += (
            f"the largest {cursor.name} was {int(lo):,} and is {top:,}: the table was emptied or its numbers began "
            "anew; copied in full again",
        )
        lo = before = None
    next_lo, candidate, since = bound.next_top(table.name, table.overlap, lo, before)
    return Plan(lo is None, Window(cursor.name, cursor.kind, lo, next_lo), bound.asked(candidate, since), warnings=said)


def _said_of_server(head: Commit, now: Server) -> tuple[str, ...]:
    """What is said of a server that the pass goes on with."""
    match change(head.server, now):
        case "same":
            return ()
        case "continued":
            why = "; its GTIDs hold all that was read"
        case "other":
            why = ", accepted by --accept-server"
        case "went back":
            return ("MySQL's history went back; accepted by --accept-server, copied in full again",)
    return (f"MySQL is another server now ({now.id}, before: {head.server.id}){why}",)


def _refused(head: Commit, table: Table, now: Server) -> SourceError:
    if change(head.server, now) == "other":
        return SourceError(
            f"{table.label}: MySQL is another server now: {now.id}; commit {head.seq} was read from {head.server.id}. "
            "Whether it holds all that was read is not known. Nothing was read. If nothing was lost (a planned "
            "switchover, a host that was renamed) go on from the watermark: "
            f"el run --accept-server {table.source}. If not, or in doubt, copy again: el run --full {table.source}"
        )
    return SourceError(
        f"{table.label}: MySQL's history went back: it lacks transactions that commit {head.seq} was read with (a "
        "restore to an earlier moment, or a failover to a server that was behind). Nothing was read. Rows that went "
        "back carry old cursors and only a full copy finds them; rows that are gone stay in Redshift: "
        f"el run --full {table.source}"
    )


def _what_changed(head: Commit, shape: TableShape) -> str:
    return f"{drift(head, shape) or f'{_FORM} changed since commit {head.seq}'}: copied in full again"


def drift(head: Commit, shape: TableShape) -> str | None:
    """How the columns differ from those of the head commit, in words; None: they do not, as far as Redshift sees."""
    before = {column.name: column.redshift for column in head.columns if column.name not in ADDED_COLUMNS}
    now = {column.raw_name: column.redshift for column in shape.columns}
    facts = []
    if new := sorted(now.keys() - before.keys()):
        facts.append(f"new columns {', '.join(new)}")
    if gone := sorted(before.keys() - now.keys()):
        facts.append(f"{', '.join(gone)} no longer read (kept in Redshift; NULL in rows copied now)")
    facts += [
        f"{name} is {now[name].upper()} and was {before[name].upper()}"
        for name in sorted(now.keys() & before.keys())
        if now[name] != before[name]
    ]
    had, has = {column.name for column in head.columns if column.key}, {c.raw_name for c in shape.primary_key}
    if had != has:
        keys = [", ".join(sorted(one)) or "none" for one in (has, had)]
        facts.append(f"the primary key is {keys[0]} and was {keys[1]}")
    return f"{'; '.join(facts)} since commit {head.seq}" if facts else None


def missed(head: Commit, table: Table, cursor: Cursor | None, newest: str | None) -> list[str]:
    """A warning if a row appeared behind the watermark since the head commit; ``newest``: the largest cursor there.

    Raises:
        SourceError: so it is, and the cursor's zone is not known: then every row may be missed.
    """
    known = head.window.newest
    if cursor is None or newest is None or (known is not None and cursor.order(newest) <= cursor.order(known)):
        return []
    what = (
        f"a row appeared behind the watermark: its {cursor.name} is older than "
        f"{head.window.next_lo}, before which everything was read"
    )
    if not cursor.zone_unknown:
        return [
            f"{what}. It is not in Redshift in this version. Its writer set {cursor.name} to an earlier value, or "
            f"committed more than the overlap later. Remedy: el run --full {table.label}"
        ]
    raise SourceError(
        f"{table.label}: {what}. Nothing was read. {cursor.name} is a {cursor.kind.upper()}, and its writer's clock "
        "seems to be west of both UTC and the server's zone. Say its zone in the source file, such as "
        "cursor_zone: America/New_York; the table is then copied again. If it was an import of old rows instead: "
        f"el run --full {table.label}"
    )


def _check_form(head: Commit, cursor: Cursor) -> None:
    try:
        for value in (head.window.lo, head.window.next_lo):
            if value is not None:
                cursor.literal(value)
    except ValueError:
        raise LandingDamage(
            f"{head.source}.{head.table}: commit {head.seq} holds a window that is no {cursor.kind}. Nothing was "
            f"read. Copy the table again: el run --full {head.source}.{head.table}"
        ) from None
