from hitl_events.domain.events import EVENT_TYPES
from hitl_events.domain.outcome import as_json
from hitl_events.domain.trace import trace
from tests.unit.domain.every_event import histories, main_line
from tests.unit.domain.histories import paused, received, recorded, started

MAIN = [
    ("run.start", 1),
    ("step.failed", 2),
    ("step.completed", 3),
    ("run.paused", 4),
    ("decision.rejected", 5),
    ("decision.received", 6),
    ("run.resumed", 6),
    ("step.started", 7),
    ("run.paused", 8),
    ("run.blocked", 9),
    ("run.unblocked", 10),
    ("run.paused", 11),
    ("gate.closed", 12),
    ("run.cancelling", 13),
]


def test_every_event_has_its_entries() -> None:
    """The trace tells each event in the words of the contract, with its seq."""
    assert [(entry.kind, entry.seq) for entry in trace(main_line())] == MAIN


def test_the_end_is_told_twice() -> None:
    """How a run ended, then that it ended."""
    ends = [[entry.kind for entry in trace(history)][-2:] for history in histories()]

    assert ends == [["run.ok", "run.end"], ["run.error", "run.end"], ["run.cancelled", "run.end"]]


def test_no_event_is_left_out() -> None:
    """Every type of event of the sample has at least one entry."""
    for history in histories():
        assert {entry.seq for entry in trace(history)} == {event.seq for event in history}
    assert len(EVENT_TYPES) == 14


def test_an_open_decision_does_not_resume() -> None:
    """`run.resumed` stands only behind the decision that closes the gate."""
    events = recorded(started(), paused(), received(resolution=None), received(decision_id="2"))

    kinds = [entry.kind for entry in trace(events)]

    assert kinds[2:] == ["decision.received", "decision.received", "run.resumed"]


def test_a_trace_shows_no_draft_and_no_output() -> None:
    """What is under review, inputs and outputs stand in the artefact, never in the trace."""
    events = recorded(started(input=b'"s3cret"'), paused(draft="s3cret"))

    assert "s3cret" not in str([as_json(entry) for entry in trace(events)])


def test_entries_say_what_is_worth_knowing() -> None:
    """The next attempt of a step, and a gate with its verdicts and end, stand in the trace."""
    failed, opened = trace(main_line())[1], trace(main_line())[3]

    assert failed["data"]["retry_at"] == "2026-01-01T00:00:09.000000Z"
    assert failed["data"]["error"] == "ValueError"
    assert opened["data"] == {
        "gate": "g",
        "occurrence": 1,
        "pause_kind": "human",
        "on_expiry": "deny",
        "gate_id": "run.4",
        "verdicts": ["approve", "deny"],
        "draft_digest": paused().draft_digest.hex(),
        "expires_at": "2026-01-01T00:01:00.000000Z",
    }


def test_times_are_spelt_in_one_way() -> None:
    """`at` is UTC with six digits and Z."""
    (entry,) = trace(recorded(started()))

    assert entry["at"] == "2026-01-01T00:00:01.000000Z"
