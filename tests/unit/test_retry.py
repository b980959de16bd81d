"""What is tried again, how often, and who waits how long."""

from __future__ import annotations

import ast
import logging

import pytest

from el import retry
from el.errors import LandingUnreachable, WarehouseLost
from el.retry import Backoff
from tests.conftest import REPOSITORY


def failing(*errors: Exception) -> tuple[list[int], object]:
    left, calls = list(errors), []

    def work() -> str:
        calls.append(1)
        if left:
            raise left.pop(0)
        return "done"

    return calls, work


def test_it_is_tried_again_and_each_pause_is_longer_by_up_to_half() -> None:
    slept: list[float] = []
    calls, work = failing(*[WarehouseLost("lost")] * 3)
    assert retry.retry(work, (1, 2, 4), WarehouseLost, slept.append) == "done"  # type: ignore[arg-type]
    assert len(calls) == 4
    assert [base <= seconds <= 1.5 * base for base, seconds in zip((1, 2, 4), slept, strict=True)] == [True] * 3


def test_two_that_met_do_not_meet_again() -> None:
    slept: list[float] = []
    for _ in range(20):
        Backoff((1,), wait=slept.append).pause(WarehouseLost("lost"))
    assert len(set(slept)) == 20


def test_the_last_failure_is_the_one_that_is_raised() -> None:
    errors = [WarehouseLost(str(number)) for number in range(3)]
    calls, work = failing(*errors)
    with pytest.raises(WarehouseLost) as caught:
        retry.retry(work, (0, 0), WarehouseLost)  # type: ignore[arg-type]
    assert caught.value is errors[2] and len(calls) == 3


def test_another_failure_is_not_tried_again() -> None:
    calls, work = failing(LandingUnreachable("S3"))
    with pytest.raises(LandingUnreachable):
        retry.retry(work, (0, 0), WarehouseLost)  # type: ignore[arg-type]
    assert len(calls) == 1


def test_whoever_asks_to_stop_gets_the_failure_and_no_other_try() -> None:
    calls, work = failing(*[WarehouseLost("lost")] * 3)
    with pytest.raises(WarehouseLost):
        retry.retry(work, (1, 1, 1), WarehouseLost, lambda seconds: True)  # type: ignore[arg-type]
    assert len(calls) == 1


def test_failures_count_in_a_row_alone() -> None:
    backoff = Backoff((0, 0))
    for _ in range(5):
        backoff.pause(WarehouseLost("lost"))
        backoff.reset()
    backoff.pause(WarehouseLost("lost"))
    backoff.pause(WarehouseLost("lost"))
    with pytest.raises(WarehouseLost):
        backoff.pause(WarehouseLost("lost"))


def test_the_log_says_what_failed_and_no_message_of_a_driver(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("el").propagate = True
    backoff = Backoff((0, 0), "load clinic.t")
    backoff.pause(WarehouseLost("the connection was lost"))
    backoff.pause(ValueError("a value of a row"))
    first, second = (record.getMessage() for record in caplog.records)
    assert first == "load clinic.t: the connection was lost: it is tried again in 0.0 s"
    assert second == "load clinic.t: ValueError: it is tried again in 0.0 s"


def test_no_other_module_sleeps_before_a_retry() -> None:
    """A loop with an exception in it that sleeps is a retry; those that wait for something have none."""
    found = []
    for path in sorted((REPOSITORY / "el").rglob("*.py")):
        for loop in ast.walk(ast.parse(path.read_text())):
            if not isinstance(loop, ast.For | ast.While) or path.name == "retry.py":
                continue
            handlers = [node for node in ast.walk(loop) if isinstance(node, ast.ExceptHandler)]
            sleeps = [
                node
                for handler in handlers
                for node in ast.walk(handler)
                if isinstance(node, ast.Attribute) and node.attr in ("sleep", "uniform")
            ]
            found += [f"{path.name}:{node.lineno}" for node in sleeps]
    assert found == []
