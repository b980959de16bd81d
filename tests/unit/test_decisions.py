"""What is read next, in every situation that there is: a cell for each."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from el.plan import Situation, decide

#: Of a table that is not copied anew. A line per server that answers, with and without --accept-server; columns: how
#: the pass of the head commit ended, and whether the clock is steady or was set back.
CELLS = """
                         done    done     cut off     cut off     cut off in full  cut off in full
                         steady  back     steady      back        steady           back
same                     window  window   go on       pass again  go on            everything
same accepted            window  window   go on       pass again  go on            everything
continued                window  window   pass again  pass again  everything       everything
continued accepted       window  window   pass again  pass again  everything       everything
other                    refuse  refuse   refuse      refuse      refuse           refuse
other accepted           window  window   pass again  pass again  everything       everything
went back                refuse  refuse   refuse      refuse      refuse           refuse
went back accepted       everything everything everything everything everything everything
"""
HEADS = ("done", "cut off", "cut off in full")
SERVERS = ("same", "continued", "other", "went back")
WORDS = ("window", "go on", "pass again", "everything", "refuse")


def cells() -> list[tuple[Situation, str]]:
    found: list[tuple[Situation, str]] = []
    for line in CELLS.strip("\n").splitlines()[2:]:
        server = next(one for one in SERVERS if line.startswith(one))
        accepted = "accepted" in line
        rest = line.removeprefix(server).strip().removeprefix("accepted").strip()
        decisions = []
        while rest:
            word = next(one for one in WORDS if rest.startswith(one))
            decisions.append(word)
            rest = rest.removeprefix(word).strip()
        for (head, stepped), decision in zip(product(HEADS, (False, True)), decisions, strict=True):
            found.append((Situation(head, False, server, accepted, stepped), decision))  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize(("situation", "decision"), cells(), ids=lambda value: str(value))
def test_the_next_pass(situation: Situation, decision: str) -> None:
    assert decide(situation) == decision


def test_the_cells_are_all_situations_that_are_not_anew() -> None:
    every: Any = product(HEADS, [False], SERVERS, (False, True), (False, True))
    assert {situation for situation, _ in cells()} == {Situation(*one) for one in every}


@pytest.mark.parametrize("one", [*product(HEADS, [True], SERVERS, (False, True), (False, True))])
def test_a_table_that_is_copied_anew_is_copied_whatever_else_is(one: Any) -> None:
    assert decide(Situation(*one)) == "everything"
