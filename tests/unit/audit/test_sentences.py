"""How events are named in sentences."""

import pytest

from hitl_events.audit.sentences import decided, went_on
from hitl_events.domain.events import Event
from tests.unit.domain.histories import paused, received, started, step_done, step_failed


def test_a_decision_names_who_made_it_and_how_it_came() -> None:
    """Whoever reads the sentence can find the person and the channel."""
    event = received(decision_id="d7", verdict="approve", decided_by="anna", channel="cli")

    said = decided(event)

    assert said.startswith("Decision 'd7', 'approve' by 'anna'")
    assert "through 'cli'" in said
    assert said.endswith(",")


def test_what_the_clock_decided_names_nobody() -> None:
    """The schedule is no person."""
    said = decided(received(decision_id="schedule:1", verdict="deny", channel="schedule"))

    assert said == "'deny', decided by the schedule ('schedule:1'),"


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (step_done(step="draft"), "step 'draft' was completed"),
        (
            step_failed(step="draft", error="OSError", message="gone"),
            "step 'draft' failed: OSError: gone",
        ),
        (paused(gate="review"), "gate 'review' was opened"),
        (started(), ""),
    ],
)
def test_what_a_run_did_is_said_of_its_own_doings_alone(event: Event, said: str) -> None:
    """A start, a decision and a request are others' doing."""
    assert went_on(event) == said
