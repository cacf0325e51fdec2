"""Decisions as a table: it fits the terminal, and nobody's text leaves its place."""

import pytest
from hypothesis import given, settings, strategies as st

from hitl_events.projections.selection import Selection, selected
from hitl_events.testing.strategies import TEXT
from hitl_services.cli.decided_page import DecidedPage
from hitl_services.reports.sheet import Tally
from hitl_services.text import cells
from tests.golden import make_histories as plays
from tests.golden.play import Play
from tests.unit.domain.histories import paused, received, recorded, rejected, started


def _shown(play: Play, width: int = 80) -> list[str]:
    page, tally = DecidedPage(width), Tally()
    text = page.head()
    for decided in selected(play.events, Selection()):
        text += "".join(page.lines(decided))
        tally = tally.plus(decided)
    return (text + page.foot(tally)).splitlines()


def test_a_decision_has_its_row_and_what_was_refused_below() -> None:
    """Who, when, how long it took, through what, why; with the event behind each."""
    shown = _shown(plays.reviewed())

    assert shown[0].split() == ["DECIDED", "VERDICT", "BY", "WAITED", "GATE"]
    assert shown[-1] == "2 decisions, 2 refused attempts"
    text = "\n".join(shown)
    assert "run golden-reviewed  event 8  golden-review 1, through topic (claimed)" in text
    assert "notes: für alle" in text
    assert "deny by Eve" in text
    assert "token_used: the gate was closed by decision 'd-3' with 'approve'" in text
    assert "legal-review:2" in text


def test_the_schedule_is_named_as_who_decided() -> None:
    """Nobody is made up for a decision of the clock."""
    assert "(schedule)" in "\n".join(_shown(plays.scheduled()))


def test_attempts_at_a_gate_that_waits_stand_under_it() -> None:
    """There is no decision yet: the row is empty, the run is named."""
    play = plays.paused().decide("perhaps", "d-9", decided_by="Bob")
    shown = _shown(play)

    assert shown[1].split() == ["-", "-", "-", "-", "legal-review"]
    assert shown[2].strip() == "run golden-paused  golden-review 1"
    assert "perhaps by Bob" in shown[3]


def test_a_report_of_nothing_says_so() -> None:
    """No titles over nothing."""
    assert _shown(plays.paused()) == ["0 decisions, 0 refused attempts"]


@pytest.mark.parametrize("width", [80, 200])
@settings(deadline=None)
@given(text=TEXT, notes=st.none() | TEXT)
def test_a_row_keeps_to_the_terminal(width: int, text: str, notes: str | None) -> None:
    """Whatever is written in it, a line is no wider, and nothing in it moves the cursor."""
    events = recorded(
        started(recipe=text),
        paused(text),
        rejected(gate=text, verdict=text, message=text, decided_by=text, notes=notes),
        received(verdict=text, gate=text, decided_by=text, notes=notes),
    )
    page = DecidedPage(width)
    for decided in selected(events, Selection()):
        for line in page.lines(decided):
            assert cells(line.rstrip("\n")) <= width
            assert not {"\x1b", "\r", "\u202e"} & set(line)
