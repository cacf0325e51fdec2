import pytest
from hypothesis import given, settings

from hitl_events.domain import canonical
from hitl_events.domain.events import Event, GatePaused
from hitl_events.domain.evolve import fold
from hitl_events.domain.token import PREFIX
from hitl_events.domain.values import digest
from hitl_events.errors import InvalidInput
from hitl_events.projections.reviews import open_reviews, review
from hitl_events.projections.rounds import round_named
from hitl_events.testing.strategies import histories
from tests.golden import make_histories as plays
from tests.unit.domain.histories import (
    NOW,
    SECOND,
    paused,
    recorded,
    started,
    step_done,
    step_failed,
)


def test_a_page_has_what_the_reviewer_saw() -> None:
    """Draft, digest, verdicts, data schema, input, and the steps and decisions before it."""
    events = plays.reviewed().events
    page = review(events[:7], 7)
    shown = page.to_json()

    assert shown["draft"] == {"title": "Leave policy (4b)", "lines": 4}
    assert shown["draft_digest"] == digest(page.draft).hex()
    assert shown["verdicts"] == ["approve", "deny", "request_changes"]
    assert shown["data_schema"]["required"] == ["clause"]
    assert shown["input"] == {"topic": "Leave policy"}
    assert [(step.seq, step.step, step.occurrence) for step in page.steps] == [
        (2, "write_draft", 1),
        (6, "write_draft", 2),
    ]
    assert [decision.seq for decision in page.decisions] == [5]
    assert (shown["status"], shown["closing"]) == ("pending", None)
    assert PREFIX not in str(shown)


def test_a_page_shows_nothing_that_came_later() -> None:
    """As of its own moment a gate is pending; as of a later one the page says how it closed."""
    events = plays.reviewed().events

    then, now = review(events[:3], 3), review(events, 3)

    assert (then.pause.status, now.pause.status) == ("pending", "decided")
    assert (then.draft, then.steps, then.decisions) == (now.draft, now.steps, now.decisions)


def test_a_failed_attempt_of_a_step_is_on_the_page() -> None:
    """A reviewer sees what did not go well before the gate opened."""
    again = step_failed(retry_at=NOW + 9 * SECOND)
    (page,) = open_reviews(recorded(started(), again, step_done(attempt=2), paused()))

    first, second = (step.to_json() for step in page.steps)

    assert (first["attempt"], first["output"], first["error"]) == (1, None, again.error)
    assert (second["attempt"], second["error"], second["seq"]) == (2, None, 3)


def test_pages_of_a_moment_are_those_of_the_open_gates() -> None:
    """None where nothing waits."""
    events = plays.reviewed().events

    assert [page.pause.seq for page in open_reviews(events[:7])] == [7]
    assert open_reviews(events) == ()


@pytest.mark.parametrize("seq", [0, 1, 4, 99])
def test_an_event_that_opened_no_gate_has_no_page(seq: int) -> None:
    """It is refused with the number that was given."""
    with pytest.raises(InvalidInput, match=f"found none at {seq}"):
        review(plays.paused().events, seq)


@pytest.mark.parametrize(
    ("named", "seq"), [("legal-review", 7), ("legal-review:1", 3), ("legal-review:2", 7)]
)
def test_a_round_is_named_by_gate_and_number(named: str, seq: int) -> None:
    """The latest where no number is given."""
    assert round_named(plays.reviewed().events, named).seq == seq


def test_a_gate_whose_name_ends_like_a_round_is_found() -> None:
    """The whole name wins over a part of it; with a number it can be told from the other."""
    events = recorded(started(), paused("a"), paused("a:1"))

    assert [round_named(events, named).seq for named in ("a", "a:1", "a:1:1")] == [2, 3, 3]


@pytest.mark.parametrize(
    "named", ["", "other", "legal-review:3", "legal-review:", "legal-review:x"]
)
def test_an_unknown_round_lists_those_there_are(named: str) -> None:
    """One line that says what could have been typed."""
    with pytest.raises(InvalidInput, match="legal-review:1, legal-review:2"):
        round_named(plays.reviewed().events, named)


@settings(deadline=None)
@given(history=histories())
def test_every_gate_has_a_page_with_its_own_draft(history: tuple[Event, ...]) -> None:
    """For every history: the page of a moment holds the bytes that its digest is of."""
    for event in history:
        if isinstance(event, GatePaused):
            page = review(history[: event.seq], event.seq)
            assert (page.draft, page.pause.draft_digest) == (event.draft, digest(event.draft))
            assert page.to_json()["draft"] == canonical.loads(event.draft)
    run = fold(history)
    assert run is not None
    assert [page.pause.seq for page in open_reviews(history)] == list(run.pending)
