"""``python -m local.clinic``: make the demo application's database, or let the application work for a moment.

In: ``EL_MYSQL_ADMIN_URL``. Out: a sentence or counts on standard output, never a value. Exit 0 done, 1
failed, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys

from local.clinic.activity import activity
from local.clinic.database import ClinicError
from local.clinic.generate import create


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local.clinic",
        description="The demo application, a telehealth clinic in MySQL. The server is EL_MYSQL_ADMIN_URL.",
        epilog="Example: python -m local.clinic create --scale 0.1",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("create", help="create and fill the database, unless it is there")
    make.add_argument("--scale", type=float, default=1.0, help="1 makes about 200,000 rows (default: %(default)s)")
    make.add_argument("--force", action="store_true", help="make it anew although it is there")
    act = commands.add_parser("activity", help="insert, update and delete rows as a live application would")
    act.add_argument("--seed", type=int, help="choose rows as before (default: others at every run)")
    for command in (make, act):
        command.add_argument("--database", default="clinic", help="name of the database (default: %(default)s)")
    return parser


def main() -> int:
    """Run one command and return its exit code."""
    arguments = _parser().parse_args()
    try:
        if arguments.command == "create":
            print(create(arguments.database, arguments.scale, arguments.force))
        else:
            for line in activity(arguments.database, arguments.seed).lines():
                print(line)
    except ClinicError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
