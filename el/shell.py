"""What the commands ``el`` and ``el-archive`` share: arguments that mean the same in both, and what a failure becomes.

In: a function that does one command's work and returns an exit code. Out: the same, ending the process.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from typing import Any

import click

from el import duration
from el.errors import ElError, ExitCode

SELECTORS = click.argument("selectors", nargs=-1, metavar="[SELECTOR]...")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


class Duration(click.ParamType):  # type: ignore[type-arg]
    """90s, 45m, 2h: seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return value if isinstance(value, int) else duration.seconds(value)
        except ValueError as error:
            self.fail(f"{value!r} must be {error}", param, ctx)


def frames(error: BaseException) -> str:
    """Where an error was raised, innermost first, without what it says."""
    found = traceback.extract_tb(error.__traceback__)
    return " ← ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(found))


def command(function: Callable[..., int]) -> Callable[..., None]:
    """Turns errors that were understood into a message and an exit code."""

    def guarded(**options: Any) -> None:
        try:
            sys.exit(function(**options))
        except ElError as error:
            click.echo(str(error), err=True)
            sys.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("interrupted; what was committed stays, the next run goes on from there", err=True)
            sys.exit(ExitCode.INTERRUPTED)
        except (click.ClickException, click.Abort, click.exceptions.Exit, BrokenPipeError):
            raise
        except Exception as error:  # its message, which a traceback would end with, may quote a value or a secret
            click.echo(
                f"internal error: {type(error).__name__} at {frames(error)}. What was committed or proven stays. It is "
                "a mistake in el: please report it with this line.",
                err=True,
            )
            sys.exit(ExitCode.FAILED)

    guarded.__name__ = function.__name__
    guarded.__doc__ = function.__doc__
    return guarded
