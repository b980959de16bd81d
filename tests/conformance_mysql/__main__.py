"""The facts about MySQL against any server: `make conformance-mysql URL=mysql://user:password@host:port/`.

Prints a line per fact that does not hold or may not be asked, and the count. Needs a user who may create, fill and drop
databases called el_conformance_…; with --read-only nothing is made, and fewer facts are asked. Exit code 1
if a fact does not hold, 2 if the server cannot be asked. Options of the URL are those of a source's (`?ssl-mode=…`,
`?ssl-ca=…`, `?iam=…`); its database is not used.
"""

from __future__ import annotations

import os
import signal
import sys
from urllib.parse import urlsplit

import pymysql

from el import settings
from el.errors import ElError, SettingError
from el.mysql.connection import reason
from el.settings import MySQL

from .facts import Asked, load

_VARIABLE = "SOURCES__CONFORMANCE__CREDENTIALS"


def main(url: str, read_only: bool = False) -> int:
    try:
        server = _server(url)
    except ElError as error:
        print(str(error).replace(_VARIABLE, "URL").replace("port/database", "port/"), file=sys.stderr)
        return 2
    where = f"{server.user}@{server.host}:{server.port}"
    try:
        return _ask(Asked(server), read_only)
    except (pymysql.err.MySQLError, OSError) as error:
        number = error.args[0] if isinstance(error, pymysql.err.MySQLError) and isinstance(error.args[0], int) else 0
        why = reason(number) if number else "the connection failed"
        print(f"MySQL at {where}: {why} ({type(error).__name__} {number}). Check URL and the server", file=sys.stderr)
        return 2


def _server(url: str) -> MySQL:
    try:
        parts = urlsplit(url)
    except ValueError:
        raise SettingError(f"{_VARIABLE} cannot be read. It must be mysql://user:password@host:port/") from None
    # Read as the URL of a source, which names a database.
    os.environ[_VARIABLE] = parts._replace(path=parts.path if parts.path.strip("/") else "/none").geturl()
    return settings.mysql("conformance")


def _ask(asked: Asked, read_only: bool) -> int:
    facts = [fact for fact in load() if fact.only_reads or not read_only]
    answers = []
    for answer in asked.answers(facts):
        answers.append(answer)
        if answer.line and not answer.no_scratch:
            print(answer.line, flush=True)
    if no_scratch := [answer for answer in answers if answer.no_scratch]:
        print(
            f"{len(no_scratch)} facts need a scratch database, which cannot be made (MySQL error "
            f"{no_scratch[0].not_allowed}). Remedy: a primary, and: grant all on `el\\_conformance\\_%`.* to the user"
        )
    wrong = sum(bool(answer.wrong) for answer in answers)
    not_asked = sum(bool(answer.not_allowed) for answer in answers)
    print(f"{asked.kind} {asked.version}: {len(answers)} facts, {wrong} wrong, {not_asked} could not be asked")
    return 1 if wrong else 0


def _end(number: int, frame: object) -> None:
    sys.exit(128 + number)  # so that what is open is closed, and the scratch database dropped


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    arguments = [one for one in sys.argv[1:] if one != "--read-only"]
    if len(arguments) != 1 or not arguments[0]:
        print("usage: make conformance-mysql URL=mysql://user:password@host:port/", file=sys.stderr)
        sys.exit(2)
    sys.exit(main(arguments[0], "--read-only" in sys.argv))
