"""What people have to hear of extract and load: from results and lags to problems.

In: a table's result, or its status. Out: what was seen, for ``notify.py`` to tell. A run does it at its end;
``el status --alert`` does it for lags although no run happened.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from el import duration, settings
from el.errors import UsageError
from el.landing import Landing
from el.notify import Channels, tell
from el.outcome import Extracted, Loaded, TableResult, joined
from el.problems import Seen
from el.status import TableStatus
from el.text import aligned


def table_seen(result: TableResult, mode: str, extracted: Extracted, loaded: Loaded) -> list[Seen]:
    """The problems that extract and load of a table show, and those that they show to be over."""
    seen = []
    for job, state in result.states.items():
        if state == "failed":
            seen.append(Seen(result.table, job, joined(result.errors.get(job, [])) or state))
        elif state in ("done", "nothing new"):
            seen.append(Seen(result.table, job, None))
    if extracted.drift:
        seen.append(Seen(result.table, "drift", extracted.drift))
    # Rows that changed say nothing of those that did not: only a whole copy shows that everything is carried now.
    whole = {
        "values": result.states.get("extract") == "done" and (extracted.full or mode == "replace"),
        "json": result.states.get("load") == "done" and (loaded.full or mode == "replace"),
    }
    for kind, counts in (("values", extracted.counts), ("json", {"json_misses": loaded.json_misses})):
        columns: dict[str, list[str]] = {}
        for count, found in counts.items():
            for column, many in found.items():
                columns.setdefault(column, []).append(f"{many:,} {count.replace('_', ' ')}")
        seen += [
            Seen(result.table, kind, f"{', '.join(texts)} in one run", column) for column, texts in columns.items()
        ]
        if whole[kind]:
            seen.append(Seen(result.table, kind, None))
    return seen


def lag_seen(one: TableStatus) -> list[Seen]:
    """Whether a table is beyond its max_lag, if it has one. Who does not see Redshift cannot say that it is over."""
    if one.max_lag is None:
        return []
    if one.is_late:
        behind = "it was never extracted" if one.lag is None else f"{duration.words(one.lag)} behind"
        return [Seen(one.table, "lag", f"{behind}; max_lag is {duration.words(one.max_lag)}")]
    return [Seen(one.table, "lag", None)] if one.pending is not None else []


def tell_lag(landing: Landing, found: Sequence[TableStatus]) -> list[str]:
    """Alerts about tables that are beyond their max_lag, or no longer are; what did not work, in words.

    Raises:
        UsageError: none of the tables has a max_lag.
    """
    if all(one.max_lag is None for one in found):
        raise UsageError("--alert: none of these tables has a max_lag in its source file, so nothing can be late.")
    seen: dict[str, list[Seen]] = {}
    for one in found:
        seen.setdefault(one.table.partition(".")[0], []).extend(lag_seen(one))
    return tell("el status --alert", landing, Channels(settings.alerts()), seen)


def test_channels() -> dict[str, str | None]:
    """Send a test to every channel; why it failed, or None.

    Raises:
        UsageError: no channel is configured.
    """
    channels = Channels(settings.alerts())
    if not channels.names:
        raise UsageError("no alert goes anywhere: set EL_ALERTS_SNS_TOPIC, EL_ALERTS_APPRISE or both.")
    return channels.send("el: test", "This is a test by: el notify test. Nothing is wrong.")


def channels_text(done: dict[str, str | None], as_json: bool) -> str:
    """What ``el notify test`` prints."""
    if as_json:
        return json.dumps({"channels": [{"channel": name, "error": why} for name, why in done.items()]}, indent=1)
    return "\n".join(aligned(["channel", ""], [[name, why or "sent"] for name, why in done.items()], set()))
