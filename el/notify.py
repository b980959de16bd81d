"""Alerts: tells people on SNS and on whatever the library apprise knows (Slack, e-mail, PagerDuty, …).

In: what a run has seen. Out: problems written down on S3 (``problems.py``), one message per run and channel about those
that are due, however many tables it is about, and what of that did not work. A message holds names, counts and our own
errors' texts, never a value. URLs of apprise hold passwords: a channel is called by its kind and place in the list
(``slack 2``), and what its library says is dropped, because it may quote them.
"""

from __future__ import annotations

import logging
import platform
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from el import problems, settings
from el.errors import AlertError, LandingError
from el.landing import Landing
from el.problems import Problem, Seen

log = logging.getLogger("el")

#: Problems that are spelled out in one message.
_AT_MOST = 20


class Channels:
    """Where alerts go. Nothing is opened before something is sent."""

    def __init__(self, places: settings.Alerts) -> None:
        self._ways: dict[str, Callable[[str, str], None]] = {}
        if topic := places.sns_topic:
            self._ways["sns"] = partial(_sns, topic)
        for number, url in enumerate(places.apprise, 1):
            self._ways[f"{_kind(url)} {number}"] = partial(_apprise, url)

    @property
    def names(self) -> list[str]:
        return list(self._ways)

    def send(self, title: str, body: str, names: Sequence[str] | None = None) -> dict[str, str | None]:
        """Send to some channels, or all; per channel why it failed, or None. A channel that fails stops no other."""
        done: dict[str, str | None] = {}
        for name in self.names if names is None else names:
            try:
                self._ways[name](title, body)
                done[name] = None
            except AlertError as error:
                done[name] = str(error)
                log.error("an alert could not be sent to %s: %s", name, error)
        return done


def tell(run: str, landing: Landing | None, channels: Channels, seen: dict[str, list[Seen]]) -> list[str]:
    """Write down what was seen, by source, and send what is due in one message; what did not work, in words."""
    due: dict[str, list[Problem]] = {}
    unknown: list[Problem] = []
    why = "" if landing else "LANDING_URL is not known"
    away = landing is None
    for source, ones in seen.items():
        if landing and not away:
            try:
                due[source] = problems.see(landing, source, ones, run, channels.names)
                continue
            except LandingError as error:
                why, away = str(error), error.transient  # what does not answer is not asked for every source
        # Nothing tells whether it was told before: rather twice than never.
        unknown += [Problem(one.table, one.kind, one.text, run, "now", one.column) for one in ones if one.text]
    warnings = [f"alerts are sent at each run until this is mended: {why}"] if unknown and channels.names else []
    every = [*unknown, *(problem for some in due.values() for problem in some)]
    failed: dict[str, str | None] = {}
    for name in sorted({name for problem in every for name in problem.due(channels.names)}):
        failed |= channels.send(*message([problem for problem in every if problem.due([name])]), [name])
    warnings += [f"an alert could not be sent to {name}: {why}" for name, why in failed.items() if why]
    took = {name: why is None for name, why in failed.items()}
    for source, some in due.items():
        try:
            if some and landing:
                problems.told(landing, source, some, took)
        except LandingError as error:
            warnings.append(f"that alerts were sent could not be written down; they may come again: {error}")
    return list(dict.fromkeys(warnings))


def message(found: Sequence[Problem]) -> tuple[str, str]:
    """Title and body of one alert."""
    new, over = [p for p in found if not p.ended], [p for p in found if p.ended]
    parts = [f"{len(new)} new problem{'s' * (len(new) != 1)}"] if new else []
    parts += [f"{len(over)} over"] if over else []
    title = f"el: {', '.join(parts)}"
    if len(found) == 1:
        title = f"el: {found[0].name}{': over' * len(over)}"
    lines = []
    for problem in [*new, *over][:_AT_MOST]:
        over_now = f"OVER: {problem.name} (since {problem.since})"
        lines.append(over_now if problem.ended else f"{problem.name}: {problem.text}")
        seen_by = (problem.over_run if problem.ended else problem.run) or ""
        lines.append(f"    seen by {seen_by}" if seen_by.startswith("el ") else f"    el runs show {seen_by}")
    if len(found) > _AT_MOST:
        lines.append(f"and {len(found) - _AT_MOST} more: el status")
    return title, "\n".join([*lines, f"sent by el on {platform.node()}"])


def _sns(topic: str, title: str, body: str) -> None:
    region = topic.split(":")[3] if topic.count(":") >= 5 else settings.aws_region()
    try:
        client = boto3.client(
            "sns",
            region_name=region or None,
            config=Config(connect_timeout=10, read_timeout=20, retries={"mode": "standard", "max_attempts": 3}),
        )
        # SNS takes a subject of ASCII only.
        client.publish(TopicArn=topic, Subject=title.encode("ascii", "replace").decode()[:100], Message=body)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "an error")
        raise AlertError(f"SNS answered {code} for EL_ALERTS_SNS_TOPIC") from None
    except (BotoCoreError, OSError, ValueError) as error:
        raise AlertError(f"SNS cannot be reached or used ({type(error).__name__})") from None


def _apprise(url: str, title: str, body: str) -> None:
    library = logging.getLogger("apprise")
    library.propagate = False
    library.addHandler(logging.NullHandler())
    try:
        import apprise

        channel: Any = apprise.Apprise(asset=apprise.AppriseAsset(app_id="el", app_desc="el", async_mode=False))
        known, took = channel.add(url), False
        took = bool(known and channel.notify(title=title, body=body))
    except Exception as error:  # its plug-ins raise what they like, with URLs in it
        raise AlertError(f"apprise failed ({type(error).__name__})") from None
    if not known:
        raise AlertError("apprise does not understand this URL of EL_ALERTS_APPRISE")
    if not took:
        raise AlertError("it was not taken: the service cannot be reached or refused it")


def _kind(url: str) -> str:
    """``slack`` of ``slack://token``; nothing else of a URL is ever shown."""
    scheme = urlsplit(url).scheme if "://" in url else ""
    return scheme if scheme.isalnum() and scheme.isascii() else "apprise"
