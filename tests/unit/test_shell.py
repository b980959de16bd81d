"""What becomes of an error that a command did not expect."""

import click
import pytest
from click.testing import CliRunner

from el.errors import ElError
from el.shell import command


def broken(error: Exception) -> click.Command:
    def work() -> int:
        raise error

    return click.command()(command(work))


def test_an_error_that_nobody_expected_is_said_by_class_and_place_and_never_by_its_message() -> None:
    done = CliRunner().invoke(broken(ValueError("canary-cell")), catch_exceptions=False)
    assert done.exit_code == 1
    assert "internal error: ValueError at " in done.output
    assert f"{__file__}:" in done.output
    assert "canary-cell" not in done.output


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [(ElError("understood"), 1, "understood\n"), (click.UsageError("typed wrongly"), 2, "typed wrongly\n")],
)
def test_errors_that_were_understood_are_said_as_they_are(error: Exception, code: int, said: str) -> None:
    done = CliRunner().invoke(broken(error))
    assert done.exit_code == code
    assert done.output.endswith(said)
