"""The review page for people: what was shown, whole, and what was known then."""

from dataclasses import replace

import pytest
from hypothesis import given, settings

from hitl_events.domain import canonical
from hitl_events.domain.events import Event, GatePaused
from hitl_events.domain.values import digest
from hitl_events.projections.reviews import open_reviews, review
from hitl_events.testing.strategies import TEXT
from hitl_services.cli.review_page import review_details, review_page
from hitl_services.cli.screen import Line
from tests.golden import make_histories as plays
from tests.unit.domain.histories import NOW, SECOND, paused, recorded, started, step_failed


def _text(lines: list[Line]) -> list[str]:
    return ["".join(part if isinstance(part, str) else part[0] for part in line) for line in lines]


def _page(events: list[Event], seq: int) -> str:
    return "\n".join(_text(list(review_page(review(events[:seq], seq), 80))))


def test_the_page_says_what_was_asked_of_whom() -> None:
    """Verdicts, data schema, digest, draft, input, and what came before it with its event."""
    events = plays.reviewed().events
    shown = _page(events, 7)

    assert "review legal-review:2  pending  opened by event 7" in shown
    assert "verdicts  approve, deny, request_changes" in shown
    assert "clause" in shown[shown.index("data      with a decision") : shown.index("digest")]
    assert review(events, 7).pause.draft_digest.hex() in shown
    assert "title: Leave policy (4b)" in shown
    assert "    5  2026-01-01 09:00:04Z  request_changes by Ada at legal-review:1" in shown
    assert "d-3" not in shown


def test_the_page_says_what_happens_at_the_deadline() -> None:
    """Whether the schedule decides, and how."""
    assert "then the schedule decides ship" in _page(plays.scheduled().events, 2)
    assert "then undecided" in _page(plays.expired().events, 2)


def test_a_reconcile_gate_says_what_it_is_about() -> None:
    """The step whose end nobody saw."""
    assert "about     whether step publish (1) happened" in _page(plays.uncertain().events, 6)


def test_a_policy_is_who_was_asked() -> None:
    """Where the event names somebody, the page does."""
    events = recorded(started(), paused(policy=canonical.dumps({"role": "lawyer"})))

    assert "asked     role: lawyer" in _page(events, 2)


def test_a_failed_step_is_told() -> None:
    """With its error, among what came before."""
    events = recorded(started(), step_failed(retry_at=NOW + 9 * SECOND), paused())

    assert "step s failed: " in _page(events, 3)


def test_a_long_draft_is_not_shortened() -> None:
    """The page is what was shown: every line of it, each to its end."""
    draft = "\n".join(f"line {n} {'x' * 200}" for n in range(300))
    shown = _page(recorded(started(), paused(draft=draft)), 2)

    assert all(f"line {n} {'x' * 200}" in shown for n in range(300))


def test_a_draft_that_is_not_as_digested_is_told() -> None:
    """A page of an edited event says that it is not what was approved."""
    events = recorded(started(), paused())
    gate = events[1]
    assert isinstance(gate, GatePaused)
    edited = [events[0], replace(gate, draft=b'"another"')]

    assert "has another digest" in _page(edited, 2)
    assert "has another digest" not in _page(events, 2)
    assert review(events, 2).pause.draft_digest == digest(canonical.dumps("draft"))


def test_details_stand_under_an_outcome_for_each_open_gate() -> None:
    """What its page leaves out; nothing where no gate is open."""
    events = plays.reviewed().events
    shown = "\n".join(_text(list(review_details(events[:3], 80))))

    assert "review legal-review:1" in shown
    assert "  draft" not in shown
    assert list(review_details(events, 80)) == []


@pytest.mark.parametrize("width", [40, 80])
@settings(deadline=None)
@given(text=TEXT)
def test_nothing_on_a_page_moves_the_cursor(width: int, text: str) -> None:
    """Whatever stands in names, drafts and verdicts."""
    events = recorded(started(recipe=text), paused(text, draft=text, verdicts=(text,)))
    (page,) = open_reviews(events)

    for line in _text(list(review_page(page, width))):
        assert not {"\x1b", "\r", "\n", "\u202e"} & set(line)
